"""What a debugger may ask for before it decides: files, the middle of a log, a small experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from agentsys.core.artifacts import Plan
from agentsys.core.errors import EditError
from agentsys.core.prompts import render
from agentsys.core.text import cut
from agentsys.core.tree import read_tree
from agentsys.debug.evidence import log_text
from agentsys.debug.excerpts import defined, pack
from agentsys.debug.textcheck import check_text
from agentsys.llm.client import AnswerError
from agentsys.plan.answers import Answer
from agentsys.plan.context import Context
from agentsys.verify.probing import NAME, experiment

LOOKS = 3
"""Times it may ask before it must decide."""
MAX_SHOWN = 16_000
"""Characters of files that one look brings."""
_FILES, _LOGS, _PROGRAM = 12, 4, 8000
_MAX_LINES = 200
_MAX_LOG = 5_000
LIMITS = (
    f"at most {_FILES} files ({MAX_SHOWN:,} characters of them), {_LOGS} parts of logs of {_MAX_LINES} lines each, and "
    f"a program of {_PROGRAM:,} characters"
)
"""What one look may ask for, in words."""
_SUGGESTED = 20
"""Definitions of a file that are named where one was asked for which it does not have."""


class LogPart(Answer):
    """Lines of a log, counted from 1."""

    name: str
    start: int = Field(default=1, ge=1)
    end: int = Field(default=_MAX_LINES, ge=1)


class Look(Answer):
    """What the debugger wants to see."""

    files: tuple[str, ...] = Field(
        default=(), max_length=_FILES, description="`path`, `path:function` or `path:Class.method`"
    )
    logs: tuple[LogPart, ...] = Field(default=(), max_length=_LOGS)
    experiment: str = Field(default="", max_length=_PROGRAM, description="a Python program; its output is shown")


def texts_of(tree: Mapping[str, bytes]) -> dict[str, str]:
    """Return the files of a repository as text."""
    return {path: data.decode("utf-8", "replace") for path, data in tree.items()}


def check_look(look: Look, files: Mapping[str, str], logs: Mapping[str, int]) -> None:
    """Raises: AnswerError for what is not there, or no program."""
    if not (look.files or look.logs or look.experiment.strip()):
        raise AnswerError("`look` asks for nothing: name files, logs or an experiment, or decide")
    if unknown := [name for name in look.files if name.partition(":")[0] not in files]:
        raise AnswerError(f"the repository has no file `{unknown[0]}`")
    if unknown := [row.name for row in look.logs if row.name not in logs]:
        raise AnswerError(f"there is no log `{unknown[0]}`; there are {', '.join(logs)}")
    if look.experiment.strip():
        try:
            check_text(NAME, look.experiment)
        except EditError as error:
            raise AnswerError(f"the experiment: {error.feedback}") from error


def not_defined(names: Sequence[str], files: Mapping[str, str]) -> list[str]:
    """Say of each definition that was asked for and that its file does not have what the file has."""
    said: list[str] = []
    for name in names:
        path, _, wanted = name.partition(":")
        there = defined(files.get(path, "")) if wanted and path.endswith(".py") else []
        if there and wanted not in there:
            near = [each for each in there if each.rpartition(".")[2] == wanted.rpartition(".")[2]] or there
            said.append(
                f"`{path}` has no definition `{wanted}` to show by itself; it has {', '.join(near[:_SUGGESTED])}"
            )
    return said


def files_shown(texts: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Return the files and definitions that were asked for, with the imports of each: what their names stand for."""
    return pack(texts, names, MAX_SHOWN, {name.partition(":")[0] for name in names})


async def looked(context: Context, plan: Plan, folder: Path, number: int, look: Look) -> str:
    """Return what was asked for, as the next part of the conversation.

    Args:
        folder: of the round that executed the tree at hand.
        number: of this look in its round.

    Raises: SandboxUnavailable where an experiment was asked for and no sandbox works.
    """
    texts = texts_of(read_tree(context.ws.run.repo))
    shown = files_shown(texts, look.files)
    for row in look.logs:
        lines = log_text(folder, row.name).splitlines()
        end = min(row.end, row.start + _MAX_LINES - 1, len(lines))
        shown[f"{row.name}, lines {row.start} to {end}"] = cut("\n".join(lines[row.start - 1 : end]), _MAX_LOG)
    if look.experiment.strip():
        shown["output of the experiment"] = await experiment(context, plan, folder, number, look.experiment)
    left = LOOKS - number
    parts = {name: context.quote(text) for name, text in shown.items()}
    missing = [name for name in look.files if name.partition(":")[0] not in shown]
    absent = [context.quote(words) for words in not_defined(look.files, texts)]
    return render("debug/looked", fence=context.fence, shown=parts, missing=missing, absent=absent, left=left)
