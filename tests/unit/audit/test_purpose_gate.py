"""The purpose gate with a judge that answers garbage, not at all, or what the paper offers: never an allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import pytest

from agentsys.audit.screening import judge_purpose
from agentsys.core.errors import ProviderError
from agentsys.llm.client import AnswerError
from agentsys.llm.types import Prompt, Usage
from agentsys_policies.engine import Policy
from agentsys_policies.purpose import marker_of

T = TypeVar("T")
POLICY = Policy.load()
REQUEST, WORDS, SEED = "implement it", "We study means.", "a" * 64


def answer(verdict: str, category: str = "none", marker: str | None = None) -> str:
    body = {"marker": marker or marker_of(REQUEST, WORDS, SEED), "verdict": verdict, "category": category, "aim": "a"}
    return json.dumps(body | {"real_target": False, "uplift": "none", "quote": "", "reason": "scripted"})


class Judge:
    """Gives scripted answers; three unusable ones to one question are the end, as in the product."""

    usage = Usage(0, 0, 0)
    cost = None

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.items: list[str] = []

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Callable[[str], T]) -> T:
        self.items.append(item)
        for _ in range(3):
            if not self.answers:
                raise ProviderError("no answer within 900 s", "")
            try:
                return parse(self.answers.pop(0))
            except AnswerError:
                continue
        raise ProviderError("no usable answer in 3 tries", "")


async def judged(judge: Judge):
    return await judge_purpose(POLICY, judge, REQUEST, WORDS, seed=SEED)


async def test_an_allow_asks_one_judge_and_a_block_asks_two():
    one = Judge(answer("allow"))
    assert (await judged(one)).allows and one.items == ["purpose-1"]
    two = Judge(*[answer("block", "fraud_phishing")] * 2)
    assert (await judged(two)).decision == "block" and two.items == ["purpose-1", "purpose-2"]


@pytest.mark.parametrize(
    "texts",
    [
        ("I cannot help with that.", "{}", "[]"),
        ("allow", "verdict: allow", '{"verdict": "allow"}'),
        (answer("allow", marker="0" * 32),) * 3,
        (answer("allow") + answer("allow"),) * 3,
        (),
        (answer("block", "fraud_phishing"),),
        (answer("block", "fraud_phishing"), "garbage", "garbage", "garbage"),
    ],
    ids=["garbage", "bare", "forged", "twice", "timeout", "timeout of the second", "garbage of the second"],
)
async def test_a_judge_without_a_usable_answer_leaves_no_decision_at_all(texts):
    with pytest.raises(ProviderError):
        await judged(Judge(*texts))
