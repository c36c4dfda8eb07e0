"""What a debugger may ask for before it decides, and which remedies are the same."""

from __future__ import annotations

import pytest

from agentsys.core.artifacts import Diagnosis, FileInstruction
from agentsys.debug.debugger import DiagnosisAnswer, Finding, look_of, untried
from agentsys.debug.history import change_of, tried_text
from agentsys.debug.looking import Look, check_look, files_shown, not_defined
from agentsys.llm.client import AnswerError

CODE = "class A:\n    def fit(self):\n        return 1\n\n\ndef run():\n    return 2\n"
FILES = {"pkg/a.py": CODE, "b.yaml": "run: 1\n"}
LOGS = {"run.log": 400}


@pytest.mark.parametrize(
    ("look", "said"),
    [
        ({}, "asks for nothing"),
        ({"files": ["pkg/b.py:f"]}, "no file `pkg/b.py:f`"),
        ({"logs": [{"name": "../../secret"}]}, "no log"),
        ({"experiment": "def broken("}, "the experiment"),
    ],
)
def test_what_is_not_there_or_no_program_is_asked_again(look: dict[str, object], said: str) -> None:
    with pytest.raises(AnswerError, match=said):
        check_look(Look.model_validate(look), FILES, LOGS)


@pytest.mark.parametrize("name", ["pkg/a.py", "pkg/a.py:A.fit", "pkg/a.py:A", "pkg/a.py:run", "b.yaml:run", "c.py:x"])
def test_of_what_can_be_shown_nothing_is_said(name: str) -> None:
    assert not_defined([name], FILES) == []


def test_where_a_file_has_no_such_definition_it_is_said_what_it_has() -> None:
    method, other = not_defined(["pkg/a.py:fit", "pkg/a.py:stop"], FILES)
    assert method.endswith("no definition `fit` to show by itself; it has A.fit")
    assert other.endswith("it has A, A.fit, run")


def test_a_function_that_is_asked_for_comes_with_the_imports_of_its_file() -> None:
    imports = "import numpy as np\nfrom pkg.other import something_of_a_long_name_that_is_worth_a_line\n\n\n"
    (shown,) = files_shown({"pkg/a.py": imports + CODE}, ["pkg/a.py:run"]).values()
    assert shown.startswith(imports) and "return 2" in shown


def test_a_question_that_asks_too_much_is_told_so_and_not_taken_for_a_diagnosis() -> None:
    names = ", ".join(f'"pkg/{number}.py"' for number in range(13))
    with pytest.raises(AnswerError, match=r"look\.files.*12"):
        look_of(f'```json\n{{"look": {{"files": [{names}]}}}}\n```')


def test_a_question_is_told_from_a_diagnosis() -> None:
    look = look_of('```json\n{"look": {"files": ["pkg/a.py"], "experiment": "print(1)"}}\n```')
    assert look == Look(files=("pkg/a.py",), experiment="print(1)")
    assert look_of('```json\n{"cause": "c", "owner": "debugger"}\n```') is None


def told(words: str) -> DiagnosisAnswer:
    rows = (FileInstruction(path="pkg/a.py", instruction=words),)
    return DiagnosisAnswer(cause="the step", owner="coder", instructions=rows)


def tried(words: str) -> Diagnosis:
    answer = told(words)
    change = change_of("coder", answer.instructions, None)
    return Diagnosis(round=1, cause="the step", owner="coder", change=change, alternatives=("planner: another file",))


def test_the_same_remedy_again_is_refused_and_the_alternatives_are_named() -> None:
    with pytest.raises(AnswerError, match=r"tried in round 1.*planner: another file"):
        untried(Finding(told("Count from one."), None), [tried("count  from ONE")])


def test_another_remedy_of_the_same_owner_at_the_same_cause_is_taken() -> None:
    finding = Finding(told("divide by n"), None)
    assert untried(finding, [tried("count from one")]) is finding


def test_what_was_tried_is_told_with_what_comes_next() -> None:
    text = tried_text([tried("count from one")])
    assert "round 1, coder: the step" in text and text.endswith("- planner: another file")
