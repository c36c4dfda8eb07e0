"""The way back: to the best verified state, and from what a killed process left half done."""

from __future__ import annotations

from difflib import unified_diff

from agentsys.core.artifacts import Plan
from agentsys.core.files import write_atomic
from agentsys.core.tree import read_tree, source_files
from agentsys.plan.context import Context
from agentsys.plan.files import save_plan
from agentsys.plan.generated import generated_files


def restore_best(context: Context, *, final: bool = False) -> bool:
    """Put the repository back to its best verified state if the last round left it worse. Return True if it did.

    Args:
        final: nothing follows: also what came out of the last diagnosis is taken back if it is worse.
    """
    last, best = context.rounds.last(), context.rounds.best()
    if last is None or best is None or (not final and (last.rolled_back or last.diagnosis is not None)):
        return False
    if final and context.rounds.latest_for_tree(context.ws.code_tree()) is None:
        return False  # a person's work, which nobody has judged yet
    discard_unfinished(context, last.number)
    current = context.rounds.latest_for_tree(context.ws.code_tree())
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


def discard_unfinished(context: Context, number: int) -> None:
    """Take back what a killed process left half done. It may be a person's work: it is kept as `discarded.diff`."""
    now = read_tree(context.ws.run.repo)
    before = source_files(context.git.files())
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
