"""What the tooling adds to the repository at the end: the map, the audit page, the lock of what was installed."""

from __future__ import annotations

import json

from agentsys.agents.context import Context
from agentsys.files import write_atomic
from agentsys.plan.generated import paper_map
from agentsys.rounds import Round


def deliver(context: Context) -> None:
    """Write PAPER_MAP.md, paper_map.json, AUDIT.md and requirements.lock, and commit. Does nothing twice."""
    ws = context.ws
    plan = ws.the_plan()
    current = context.rounds.of_tree(ws.code_tree())
    table, data = paper_map(plan, ws.repo_files())
    files = {"PAPER_MAP.md": table, "paper_map.json": data, "AUDIT.md": _audit_page(context, current)}
    if current is not None and (lock := _lock(context, current)):
        files["requirements.lock"] = lock
    for path, text in files.items():
        target = ws.run.repo / path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            write_atomic(target, text)
    context.git.commit("Map of the paper, audit, lock of the verified environment")


def _lock(context: Context, current: Round) -> str:
    """Return the installed distributions of the round as pins, one a line."""
    file = context.ws.run.round(current.number) / "packages.json"
    if not file.is_file():
        return ""
    packages = json.loads(file.read_text(encoding="utf-8"))
    return "".join(f"{row['name']}=={row['version']}\n" for row in sorted(packages, key=lambda row: str(row["name"])))


def _audit_page(context: Context, current: Round | None) -> str:
    file = context.ws.run.audit / "code.json"
    lines = ["# Safety audit", ""]
    if not file.is_file():
        return "\n".join([*lines, "This tree was not audited.", ""])
    data = json.loads(file.read_text(encoding="utf-8"))
    if data.get("tree") != context.ws.code_tree():
        return "\n".join([*lines, "This tree was not audited; an earlier one was.", ""])
    for decision in data["decisions"]:
        policy = decision["policy"]
        lines.append(
            f"- **{decision['gate']}**: {decision['decision']} ({decision['status']}), "
            f"policy `{policy['file']}` {policy['version']}, {len(decision['findings'])} findings"
        )
        for finding in decision["findings"]:
            place = finding["evidence"]["path"]
            line = finding["evidence"]["line"]
            where = f" in `{place}`" + (f" line {line}" if line else "") if place else ""
            lines.append(f"  - {finding['severity']} `{finding['rule']}`{where}: {finding['message']}")
        for scanner in decision["scanners"]:
            skipped = f", skipped {len(scanner['skipped'])}" if scanner["skipped"] else ""
            lines.append(f"  - looked at by {scanner['name']}: {scanner['examined']} of {scanner['inputs']}{skipped}")
    if current is not None:
        weak = " (isolates less than Docker does)" if current.verdict.weak else ""
        lines += ["", f"Executed in: {current.verdict.backend}{weak}."]
    return "\n".join(lines) + "\n"
