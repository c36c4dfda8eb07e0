"""Files of one group are analysed in one question; what is missing in the answer is asked again, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agentsys.analyse.analyzer import Analyzer
from agentsys.core.artifacts import FileSpec
from agentsys.core.errors import NoUsableAnswer, PrerequisiteError
from agentsys.core.settings import Settings
from agentsys.llm.client import AnswerError
from agentsys.llm.types import Part, Prompt
from agentsys.plan.context import Context
from unit.verify.tiny import PLAN as TINY

A, B, C = (FileSpec(path=path, purpose="p", kind="source") for path in ("m/a.py", "m/b.py", "m/c.py"))
PLAN = TINY.model_copy(update={"files": (A, B, C), "requirements": ()})
SAID = {path: f"What {path} does. " * 30 for path in ("m/a.py", "m/b.py", "m/c.py")}
BOTH = "m/a.py+m/b.py"


def written(*paths: str, mark: str = "=== {} ===") -> str:
    return "\n\n".join(f"{mark.format(path)}\n\n{SAID[path]}" for path in paths)


class Model:
    """Answers by item; several answers of one item are tries."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.faults: list[tuple[str, str]] = []

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Callable[[str], Any]) -> Any:
        self.asked.append(item)
        if item not in self.answers:
            raise PrerequisiteError(f"no recorded answer for {item}")
        for answer in self.answers[item]:
            try:
                return parse(answer)
            except AnswerError as error:
                self.faults.append((str(error), error.rest))
        raise NoUsableAnswer("none", "take another model")


class Work:
    """Analyses by path, as far as they are kept."""

    def __init__(self, missing: Iterable[FileSpec]) -> None:
        self.missing, self.marks = list(missing), list[set[str]]()

    def mark(self, entries: dict[str, str]) -> None:
        self.marks.append(set(entries))


def analyzer(
    tmp_path: Any, model: Model, missing: Iterable[FileSpec], *, replay: bool = False
) -> tuple[Analyzer, Work]:
    work = Work(missing)
    ws = SimpleNamespace(
        require_plan=lambda: PLAN,
        analyses_missing=lambda plan: work.missing,
        analysis_file=lambda path: tmp_path / f"{path}.md",
        analysis_inputs=lambda plan, spec: "",
        mark=work.mark,
        events=SimpleNamespace(emit=lambda *args, **data: None),
        paper=SimpleNamespace(blocks=lambda: (), sections=()),
        run=SimpleNamespace(paper=tmp_path),
    )
    made = SimpleNamespace(
        ws=ws,
        model=model,
        rounds=SimpleNamespace(handed_to=lambda role: None, item=lambda path: path),
        needs=lambda plan: SimpleNamespace(group=lambda spec: BOTH if spec in (A, B) else spec.path),
        about_file=lambda plan, spec, template, more, **values: Prompt((), (Part("task", "t"),)),
        settings=Settings(model="m", vision="off", replay=tmp_path if replay else None),
    )
    return Analyzer(cast(Context, made)), work


@pytest.mark.parametrize("mark", ["=== {} ===", "## === `{}` ===", "**=== {} ===**"])
async def test_one_answer_holds_the_analyses_of_a_group(tmp_path: Any, mark: str) -> None:
    model = Model({BOTH: [written("m/b.py", "m/a.py", mark=mark)], "m/c.py": [SAID["m/c.py"]]})
    made, work = analyzer(tmp_path, model, [A, B, C])
    await made.act("analyse")
    assert sorted(model.asked) == [BOTH, "m/c.py"]
    assert {path: (tmp_path / f"{path}.md").read_text().strip() for path in SAID} == {
        path: text.strip() for path, text in SAID.items()
    }
    assert {"analysis/m/a.py", "analysis/m/b.py"} in work.marks


async def test_only_what_an_answer_left_out_is_asked_again(tmp_path: Any) -> None:
    model = Model({BOTH: [written("m/a.py"), written("m/b.py")]})
    made, _ = analyzer(tmp_path, model, [A, B])
    await made.act("analyse")
    [(fault, rest)] = model.faults
    assert "m/b.py" in fault and "m/a.py" not in fault and "`m/a.py` are taken" in rest
    assert (tmp_path / "m/b.py.md").read_text().strip() == SAID["m/b.py"].strip()


async def test_a_model_that_cannot_keep_several_apart_is_asked_about_each(tmp_path: Any) -> None:
    model = Model({BOTH: [SAID["m/a.py"]] * 3, "m/a.py": [SAID["m/a.py"]], "m/b.py": [SAID["m/b.py"]]})
    made, _ = analyzer(tmp_path, model, [A, B])
    await made.act("analyse")
    assert model.asked == [BOTH, "m/a.py", "m/b.py"]


async def test_a_recording_with_an_answer_for_each_file_is_replayed(tmp_path: Any) -> None:
    answers = {"m/a.py": [SAID["m/a.py"]], "m/b.py": [SAID["m/b.py"]]}
    made, _ = analyzer(tmp_path, Model(answers), [A, B], replay=True)
    await made.act("analyse")
    assert (tmp_path / "m/a.py.md").is_file() and (tmp_path / "m/b.py.md").is_file()
    live, _ = analyzer(tmp_path, Model(answers), [A, B])
    with pytest.raises(PrerequisiteError):
        await live.act("analyse")
