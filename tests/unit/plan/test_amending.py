"""A design with a fault is put right by the files concerned, and not written again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsys.llm.client import AnswerError
from agentsys.plan.amending import MAX_ROWS, Designing
from agentsys.plan.answers import DesignAnswer


def row(path: str, **fields: object) -> dict[str, object]:
    return {"path": path, "purpose": "p", "interface": "def f() -> int", "requirements": {"R1": ["f"]}, **fields}


FILES = [row("pkg/a.py"), row("pkg/b.py", interface="class B:\n    x: int", requirements={})]
WHOLE: dict[str, Any] = {"package": "pkg", "architecture": "two files", "files": FILES}


def text(answer: object) -> str:
    return f"```json\n{json.dumps(answer)}\n```"


def designing(*faults: list[str]) -> Designing:
    told = list(faults)
    return Designing(lambda _: told.pop(0) if told else [])


def test_a_sound_design_is_taken_at_once() -> None:
    assert [spec.path for spec in designing().read(text(WHOLE)).files] == ["pkg/a.py", "pkg/b.py"]


def test_what_is_named_again_takes_its_place_and_the_rest_stands() -> None:
    reader = designing(["`pkg/b.py` has no owner"])
    with pytest.raises(AnswerError, match="no owner") as error:
        reader.read(text(WHOLE))
    again = error.value.again
    assert '"path": "pkg/b.py"' in again and '"path": "pkg/a.py"' not in again and "- `pkg/a.py`: R1" in again
    assert "path" not in str(error.value), "what is told to the user is the fault alone"
    assert "All else stands as you gave it" in error.value.again
    design = reader.read(text({"files": [row("pkg/b.py", purpose="new"), row("pkg/c.py")]}))
    assert [(spec.path, spec.purpose) for spec in design.files] == [
        ("pkg/a.py", "p"),
        ("pkg/b.py", "new"),
        ("pkg/c.py", "p"),
    ]
    assert (design.package, design.architecture) == ("pkg", "two files")


def test_a_file_can_be_dropped_and_a_whole_answer_is_taken_too() -> None:
    reader = designing(["wrong"], ["wrong again"])
    for answer in (WHOLE, {"drop": ["pkg/b.py"]}):
        with pytest.raises(AnswerError):
            reader.read(text(answer))
    design = reader.read(text({**WHOLE, "package": "other", "files": [row("other/a.py"), row("other/b.py")]}))
    assert [spec.path for spec in design.files] == ["other/a.py", "other/b.py"] and design.package == "other"


@pytest.mark.parametrize("answer", ["no JSON at all", '```json\n{"files": 3}\n```'])
def test_after_an_answer_in_between_that_cannot_be_read_the_design_stands(answer: str) -> None:
    reader = designing(["wrong"])
    with pytest.raises(AnswerError):
        reader.read(text(WHOLE))
    with pytest.raises(AnswerError) as error:
        reader.read(answer)
    assert "All else stands" in error.value.again
    assert len(reader.read(text({"files": [row("pkg/c.py")]})).files) == 3


def test_an_answer_that_could_not_be_read_is_asked_for_whole() -> None:
    reader = designing()
    for answer in ({"files": FILES}, {"files": FILES}):
        with pytest.raises(AnswerError) as error:
            reader.read(text(answer))
        assert not error.value.again
    assert reader.read(text(WHOLE)).package == "pkg"


def test_a_change_that_leaves_no_file_is_refused_and_the_design_stands() -> None:
    reader = designing(["wrong"])
    with pytest.raises(AnswerError):
        reader.read(text(WHOLE))
    with pytest.raises(AnswerError, match="no file is left"):
        reader.read(text({"drop": ["pkg/a.py", "pkg/b.py"]}))
    assert len(reader.read(text({"files": [row("pkg/a.py")]})).files) == 2


def test_rows_that_are_too_many_are_not_shown_again() -> None:
    large = [row(f"pkg/{name}.py", interface="x" * (MAX_ROWS // 2)) for name in "abcd"]
    with pytest.raises(AnswerError) as error:
        designing([f"`pkg/{name}.py` is wrong" for name in "abcd"]).read(text({**WHOLE, "files": large}))
    assert error.value.again.count('"path"') == 1 and len(error.value.again) < 2 * MAX_ROWS


def test_the_requirements_of_a_row_are_shown_as_they_are_asked_for() -> None:
    with pytest.raises(AnswerError) as error:
        designing(["`pkg/a.py`: wrong"]).read(text(WHOLE))
    shown = json.loads(error.value.again.partition("```json\n")[2].partition("\n```")[0])
    again = DesignAnswer.model_validate({**WHOLE, "files": shown})
    assert again.files[0].symbols == {"R1": ("f",)}
