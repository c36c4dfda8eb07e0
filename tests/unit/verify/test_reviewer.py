"""The reviewer's table: a requirement is met by a line and words that are there, or differs; silence is no answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import Check, FileSpec, Verdict
from agentsys.core.errors import NoUsableAnswer
from agentsys.core.events import EventLog
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rounds import Rounds
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.llm.client import AnswerError
from agentsys.llm.types import Prompt
from agentsys.paper import read_paper, write_paper
from agentsys.plan.context import Context
from agentsys.plan.workspace import Workspace
from agentsys.verify.checks.table import demanded
from agentsys.verify.reviewer import Reviewer
from unit.verify.tiny import GREEN, PLAN, write_repo

ROW = {"requirement": "R1", "state": "met", "paper": "the sum divided by the count", "code": "return sum(x) / len(x)"}


class Asked:
    """Gives its answers one after the other, as the model layer does with feedback between them."""

    def __init__(self, *answers: object) -> None:
        self.answers = [json.dumps(answer) for answer in answers]
        self.faults: list[str] = []
        self.prompts: dict[str, Prompt] = {}

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Any) -> Any:
        self.prompts[item] = prompt
        for answer in self.answers:
            try:
                return parse(f"```json\n{answer}\n```")
            except AnswerError as error:
                self.faults.append(str(error))
        raise NoUsableAnswer("no usable answer", "")


def reviewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Asked, *more: FileSpec) -> tuple[Reviewer, Rounds]:
    run = RunDir(tmp_path / "run")
    (tmp_path / "paper.md").write_text("# Means\n\n## 1 Method\n\nThe mean is the sum divided by the count.\n")
    write_paper(read_paper(tmp_path / "paper.md"), run.paper)
    owner, *others = PLAN.files
    carrying = owner.model_copy(update={"requirements": ("R1",)})
    plan = PLAN.model_copy(update={"files": (carrying, *more, *others)})
    write_repo(run.repo, GREEN)
    ws, git, rounds = Workspace(run, Settings(), EventLog(None, "x")), GitRepo(run.repo), Rounds(run)
    monkeypatch.setattr(ws, "require_plan", lambda: plan)
    git.init()
    git.commit("First version")
    checks = tuple(Check(name=name, state="passed") for name in demanded())
    rounds.write_verdict(Verdict(round=1, tree=ws.code_tree(), checks=checks, demanded=demanded()))
    return Reviewer(Context(ws, rounds, model, git, None, None, None, None)), rounds  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [[], [{**ROW, "about": "check"}]])
async def test_a_table_that_says_nothing_of_a_requirement_is_refused_and_reviews_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[object]
) -> None:
    model = Asked({"rows": rows}, {"rows": rows}, {"findings": []})
    agent, rounds = reviewer(tmp_path, monkeypatch, model)
    with pytest.raises(NoUsableAnswer):
        await agent.act("review")
    assert "says nothing about R1" in model.faults[0] and len(model.faults) == 3 and not rounds.reviews()


async def test_after_a_refusal_a_whole_table_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, rounds = reviewer(tmp_path, monkeypatch, Asked({"rows": []}, {"rows": [ROW]}))
    assert await agent.act("review") == "1 files beside the paper: 0 findings to repair, 0 doubts"
    [met] = rounds.reviews()[1].met
    assert (met.requirement, met.line) == ("R1", 2)


@pytest.mark.parametrize(
    "changed", [{"code": "return sum(x) / 2"}, {"paper": "the median of the numbers"}, {"code": ""}]
)
async def test_what_is_met_by_a_line_or_words_that_are_not_there_is_a_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str]
) -> None:
    agent, rounds = reviewer(tmp_path, monkeypatch, Asked({"rows": [ROW | changed]}))
    await agent.act("review")
    [finding] = rounds.reviews()[1].findings
    assert finding.severity == "doubt" and not rounds.reviews()[1].met


MEASURES = FileSpec(path="tiny/run.py", purpose="runs it", requirements=("R1",), symbols={"R1": ("result:mean",)})


async def test_the_script_is_shown_with_the_file_that_measures_and_with_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Asked({"rows": [ROW]})
    agent, _ = reviewer(tmp_path, monkeypatch, model, MEASURES)
    await agent.act("review")
    assert sorted(model.prompts) == ["tiny/model.py", "tiny/run.py"]
    texts = {
        item: "".join(part.text for part in (*prompt.prefix, *prompt.body)) for item, prompt in model.prompts.items()
    }
    with_script = [item for item, text in texts.items() if GREEN["reproduce.sh"] in text]
    assert with_script == ["tiny/run.py"]


async def test_what_every_question_of_a_review_says_stands_before_the_file_in_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Asked({"rows": [ROW]})
    agent, _ = reviewer(tmp_path, monkeypatch, model, MEASURES)
    await agent.act("review")
    first, second = model.prompts.values()
    assert first.prefix == second.prefix and [part.name for part in first.prefix] == ["rules", "plan", "how"]
    names = [part.name for part in first.body]
    assert names[-2:] == ["file", "task"], names
    assert "# How a file is reviewed" in first.prefix[-1].text and "# How a file is reviewed" not in first.body[-1].text
