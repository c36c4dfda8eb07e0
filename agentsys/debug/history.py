"""What the debugger is told besides the diagnostics: what earlier rounds tried, and which files a fault concerns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from agentsys.core.artifacts import Diagnostic, FileSpec, Plan
from agentsys.core.rounds import Round
from agentsys.plan.context import Context

FILES_NARROW = 6
FILES_WIDE = 10


def installed_text(context: Context, number: int) -> str:
    """Return what a round had installed, as one line; a type error often hangs on the version of a package."""
    file = context.ws.run.round(number) / "packages.json"
    if not file.is_file():
        return ""
    packages = json.loads(file.read_text(encoding="utf-8"))
    return "\ninstalled: " + ", ".join(f"{row['name']} {row['version']}" for row in packages[:60])


def history_text(rounds: Sequence[Round]) -> str:
    """Return one line for each earlier diagnosis: who acted, on what, and what came of it."""
    lines: list[str] = []
    for item, after in pairwise(rounds):
        if item.diagnosis is None:
            continue
        if after.rolled_back:
            first = after.verdict.diagnostics[0].message[:200] if after.verdict.diagnostics else "more checks failed"
            result = f"made it worse ({first}) and was taken back"
        else:
            result = f"{len(item.verdict.diagnostics)} -> {len(after.verdict.diagnostics)} diagnostics"
        lines.append(f"- round {item.number}, {item.diagnosis.owner}: {item.diagnosis.cause[:400]} Result: {result}.")
    return "\n".join(lines)


def _started_by(by_path: Mapping[str, FileSpec], script: str) -> list[str]:
    """Return what a script needs by the plan, nearest first: there the numbers come from that it writes."""
    found = [script] if script in by_path else []
    for path in found:  # grows while it is walked
        found += [name for name in by_path[path].depends_on if name in by_path and name not in found]
    return found


def implicated_files(context: Context, plan: Plan, diagnostics: Sequence[Diagnostic], *, wide: bool) -> list[str]:
    """Return the files that the leading diagnostics name, deepest frame first; `wide` adds what they depend on."""
    found: list[str] = []
    by_path = {spec.path: spec for spec in plan.files}

    def add(path: str) -> None:
        if path and path not in found and (context.ws.run.repo / path).is_file():
            found.append(path)

    for row in diagnostics[:6]:
        add(row.path)
        for frame in reversed(row.frames):
            add(frame.split(":")[0])
        if row.kind == "test" and row.path in by_path:
            # An assertion fails in the test; the fault is usually in what the test exercises.
            for name in by_path[row.path].depends_on:
                add(name)
        if row.kind in ("missing_dependency", "bad_pin", "install"):
            add("requirements.txt")
        if row.check in ("smoke", "results"):
            add("reproduce.sh")
            add("configs/smoke.yaml")
        if row.kind in ("result", "health"):
            for name in _started_by(by_path, "reproduce.sh"):
                add(name)
    if wide:
        for path in list(found):
            for name in by_path[path].depends_on if path in by_path else ():
                add(name)
    if not found:
        for spec in plan.files[: FILES_NARROW if not wide else FILES_WIDE]:
            add(spec.path)
    return found[: FILES_WIDE if wide else FILES_NARROW]
