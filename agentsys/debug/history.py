"""What the debugger is told of earlier rounds: what they tried, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

from agentsys.core.artifacts import Diagnosis, FileInstruction, Owner, Plan
from agentsys.core.files import sha256_bytes
from agentsys.core.rounds import Round
from agentsys.debug.edits import Patch
from agentsys.paper.query import letters
from agentsys.plan.context import Context

_VERSIONED = frozenset({"type", "import", "wrong_import", "missing_dependency", "bad_pin", "install"})
"""Kinds of faults that may hang on the release of a package."""


def installed_text(context: Context, plan: Plan, current: Round) -> str:
    """Return what a round had installed, as one line, where a fault may hang on it: all of it or what was asked for."""
    file = context.ws.run.round(current.number) / "packages.json"
    kinds = {row.kind for row in current.verdict.diagnostics}
    if not file.is_file() or kinds.isdisjoint(_VERSIONED):
        return ""
    packages = json.loads(file.read_text(encoding="utf-8"))
    asked = {row.name.lower().replace("_", "-") for row in plan.dependencies} if kinds <= {"type", "test"} else None
    rows = [row for row in packages if asked is None or row["name"].lower().replace("_", "-") in asked]
    return "\ninstalled: " + ", ".join(f"{row['name']} {row['version']}" for row in rows[:60])


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
        said = f"{item.diagnosis.owner}: {item.diagnosis.cause[:400]}{_remedy(item.diagnosis)}"
        lines.append(f"- round {item.number}, {said} Result: {result}.")
    return "\n".join(lines)


def _remedy(diagnosis: Diagnosis) -> str:
    return f" Remedy: {diagnosis.remedy[:200]}." if diagnosis.remedy else ""


def tried_text(attempts: Sequence[Diagnosis]) -> str:
    """Return what was tried at one root cause without success, and what was named beside it, the cheapest first."""
    if not attempts:
        return ""
    lines = [f"- round {row.round}, {row.owner}: {row.remedy or row.cause[:300]}" for row in attempts]
    named = [f"- {words}" for words in attempts[-1].alternatives]
    more = ["Named as alternatives then, in order of cost; the first that fits what is seen now comes next:", *named]
    return "\n".join([*lines, *(more if named else ())])


def change_of(owner: Owner, instructions: Iterable[FileInstruction], patch: Patch | None) -> str:
    """Return a hash of a remedy: of the lines that a patch changes, or of who is told to do what to which file."""
    if patch is None:
        return sha256_bytes(
            "\0".join([owner, *sorted(f"{row.path}\0{letters(row.instruction)}" for row in instructions)])
        )
    lines = [line.strip() for line in patch.diff().splitlines() if line[:1] in "+-"]
    return sha256_bytes("\n".join(lines))
