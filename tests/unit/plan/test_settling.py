"""What is open in a plan is looked for in the whole paper and asked again with what was found, once."""

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
from agentsys.plan.answers import ConfigAnswer, Ledger
from agentsys.plan.claims.passages import Passages
from agentsys.plan.context import Context
from agentsys.plan.reading import read_further
from agentsys.plan.settling import confirmed, ledger_parts, settled

FILLER = "We prove the bound by induction over the steps of the walk and collect the terms. " * 60
TEXT = f"""# Momentum on a Walk

## Abstract

We train a network by momentum.

## 1 Method

The step size of the optimiser is given in the appendix.

## References

[1] A. Author. A paper. 2001.

## Appendix

## A Proofs

{FILLER}

## B Settings

We set the step size of the optimiser to 0.003 in every run and the hidden width of the network to 64.

{FILLER}
"""
UNRESOLVED = {"id": "R1", "what": "step size of the optimiser", "kind": "algorithm", "status": "unresolved"}
LEDGER = Ledger.model_validate(
    {
        "requirements": [UNRESOLVED | {"place": {"section": "1"}}],
        "summary": "It is trained.",
        "experiments": [{"name": "walk", "what": "a walk", "full": "all", "smoke": "few"}],
    }
)
QUOTE = "We set the step size of the optimiser to 0.003 in every run"


