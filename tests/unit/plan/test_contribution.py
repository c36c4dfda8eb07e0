"""What the paper contributes is in the ledger, or the plan says that it is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agentsys.core.errors import PrerequisiteError
from agentsys.llm.client import AnswerError
from agentsys.llm.types import Part, Prompt
from agentsys.paper import read_paper
from agentsys.paper.model import Paper
from agentsys.plan.answers import RequirementsAnswer
from agentsys.plan.context import Context
from agentsys.plan.contribution import compared, contribution_problems, left_out
from agentsys.plan.rules import requirements_problems

WORDS = "a regression control variate"
TEXT = f"""# Antithetic Pairs and a Control Variate

## Abstract

We compare plain Monte Carlo with antithetic pairs and with {WORDS}. Both reduce the spread.

## 1 Results

Table 1: Spread of the estimates.

| estimator | spread |
| --- | --- |
| plain | 0.06 |
| antithetic | 0.01 |
| control | 0.008 |
| quasi-random | 0.002 |
"""


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    (tmp_path / "paper.md").write_text(TEXT)
    return read_paper(tmp_path / "paper.md")


def ledger(*what: str, contributions: object = (), kind: str = "algorithm") -> RequirementsAnswer:
    places = {"section": "1"}
    rows = [{"id": f"R{n}", "what": text, "kind": kind, "place": places} for n, text in enumerate(what, 1)]
    return RequirementsAnswer.model_validate({"requirements": rows, "contributions": contributions})


FULL = ("Plain Monte Carlo", "Antithetic pairs", "The regression control variate")


def test_a_method_that_abstract_and_results_name_and_no_requirement_has_is_left_out(paper: Paper) -> None:
    assert left_out(paper, ledger(*FULL[:2]).requirements, []) == ["control"]
    assert left_out(paper, ledger(*FULL).requirements, []) == []


def test_a_row_that_the_abstract_does_not_name_is_a_comparison_and_may_be_missing(paper: Paper) -> None:
    assert "quasi-random" not in left_out(paper, ledger(*FULL[:2]).requirements, [])


@pytest.mark.parametrize(
    ("contributions", "said"),
    [
        ([{"words": WORDS, "requirements": ["R3"]}], ""),
        ([{"words": "a new sampler that we invented", "requirements": ["R3"]}], "do not stand in the paper"),
        ([{"words": WORDS, "requirements": ["R9"]}], "names R9, which the ledger does not have"),
    ],
)
def test_the_planner_names_the_contribution_in_the_papers_words(paper: Paper, contributions: object, said: str) -> None:
    problems = contribution_problems(paper, ledger(*FULL, contributions=contributions))
    assert bool(problems) is bool(said)
    assert all(said in problem for problem in problems)


def test_a_contribution_that_only_settings_or_data_carry_is_asked_for_again(paper: Paper) -> None:
    answer = ledger(*FULL, contributions=[{"words": WORDS, "requirements": ["R3"]}], kind="data")
    assert "carries the contribution" in contribution_problems(paper, answer)[0]
    assert "what does the paper's method do" in requirements_problems(answer)[0]


def context(paper: Paper, answer: object, *, replay: bool = False) -> tuple[Context, list[str]]:
    warned: list[str] = []

    class Model:
        async def ask(self, role: str, item: str, prompt: Prompt, parse: Callable[[str], Any]) -> Any:
            assert (role, item) == ("reviewer", "contribution")
            if answer is None:
                raise PrerequisiteError("no recorded answer")
            return parse(f"```json\n{json.dumps({'contributions': answer})}\n```")

    made = SimpleNamespace(
        ws=SimpleNamespace(paper=paper),
        model=Model(),
        settings=SimpleNamespace(replay=Path("x") if replay else None),
        events=SimpleNamespace(emit=lambda name, **data: warned.append(data["message"])),
        rules=lambda: Part("rules", "r"),
        paper=lambda: (Part("paper", "p"),),
    )
    return cast("Context", made), warned


async def test_what_another_role_finds_in_no_requirement_is_left_out_though_the_planner_says_otherwise(
    paper: Paper,
) -> None:
    mine = ledger(*FULL, contributions=[{"words": WORDS, "requirements": ["R1"]}])
    given, _ = context(paper, [{"words": WORDS, "requirements": []}])
    assert (await compared(given, mine, [], "contribution")).left_out == (WORDS,)


async def test_both_roles_requirements_are_central(paper: Paper) -> None:
    mine = ledger(*FULL, contributions=[{"words": WORDS, "requirements": ["R3"]}])
    given, _ = context(paper, [{"words": "antithetic pairs", "requirements": ["R2"]}])
    seen = await compared(given, mine, [], "contribution")
    assert (seen.central, seen.left_out) == (("R3", "R2"), ())


async def test_a_second_look_that_invents_words_is_asked_again(paper: Paper) -> None:
    given, _ = context(paper, [{"words": "nobody said this", "requirements": ["R2"]}])
    with pytest.raises(AnswerError, match="do not stand in the paper"):
        await compared(given, ledger(*FULL), [], "contribution")


async def test_only_a_replay_goes_on_without_the_second_look_and_says_so(paper: Paper) -> None:
    given, warned = context(paper, None, replay=True)
    assert (await compared(given, ledger(*FULL[:2]), [], "contribution")).left_out == ("control",)
    assert "only its names were compared" in warned[0]
    live, _ = context(paper, None)
    with pytest.raises(PrerequisiteError):
        await compared(live, ledger(*FULL), [], "contribution")


async def test_a_quotation_may_leave_the_markup_out_and_what_is_missing_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text(TEXT.replace(WORDS, r"a \emph{regression} control variate"))
    given, _ = context(
        read_paper(tmp_path / "p.md"), [{"words": WORDS, "requirements": [], "missing": "the coefficient"}]
    )
    seen = await compared(given, ledger(*FULL), [], "contribution")
    assert seen.left_out == (f"{WORDS} (the coefficient)",)
    assert seen.contributions == {WORDS: ()}
