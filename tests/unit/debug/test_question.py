"""How the debugger's question is built: what no round changes stands first, what it looked at last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import Check, Diagnostic, Plan, Verdict
from agentsys.core.errors import NoUsableAnswer
from agentsys.core.events import EventLog
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rounds import Rounds
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.debug.debugger import Debugger, concerned
from agentsys.llm.types import Prompt
from agentsys.paper import read_paper, write_paper
from agentsys.plan.context import Context
from agentsys.plan.workspace import Workspace
from agentsys.verify.checks.table import demanded
from unit.verify.tiny import FAILING_TEST, PLAN, write_repo

LOOK = {"look": {"files": ["tiny/model.py:mean"]}}


class Asked:
    """Answers by question; where it has no answer it gives up, as the model layer does in the end."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        self.answers = answers
        self.prompts: dict[str, Prompt] = {}

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Any) -> Any:
        self.prompts[item] = prompt
        if item not in self.answers:
            raise NoUsableAnswer("no usable answer", "")
        return parse(f"```json\n{json.dumps(self.answers[item])}\n```")


async def questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, answers: Mapping[str, object]
) -> dict[str, Prompt]:
    """What the debugger asks about a tree of which one test fails."""
    run = RunDir(tmp_path / "run")
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "paper.md").write_text("# Means\n\n## 1 Method\n\nThe mean is the sum divided by the count.\n")
    write_paper(read_paper(tmp_path / "paper.md"), run.paper)
    write_repo(run.repo, FAILING_TEST)
    ws, git, rounds = Workspace(run, Settings(), EventLog(None, "x")), GitRepo(run.repo), Rounds(run)
    monkeypatch.setattr(ws, "require_plan", lambda: PLAN)
    git.init()
    git.commit("First version")
    row = Diagnostic(kind="test", check="pytest", message=message, path="tests/test_model.py", line=5)
    checks = tuple(Check(name=name, state="failed" if name == "pytest" else "passed") for name in demanded())
    verdict = Verdict(round=1, tree=ws.code_tree(), checks=checks, demanded=demanded(), diagnostics=(row,))
    rounds.write_verdict(verdict)
    model = Asked(answers)
    context = Context(ws, rounds, model, git, None, None, None, None)  # type: ignore[arg-type]
    await Debugger(context).act("debug")
    return model.prompts


def texts(prompt: Prompt) -> list[str]:
    return [part.text for part in (*prompt.prefix, *prompt.body)]


async def test_what_no_fault_changes_stands_before_the_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = (await questions(tmp_path / "a", monkeypatch, "AssertionError: one", {}))["round-01"]
    second = (await questions(tmp_path / "b", monkeypatch, "AssertionError: two", {}))["round-01"]
    assert [part.name for part in first.prefix] == ["rules", "plan", "how-debug"] and first.prefix == second.prefix
    [task] = first.body
    assert "AssertionError: one" in task.text and "tests/test_model.py" in task.text
    assert "How a fault is found" in first.prefix[-1].text and len(first.prefix[-1].text) > 2000


async def test_what_was_looked_at_is_added_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = await questions(tmp_path, monkeypatch, "AssertionError: no", {"round-01": LOOK})
    assert list(asked) == ["round-01", "round-01-look-1"]
    first, then = asked.values()
    assert texts(then)[: len(texts(first))] == texts(first)
    assert [part.name for part in then.body[1:]] == ["asked-1", "shown-1"]
    assert "return sum(x) / (len(x) + 1)" in then.body[-1].text


def test_of_a_runs_faults_the_experiments_concerned_are_told_and_all_where_none_is_named() -> None:
    there = ("mnist", "bandit", "curve")
    wanted = {"id": "E1", "experiment": "bandit", "metric": "m", "value": 1.0, "place": {"section": "5"}}
    data = PLAN.model_dump() | {
        "experiments": [{"name": name, "what": "w", "full": "f", "smoke": "s"} for name in there],
        "expected": [wanted | {"result_key": "regret_ratio"}],
    }
    plan = Plan.model_validate(data)
    key = Diagnostic(kind="result", check="dependence", message="`regret_ratio` = 1 stays", symbol="regret_ratio")
    sign = Diagnostic(kind="health", check="results", message="got worse", symbol="mnist: cost")
    crash = Diagnostic(kind="runtime", check="smoke", message="KeyError: 'x'")
    test = Diagnostic(kind="test", check="pytest", message="regret_ratio")
    names = [[item.name for item in concerned(plan, rows)] for rows in ([key], [sign, key], [crash], [test])]
    assert names == [["bandit"], ["bandit", "mnist"], ["mnist", "bandit", "curve"], []]
