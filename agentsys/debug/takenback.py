"""The repair that was taken back: most of it may have been right, so a debugger may build on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentsys.core.artifacts import Diagnostic
from agentsys.core.rounds import Round
from agentsys.core.tree import is_source
from agentsys.debug.edits import Change, Patch
from agentsys.plan.context import Context

LONGEST = 24_000
"""Characters of a difference that is shown; of a longer one there is too much to build on unseen."""


@dataclass(frozen=True)
class TakenBack:
    """What a repair changed, and what was found with it."""

    diff: str
    found: tuple[Diagnostic, ...]
    changes: Mapping[str, Change]
    """Path to the file as it is, and as it was with the repair."""


def taken_back(context: Context, last: Round) -> TakenBack | None:
    """Return the repair that the last round judged, if it was taken back and can be shown whole.

    One that changed the plan is none: the plan was put back too.
    """
    commit = context.rounds.commit_of(last.number)
    if not last.rolled_back or not commit or _changed_plan(context, last.number):
        return None
    now, then = context.git.files(), context.git.files(commit)
    changed = sorted(path for path in now.keys() | then.keys() if is_source(path) and now.get(path) != then.get(path))
    try:
        changes = {path: Change(_text(now, path), _text(then, path)) for path in changed}
    except UnicodeDecodeError:
        return None
    diff = Patch(context.ws.run.repo, changes).diff()
    if not changes or len(diff) > LONGEST:
        return None
    return TakenBack(diff, last.verdict.diagnostics, changes)


def _text(files: Mapping[str, bytes], path: str) -> str | None:
    return files[path].decode() if path in files else None


def _changed_plan(context: Context, number: int) -> bool:
    return (context.ws.run.round(number - 1) / "plan_before.json").is_file()
