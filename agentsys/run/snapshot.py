"""Read a run's files into the router's `State`."""

from __future__ import annotations

from dataclasses import replace

from agentsys.audit.record import audited_tree, screened
from agentsys.core.artifacts import Plan
from agentsys.core.rounds import Round, Rounds
from agentsys.core.state import Replayed, State, Verified
from agentsys.plan.workspace import ANALYSED, CONTRACTS, Workspace, experiment_inputs
from agentsys.report.ending import stuck


def snapshot(ws: Workspace, rounds: Rounds, policy: str) -> State:
    """Return where the run stands. Reads only what is needed to decide who acts next.

    Args:
        policy: hash of the policy in force; what another one has allowed is judged again.
    """
    gate = screened(ws, policy)
    if gate != "allowed":
        return State(screened=gate)
    plan = ws.plan()
    if plan is None:
        return State(screened=gate)
    if ws.settings.stop_after == "plan":
        return State(screened=gate, planned=True, stopped="it was asked to stop after the plan")
    if plan.data and not ws.fresh("data", ws.data_inputs(plan)):
        return State(screened=gate, planned=True, data_due=True)
    claimed = is_claimed(ws, plan)
    if not claimed or ws.settings.stop_after == "claims":
        stopped = "it was asked to stop after the claims" if claimed else ""
        return State(screened=gate, planned=True, claimed=claimed, stopped=stopped)
    last = rounds.last()
    state = State(
        screened=gate,
        planned=True,
        claimed=True,
        pending=last.pending[0] if last is not None and last.diagnosis is not None and last.pending else None,
        analyses_missing=len(ws.analyses_missing(plan)),
    )
    if state.analyses_missing or ws.settings.stop_after == "analyse":
        stopped = "" if state.analyses_missing else "it was asked to stop after the analysis"
        return replace(state, stopped=stopped)
    return _written(ws, rounds, plan, state, policy)


def _written(ws: Workspace, rounds: Rounds, plan: Plan, state: State, policy: str) -> State:
    missing = len(ws.files_missing(plan)) + len(ws.generated_missing(plan))
    if missing or ws.settings.stop_after == "code":
        return replace(state, files_missing=missing, stopped="" if missing else "it was asked to stop after the code")
    tree = ws.code_tree()
    current = rounds.latest_for_tree(tree)
    diagnosed = sum(1 for item in rounds.all() if item.diagnosis is not None)
    return replace(
        state,
        audited=audited_tree(ws, policy) == tree,
        verified=_verified(current),
        reviewed=is_reviewed(ws, rounds, current),
        replayed=_replayed(rounds, tree),
        experimented=is_experimented(ws),
        rounds_left=ws.settings.max_rounds - diagnosed,
        stuck=stuck(rounds, current),
    )


def is_claimed(ws: Workspace, plan: Plan) -> bool:
    """True where no contract is to be made any more: they are frozen, not wanted, or the code is older than they."""
    code = (ws.run.repo / spec.path for spec in plan.files if spec.kind in ANALYSED)
    return ws.settings.claims == "off" or any(file.is_file() for file in code) or ws.fresh("claims", ws.claim_inputs())


def is_experimented(ws: Workspace) -> bool:
    """True where every contract has its verdict on the code as it is now, or there is none to be had."""
    frozen = (ws.run.claims / CONTRACTS).is_file() and (ws.run.repo / "claims" / CONTRACTS).is_file()
    return ws.settings.claims == "off" or not frozen or ws.fresh("experiments", experiment_inputs(ws.run))


def _verified(current: Round | None) -> Verified:
    if current is None:
        return "no"
    return "passed" if current.verdict.passed else "failed"


def is_reviewed(ws: Workspace, rounds: Rounds, current: Round | None) -> bool:
    """A review with open findings is done only when they stand in the next round's verdict."""
    if current is None:
        return False
    done = rounds.reviews()
    if any(review.tree == current.verdict.tree and not review.open for review in done.values()):
        return True
    unwritten = current.number in done  # with open findings, and no later verdict on this tree
    return len(done) >= ws.settings.reviews and not unwritten


def _replayed(rounds: Rounds, tree: str) -> Replayed:
    """A failed replay is written down as the next round as well; until it is, the replay is not finished."""
    verdict = rounds.replay()
    return "passed" if verdict is not None and verdict.tree == tree and verdict.passed else "no"
