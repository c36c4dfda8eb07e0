"""A design with a fault need not be written again: only the files concerned are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from pydantic import Field

from agentsys.core.artifacts import Dependency, FileSpec
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.plan.answers import Answer, DesignAnswer, clean_design

MOST = 20
"""Problems that are told at once."""
WHOLE = 0.6
"""Share of the files from which on an answer is taken for a whole design, and not for a change of one."""
MAX_ROWS = 24_000
"""Characters of the rows that are shown again."""
AGAIN = (
    "All else stands as you gave it. Answer with one JSON object in a ```json fence: in `files` those alone that "
    "change or are new, each whole; in `drop` the paths that go; `package`, `architecture` and `dependencies` only "
    "where they change."
)


class DesignChange(Answer):
    """What changes in a design."""

    package: str = Field(default="", pattern=r"^([a-z][a-z0-9_]*)?$")
    architecture: str = ""
    files: tuple[FileSpec, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    drop: tuple[str, ...] = ()


class Designing:
    """Reads the answers to one question for a design; an answer after the first may be a change of the one before."""

    def __init__(self, problems: Callable[[DesignAnswer], list[str]]) -> None:
        self._problems = problems
        self._last: DesignAnswer | None = None

    def read(self, text: str) -> DesignAnswer:
        """Return a design without problems.

        Raises: AnswerError, which names the problems and shows the rows of the files that they name.
        """
        self._last = design = clean_design(self._given(text))
        try:
            found = self._problems(design)
        except RecursionError as error:
            self._last = None
            raise AnswerError("the answer is nested too deeply") from error
        if found:
            told = "\n" + "\n".join(f"- {problem}" for problem in found[:MOST])
            raise AnswerError(told, again=f"{_rows(found[:MOST], design.files)}{AGAIN}")
        return design

    def _given(self, text: str) -> DesignAnswer:
        """Return the design that an answer gives or changes; one that has about as many files is a whole one."""
        last = self._last
        if last is None:
            return extract_json(text, DesignAnswer)
        try:
            change = extract_json(text, DesignChange)
        except AnswerError as error:
            raise AnswerError(str(error), again=AGAIN) from error
        whole = bool(change.package and change.architecture) and not change.drop
        if whole and len(change.files) > WHOLE * len(last.files):
            return extract_json(text, DesignAnswer)
        return _changed(last, change)


def _changed(design: DesignAnswer, change: DesignChange) -> DesignAnswer:
    kept = [spec for spec in design.files if spec.path not in change.drop]
    files = {spec.path: spec for spec in (*kept, *change.files)}
    if not files:
        raise AnswerError("no file is left.", again=AGAIN)
    return design.model_copy(
        update={
            "package": change.package or design.package,
            "architecture": change.architecture or design.architecture,
            "files": tuple(files.values()),
            "dependencies": change.dependencies or design.dependencies,
        }
    )


def _rows(problems: Sequence[str], files: Sequence[FileSpec]) -> str:
    """Return the files that the problems name, as they were given; those that are too many are left out."""
    named = {name for problem in problems for name in re.findall(r"`([^`\s]+)`", problem)}
    rows: list[dict[str, object]] = []
    for spec in files:
        row = spec.model_dump(mode="json", exclude={"symbols"})
        row["requirements"] = {rid: list(spec.symbols.get(rid, ())) for rid in spec.requirements}
        if spec.path in named and len(json.dumps([*rows, row])) <= MAX_ROWS:
            rows.append(row)
    every = "\n".join(f"- `{spec.path}`: {', '.join(spec.requirements) or 'no requirement'}" for spec in files)
    shown = f"As they stand:\n\n```json\n{json.dumps(rows, ensure_ascii=False)}\n```\n\n" if rows else ""
    return f"The files, with what they carry:\n\n{every}\n\n{shown}"
