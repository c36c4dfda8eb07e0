"""What a second look at a file asks again: whatever a change can have touched, and nothing else."""

from __future__ import annotations

import pytest

from agentsys.core.artifacts import Met, Review, ReviewFinding
from agentsys.verify.fidelity.second_look import SecondLook, second_look

PATH = "pkg/fit.py"
CODE = """\
import math

RATE = 0.1


def scale(x: float) -> float:
    return x / 2


def loss(x: float) -> float:
    return scale(x) ** 2


class Fit:
    steps: int = 3

    def run(self) -> float:
        return loss(1.0) * self.steps

    def stop(self) -> int:
        return 7


def other() -> float:
    return math.pi
"""
LINES = {"R1": "return scale(x) ** 2", "R2": "return 7", "R3": "return math.pi", "R4": "steps: int = 3"}


def met(requirement: str, path: str = PATH) -> Met:
    code = LINES[requirement]
    line = next(number for number, text in enumerate(CODE.splitlines(), 1) if code in text)
    return Met(path=path, requirement=requirement, line=line, code=code)


def looked(now: str, *findings: str, rows: tuple[Met, ...] | None = None, files: tuple[str, ...] = (PATH,)):
    found = tuple(
        ReviewFinding(path=PATH, requirement=name, severity="doubt", paper="", code="", what="w") for name in findings
    )
    kept = tuple(map(met, LINES)) if rows is None else rows
    last = Review(number=1, tree="t", files=files, findings=found, met=kept)
    return second_look(PATH, CODE, now, tuple(LINES), last)


def asked(now: str, *findings: str) -> set[str]:
    look = looked(now, *findings)
    assert isinstance(look, SecondLook)
    assert {row.requirement for row in look.standing} == LINES.keys() - set(look.ids)
    return set(look.ids)


def test_what_uses_a_changed_function_is_asked_again_and_what_does_not_stands() -> None:
    assert asked(CODE.replace("x / 2", "x / 3")) == {"R1"}
    assert asked(CODE.replace("return 7", "return 8")) == {"R2"}
    assert asked(CODE.replace("steps: int = 3", "steps: int = 4")) == {"R4"}
    assert asked(CODE.replace("def other", "def extra() -> int:\n    return 1\n\n\ndef other"), "R2") == {"R2"}


def test_what_is_shown_whole_is_what_changed_what_uses_it_and_where_the_requirements_were_met() -> None:
    look = looked(CODE.replace("x / 2", "x / 3"), "R3")
    assert look is not None and set(look.names) == {"scale", "loss", "Fit.run", "other"}


def test_what_was_doubted_before_is_asked_again() -> None:
    assert asked(CODE.replace("return 7", "return 8"), "R3") == {"R2", "R3"}


def test_comments_imports_and_places_change_nothing() -> None:
    moved = CODE.replace("import math\n", "import math\nimport os\n\n# one comment\n")
    assert asked(moved, "R1") == {"R1"}


@pytest.mark.parametrize(
    "now",
    [
        CODE.replace("RATE = 0.1", "RATE = 0.2"),
        CODE.replace("return scale", "return (scale"),
        CODE,
        CODE.replace("x / 2", "x / 3").replace("return 7", "return 8").replace("math.pi", "1.0").replace("= 3", "= 4"),
    ],
)
def test_all_is_asked_where_constants_changed_nothing_did_or_everything(now: str) -> None:
    assert looked(now) is None


def test_all_is_asked_of_a_file_that_the_last_review_did_not_see() -> None:
    assert looked(CODE.replace("x / 2", "x / 3"), files=()) is None


def test_what_was_met_in_another_file_or_nowhere_is_asked_again() -> None:
    rows = (met("R2", "pkg/else.py"), met("R3"), met("R4"))
    look = looked(CODE.replace("def other", "def extra() -> int:\n    return 1\n\n\ndef other"), rows=rows)
    assert look is not None and set(look.ids) == {"R1", "R2"}
