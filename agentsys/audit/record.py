"""The audit folder of a run: what the policy decided, and the seal over every file at the end."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from agentsys.core.files import write_atomic, write_json
from agentsys.core.state import Screened
from agentsys.core.version import agentsys_version
from agentsys.plan.context import Context
from agentsys.plan.workspace import Workspace
from agentsys_policies.page import page
from agentsys_policies.record import EVENTS, HEAD, MANIFEST
from agentsys_policies.repository import PAGE, SARIF, read_installed
from agentsys_policies.sarif import sarif
from agentsys_policies.schema import Decision

DECIDED = ("request.json", "code.json", "installed.json")
"""Files that hold the latest decisions, in the order in which they are made."""


def audited_tree(ws: Workspace, policy: str) -> str:
    """Return the hash of the tree that the latest code audit by this policy looked at, or an empty text."""
    data = _read(ws.run.audit / "code.json")
    return str(data.get("tree", "")) if data.get("policy") == policy else ""


def screened(ws: Workspace, policy: str) -> Screened:
    """Return what this policy said about this paper and request; an answer that was no decision is asked again."""
    data = _read(ws.run.audit / "request.json")
    if (data.get("paper"), data.get("request"), data.get("policy")) != (ws.paper.sha256, ws.asked, policy):
        return "no"
    if data.get("go_on") is True:
        return "allowed"
    complete = all(row["status"] == "ok" for row in data["decisions"])
    return "stopped" if complete else "no"


def record_decision(context: Context, decision: Decision, stage: Literal["screen", "data", "audit"]) -> None:
    """Append a decision to the audit record, and say it as an event."""
    context.audit.append(decision)
    context.events.emit(
        "policy.verdict",
        stage=stage,
        gate=decision.gate,
        decision=decision.decision,
        status=decision.status,
        rules=[finding.rule for finding in decision.findings][:20],
    )


def stored_refusal(ws: Workspace) -> Decision:
    """Return the decision that stopped the run when it was screened."""
    return next(decision for decision in _decisions(ws.run.audit / "request.json") if not decision.allows)


def refusal(decision: Decision) -> tuple[str, str]:
    """Return message and hint for a decision that stops the run: which rule, on which words, how to appeal."""
    if not decision.findings:
        return (
            f"the safety policy could not decide on the {decision.gate} ({decision.status})",
            "run it again with a model endpoint that answers",
        )
    worst = decision.findings[0]
    quote = f", on the words “{worst.evidence.quote}”" if worst.evidence.quote else ""
    hint = worst.remedy or "a person may appeal; see docs on the safety policy"
    return f"refused by rule `{worst.rule}`: {worst.message}{quote}", hint


def seal_audit(context: Context, status: str) -> None:
    """Write the files that follow from the decisions, and seal the record with the hash of every file beside it.

    May be done again: a resumed run adds events and seals anew.
    """
    folder, policy = context.ws.run.audit, context.policy
    decisions = [decision for name in DECIDED for decision in _decisions(folder / name)]
    installed = read_installed(folder / "installed.json") if (folder / "installed.json").is_file() else []
    text = page(
        context.ws.paper.title or context.ws.run.path.name,
        decisions,
        head=context.audit.head,
        installed=installed,
        advisories=context.advisories,
    )
    write_json(folder / SARIF, sarif(decisions, policy.rules, agentsys_version()))
    write_atomic(folder / PAGE, text)
    settings = context.settings
    facts = {
        "run": context.ws.run.path.name,
        "status": status,
        "tree": context.ws.code_tree(),
        "paper": context.ws.paper.sha256,
        "policy": policy.ref.model_dump(),
        "models": list(settings.models),
    }
    context.audit.seal({**facts, "files": _hashes(folder)})


def _decisions(path: Path) -> list[Decision]:
    return [Decision.model_validate(row) for row in _read(path)["decisions"]] if path.is_file() else []


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _hashes(folder: Path) -> dict[str, str]:
    own = {EVENTS, HEAD, MANIFEST}
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in own)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
