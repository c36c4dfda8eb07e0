"""What the audit of a run ends with: findings for editors, a page for a person, and the seal over every file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from agentsys.core.files import write_atomic
from agentsys.core.version import agentsys_version
from agentsys.plan.context import Context
from agentsys_policies.page import page
from agentsys_policies.record import EVENTS, HEAD, MANIFEST
from agentsys_policies.repository import PAGE, SARIF, read_installed
from agentsys_policies.sarif import sarif
from agentsys_policies.schema import Decision

DECIDED = ("request.json", "code.json", "installed.json")
"""Files that hold the latest decisions, in the order in which they are made."""


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
    found = json.dumps(sarif(decisions, policy.rules, agentsys_version()), indent=1, ensure_ascii=False) + "\n"
    write_atomic(folder / SARIF, found)
    write_atomic(folder / PAGE, text)
    settings = context.settings
    facts = {
        "run": context.ws.run.path.name,
        "status": status,
        "tree": context.ws.code_tree(),
        "paper": context.ws.paper.sha256,
        "policy": policy.ref.model_dump(),
        "models": sorted({settings.model, *settings.agent_models.values()} - {""}),
    }
    context.audit.seal({**facts, "files": _hashes(folder)})


def _decisions(path: Path) -> list[Decision]:
    if not path.is_file():
        return []
    return [Decision.model_validate(row) for row in json.loads(path.read_text(encoding="utf-8"))["decisions"]]


def _hashes(folder: Path) -> dict[str, str]:
    own = {EVENTS, HEAD, MANIFEST}
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in own)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
