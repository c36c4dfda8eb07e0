"""Scores from 1 to 5 in the stricter form of P2C-Ex: what is not really implemented is a gap of high severity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from agentsys.core.errors import ProviderError
from agentsys.core.prompts import render
from agentsys.llm.types import Part, Prompt
from agentsys.report.evaluate.judge import MOST_WITH_HIGH, Bench, Score, first_then_all
from agentsys.report.evaluate.subject import Kind

Mode = Literal["free", "based"]
LEAST = 1.0
_DECIDED: dict[Kind, str] = {
    "empty": "the repository is empty",
    "no_code": "the repository holds configuration and documents, and no code of a method",
}


@dataclass(frozen=True)
class Judged:
    """The mean of the valid samples; `decided` says why no model was asked."""

    score: float
    samples: tuple[Score, ...] = ()
    asked: int = 0
    decided: str = ""


async def judge_score(bench: Bench, kind: Kind, mode: Mode, samples: int) -> Judged:
    """Return the score of a repository, without (`free`) or with (`based`) the authors' own beside it.

    Raises: ProviderError, LimitReached, as `Model.ask`.
    """
    if kind != "code":
        return Judged(LEAST, decided=_DECIDED[kind])
    prefix = [bench.rules(), bench.paper_part()]
    if mode == "based" and bench.gold is not None:
        prefix.append(bench.code_part(bench.gold, "reference"))
    prefix.append(bench.code_part(bench.seen, "repository"))
    task = Part("task", render("report/evaluate/judge_score", mode=mode, marker=bench.marker, most=MOST_WITH_HIGH))
    prompt = Prompt(prefix=tuple(prefix), body=(task,))
    jobs = [
        partial(bench.ask, f"{mode}/{number:02d}", prompt, Score, _inconsistent) for number in range(1, samples + 1)
    ]
    answers = await first_then_all(jobs)
    valid = tuple(item for item in answers if not isinstance(item, ProviderError))
    return Judged(sum(item.score for item in valid) / len(valid), valid, samples)


def _inconsistent(answer: Score) -> str:
    high = sum(item.severity == "high" for item in answer.critiques)
    if high and answer.score > MOST_WITH_HIGH:
        return f"a score of {answer.score} does not go with {high} critiques of high severity: at most {MOST_WITH_HIGH}"
    if answer.score <= MOST_WITH_HIGH and not answer.critiques:
        return f"a score of {answer.score} needs the critiques that explain it"
    return ""
