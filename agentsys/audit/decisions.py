"""What the policy has decided already, read from the audit folder of a run."""

from __future__ import annotations

import json

from agentsys.core.state import Screened
from agentsys.plan.workspace import Workspace


def audited_tree(ws: Workspace, policy: str) -> str:
    """Return the hash of the tree that the latest code audit by this policy looked at, or an empty text."""
    file = ws.run.audit / "code.json"
    if not file.is_file():
        return ""
    data = json.loads(file.read_text(encoding="utf-8"))
    return str(data.get("tree", "")) if data.get("policy") == policy else ""


def screened(ws: Workspace, policy: str) -> Screened:
    """Return what this policy said about this paper and request; an answer that was no decision is asked again."""
    file = ws.run.audit / "request.json"
    if not file.is_file():
        return "no"
    data = json.loads(file.read_text(encoding="utf-8"))
    if (data.get("paper"), data.get("request"), data.get("policy")) != (ws.paper.sha256, ws.request, policy):
        return "no"
    if data.get("go_on") is True:
        return "allowed"
    complete = all(row["status"] == "ok" for row in data["decisions"])
    return "stopped" if complete else "no"
