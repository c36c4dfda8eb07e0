"""Five short papers with claims of known truth, each over a small repository: what `benchmarks/claims.py` measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict

from benchmarks.truth_cases import Case, read_files

FOLDER = Path(__file__).resolve().parent


class Known(BaseModel):
    """A claim, its truth, and the verdicts that are right; written down before any answer was recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    truth: Literal["true", "false", "open"]
    """`open`: nobody can tell from what the paper gives."""
    right: tuple[str, ...]
    trap: str


@dataclass(frozen=True)
class Subject:
    """A paper with its repository, as the plan and the files that a model would have written."""

    case: Case
    claims: tuple[Known, ...]
    folder: Path

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def given(self) -> Path:
        """The claims as they are handed in; what is known of them is not read by the program."""
        return self.folder / "claims.yaml"

    @property
    def answers(self) -> Path:
        """The recorded answers on claims."""
        return self.folder / "answers"


def subjects(folder: Path = FOLDER) -> list[Subject]:
    """Read the papers."""
    return [_subject(file.parent) for file in sorted(folder.glob("*/claims.yaml"))]


def _subject(folder: Path) -> Subject:
    plan = cast("dict[str, Any]", yaml.safe_load((folder / "plan.yaml").read_text(encoding="utf-8")))
    pins = folder / "answers" / "environment.txt"
    case = Case(
        folder.name,
        "honest",
        True,
        str(plan["requirements"]["title"]),
        folder / "paper.md",
        plan,
        read_files(folder / "repo"),
        pins.read_text(encoding="utf-8") if pins.is_file() else "",
    )
    rows = yaml.safe_load((folder / "claims.yaml").read_text(encoding="utf-8"))
    return Subject(case, tuple(Known.model_validate(row) for row in rows), folder)
