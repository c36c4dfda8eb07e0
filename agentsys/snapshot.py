"""Read a run's files into the router's `State`."""

from __future__ import annotations

import json
from dataclasses import replace

from agentsys.artifacts import Plan
from agentsys.rounds import REPEATS_STOP, Round, Rounds
from agentsys.state import Replayed, Screened, State, Verified
from agentsys.workspace import Workspace


def snapshot(ws: Workspace, rounds: Rounds) -> State:
    """Return where the run stands. Reads only what is needed to decide who acts next."""
    screened = _screened(ws)
    if screened != "allowed":
        return State(screened=screened)
    plan = ws.plan()
    if plan is None:
        return State(screened=screened)
    if ws.settings.stop_after == "plan":
        return State(screened=screened, planned=True, stopped="it was asked to stop after the plan")
    last = rounds.last()
    state = State(
        screened=screened,
        planned=True,
        pending=last.pending[0] if last is not None and last.diagnosis is not None and last.pending else None,
        analyses_missing=len(ws.analyses_missing(plan)),
    )
    if state.analyses_missing or ws.settings.stop_after == "analyse":
        stopped = "" if state.analyses_missing else "it was asked to stop after the analysis"
        return replace(state, stopped=stopped)
    return _written(ws, rounds, plan, state)


def _written(ws: Workspace, rounds: Rounds, plan: Plan, state: State) -> State:
    missing = len(ws.files_missing(plan)) + len(ws.generated_missing(plan))
    if missing or ws.settings.stop_after == "code":
        return replace(state, files_missing=missing, stopped="" if missing else "it was asked to stop after the code")
    tree = ws.code_tree()
    current = rounds.of_tree(tree)
    diagnosed = sum(1 for item in rounds.all() if item.diagnosis is not None)
    return replace(
        state,
        audited=audited_tree(ws) == tree,
        verified=_verified(current),
        replayed=_replayed(rounds, tree),
        rounds_left=ws.settings.max_rounds - diagnosed,
        stuck=_stuck(rounds, current),
    )


def audited_tree(ws: Workspace) -> str:
    """Return the hash of the tree that the latest code audit looked at, or an empty text."""
    file = ws.run.audit / "code.json"
    return str(json.loads(file.read_text(encoding="utf-8")).get("tree", "")) if file.is_file() else ""


def _screened(ws: Workspace) -> Screened:
    file = ws.run.audit / "request.json"
    if not file.is_file():
        return "no"
    data = json.loads(file.read_text(encoding="utf-8"))
    if data.get("paper") != ws.paper.sha256 or data.get("request") != ws.request:
        return "no"
    return "allowed" if data.get("go_on") is True else "stopped"


def _verified(current: Round | None) -> Verified:
    if current is None:
        return "no"
    return "passed" if current.verdict.passed else "failed"


def _replayed(rounds: Rounds, tree: str) -> Replayed:
    verdict = rounds.replay()
    if verdict is None or verdict.tree != tree:
        return "no"
    return "passed" if verdict.passed else "failed"


def _stuck(rounds: Rounds, current: Round | None) -> str:
    if current is None or current.verdict.passed:
        return ""
    if rounds.repeats(current.verdict.diagnostics) >= REPEATS_STOP:
        return f"the same root cause came back after {REPEATS_STOP} repairs"
    last = rounds.last()
    if last is not None and last.diagnosis is not None and not last.pending:
        return "the last repair changed nothing"
    return ""
