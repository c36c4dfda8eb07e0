"""What earlier rounds tried, which files a fault concerns, and the return to the best state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from itertools import pairwise

from agentsys.core.artifacts import Diagnostic, FileSpec, Plan
from agentsys.core.files import write_atomic
from agentsys.core.rounds import Round
from agentsys.core.tree import is_source, read_tree
from agentsys.plan.context import Context
from agentsys.plan.files import save_plan
from agentsys.plan.generated import generated_files

FILES_NARROW = 6
FILES_WIDE = 10


def settle(context: Context, *, final: bool = False) -> bool:
    """Put the repository back to its best verified state if the last round left it worse. Return True if it did.

    Args:
        final: nothing follows: also what came out of the last diagnosis is taken back if it is worse.
    """
    last, best = context.rounds.last(), context.rounds.best()
    if last is None or best is None or (not final and (last.rolled_back or last.diagnosis is not None)):
        return False
    if final and context.rounds.of_tree(context.ws.code_tree()) is None:
        return False  # a person's work, which nobody has judged yet
    drop_unfinished(context, last.number)
    current = context.rounds.of_tree(context.ws.code_tree())
    if current is None or (current.verdict.tree != last.verdict.tree and last.diagnosis is None):
        return False
    if current.verdict.tree == best.verdict.tree or current.verdict.score >= best.verdict.score:
        return False
    commit = context.rounds.commit_of(best.number)
    _restore_plan(context, best.number)
    context.git.restore(commit)
    context.rounds.write_rollback(last.number, commit, f"round {best.number} was better")
    context.events.emit("round.finished", stage="debug", round=last.number, rolled_back_to=best.number)
    return True


def drop_unfinished(context: Context, number: int) -> None:
    """Take back what a killed process left half done. It may be a person's work: it is kept as `discarded.diff`."""
    now = read_tree(context.ws.run.repo)
    before = {path: data for path, data in context.git.files().items() if is_source(path)}
    lines: list[str] = []
    for path in sorted(path for path in now.keys() | before.keys() if now.get(path) != before.get(path)):
        old, new = (tree.get(path, b"").decode("utf-8", "replace").splitlines() for tree in (before, now))
        lines += unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="")
    if lines:
        write_atomic(context.ws.run.round(number) / "discarded.diff", "\n".join(lines) + "\n")
    context.git.discard()


def _restore_plan(context: Context, best: int) -> None:
    """Put back the plan that the best round was written by, with the analyses and marks that belong to it."""
    ws = context.ws
    for item in context.rounds.all()[best - 1 :]:
        file = ws.run.round(item.number) / "plan_before.json"
        if not file.is_file():
            continue
        plan = Plan.model_validate_json(file.read_bytes())
        save_plan(ws.run.plan, plan)
        marks = {f"analysis/{spec.path}": ws.analysis_inputs(plan, spec) for spec in plan.files}
        marks |= {f"repo/{spec.path}": ws.code_inputs(plan, spec) for spec in plan.files}
        ws.mark(marks)
        for path, text in generated_files(plan).items():
            ws.mark_generated(path, text)
        return


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