class Model:
    """Answers from a list, whatever is asked; what was asked is kept."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Callable[[str], Any]) -> Any:
        self.asked.append((item, prompt.body[-1].text))
        if not self.answers:
            raise PrerequisiteError("no recorded answer")
        return parse(f"```json\n{json.dumps(self.answers.pop(0))}\n```")


def context(folder: Path, model: Model, *, replay: bool = False, text: str = TEXT) -> Context:
    (folder / "paper.md").write_text(text)
    paper = read_paper(folder / "paper.md")
    made = SimpleNamespace(
        ws=SimpleNamespace(paper=paper, run=SimpleNamespace(plan=folder / "plan"), request=""),
        model=model,
        fence="Q1",
        settings=SimpleNamespace(replay=folder if replay else None),
        events=SimpleNamespace(emit=lambda *args, **data: None),
        rules=lambda: Part("rules", "r"),
        paper=lambda: (Part("paper", "p"),),
        quote=lambda text: text,
    )
    return cast(Context, made)


async def test_the_passage_that_answers_an_unresolved_requirement_is_in_the_question(tmp_path: Path) -> None:
    row = UNRESOLVED | {"status": "paper", "what": "the step size is 0.003", "place": {"section": "B", "quote": QUOTE}}
    model = Model({"requirements": [row]})
    found = await settled(context(tmp_path, model), LEDGER)
    assert QUOTE in model.asked[0][1]
    assert [(each.status, each.what) for each in found.requirements] == [("paper", "the step size is 0.003")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "R1 is unresolved"),
        (
            {"requirements": [UNRESOLVED | {"status": "paper", "place": {"section": "B", "quote": "x" * 30}}]},
            "copy them",
        ),
    ],
)
async def test_silence_about_an_open_point_and_invented_words_are_refused(
    tmp_path: Path, answer: object, said: str
) -> None:
    with pytest.raises(AnswerError, match=said):
        await settled(context(tmp_path, Model(answer)), LEDGER)


async def test_a_setting_that_no_passage_about_it_holds_is_asked_about_and_put_right(tmp_path: Path) -> None:
    config = ConfigAnswer(config_full={"optimiser": {"step_size": 0.1}}, config_smoke={"optimiser": {"step_size": 0.1}})
    row = {"key": "optimiser.step_size", "value": 0.003, "place": {"section": "B", "quote": QUOTE}}
    model = Model({"settings": [row]})
    found = await confirmed(context(tmp_path, model), config, (), lambda answer: [])
    assert QUOTE in model.asked[0][1]
    assert found.config_full == found.config_smoke == {"optimiser": {"step_size": 0.003}}


async def test_a_setting_as_the_paper_states_it_costs_no_question(tmp_path: Path) -> None:
    config = ConfigAnswer(config_full={"optimiser": {"step_size": 0.003}}, config_smoke={"optimiser": {"step_size": 1}})
    model = Model()
    assert await confirmed(context(tmp_path, model), config, (), lambda answer: []) is config
    assert model.asked == []


async def test_a_share_in_a_list_and_a_large_number_elsewhere_cost_no_question(tmp_path: Path) -> None:
    listed = "– 15% of the walk's share are negated steps, and the bound of the multiplexer is M = 70{,}000."
    made = context(tmp_path, Model(), text=TEXT.replace(FILLER, f"{FILLER}\n\n{listed}\n\n", 1))
    settings: dict[str, object] = {"walk": {"negated_share": 0.15}, "constructed": {"optimiser_limit": 70000.0}}
    config = ConfigAnswer(config_full=settings, config_smoke=settings)
    assert await confirmed(made, config, (), lambda answer: []) is config


async def test_the_planner_asks_once_for_appendices_and_their_names_are_kept(tmp_path: Path) -> None:
    model = Model({"places": ["B"]})
    made = context(tmp_path, model)
    await read_further(made, "planner")
    await read_further(made, "planner")
    assert [item for item, _ in model.asked] == ["reading"]
    assert json.loads((tmp_path / "plan" / "reading.json").read_text()) == {"places": ["B"]}


async def test_places_that_are_not_on_the_map_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnswerError, match="not on the map"):
        await read_further(context(tmp_path, Model({"places": ["Z.9"]})), "planner")


async def test_a_recording_without_these_answers_is_replayed_as_it_is(tmp_path: Path) -> None:
    made = context(tmp_path, Model(), replay=True)
    await read_further(made, "planner")
    assert await settled(made, LEDGER) is LEDGER


def test_later_questions_begin_as_the_question_about_open_points_did_and_tell_what_was_settled_once() -> None:
    stated = LEDGER.requirements[0].model_copy(update={"what": "a step size of 0.003", "status": "paper"})
    after = LEDGER.model_copy(update={"requirements": (stated,)})
    before, later = ledger_parts(LEDGER), ledger_parts(LEDGER, after)
    assert later[: len(before)] == before and len(later) == len(before) + 1
    assert "R1 (algorithm, paper; 1): a step size of 0.003" in later[-1].text
    assert "walk" not in later[-1].text, "what stands as it was is not told twice"


def test_where_nothing_was_settled_nothing_is_added() -> None:
    assert ledger_parts(LEDGER, LEDGER.model_copy()) == ledger_parts(LEDGER)


async def test_a_place_in_the_text_above_is_told_by_how_it_begins_and_by_no_number_of_ours(tmp_path: Path) -> None:
    model = Model({"open": ["R1"]})
    weak = LEDGER.requirements[0].model_copy(update={"what": "given in the appendix"})
    made = context(tmp_path, model)
    await settled(made, LEDGER.model_copy(update={"requirements": (weak,)}))
    (question,) = (text for item, text in model.asked if item == "settle")
    words = "The step size of the optimiser is given in the appendix."
    number = next(row.id for row in Passages(made.ws.paper).all if row.text.startswith(words))
    assert f"(“{words}…”)" in question and f"[{number}]" not in question


async def test_a_value_that_the_paper_writes_as_a_fraction_costs_no_question(tmp_path: Path) -> None:
    model = Model()
    text = TEXT.replace("We set the step size of the optimiser to 0.003", "We set the share of the optimiser to 1/2")
    config = ConfigAnswer(config_full={"share of the optimiser": 0.5}, config_smoke={"share of the optimiser": 0.5})
    assert await confirmed(context(tmp_path, model, text=text), config, (), lambda _: []) is config
    assert not model.asked
