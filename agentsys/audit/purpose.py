"""The purpose gate with a model: one judge, and a second, independent one where the first does not allow."""

from __future__ import annotations

from agentsys.llm.client import AnswerError, Model
from agentsys.llm.types import Part, Prompt
from agentsys_policies.engine import Policy
from agentsys_policies.schema import Decision


async def judge_purpose(
    policy: Policy, model: Model, request: str, words: str, *, seed: str, item: str = "purpose"
) -> Decision:
    """Return the decision on a request and an excerpt of a paper.

    Args:
        words: the paper's own words, cut by the caller.
        seed: hash of the whole document, from which the marker of the quoted material is made.
        item: under which the calls are recorded, followed by the judge's number.

    Raises: ProviderError, LimitReached: without usable answers there is no decision.
    """

    def parse(text: str) -> str:
        if not policy.reads_answer(request, words, text, seed=seed):
            raise AnswerError("answer with the one JSON object asked for, with its marker; a block names its category")
        return text

    answers: list[str] = []
    decision = policy.decide_purpose(request, words, answers, seed=seed)
    for judge in (1, 2):
        asked = policy.purpose_prompt(request, words, judge, seed=seed)
        prompt = Prompt(prefix=(Part("policy", asked.system),), body=(Part("subject", asked.user),))
        answers.append(await model.ask("auditor", f"{item}-{judge}", prompt, parse))
        decision = policy.decide_purpose(request, words, answers, seed=seed)
        if not policy.needs_second(decision):
            break
    return decision
