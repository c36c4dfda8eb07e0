"""A model as judge. Repository and paper are quoted to it; its answer counts only in the form that was asked for.

Scores from 1 to 5 follow the stricter form of P2C-Ex: what is not really implemented is a gap of high severity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from agentsys.core.errors import ProviderError
from agentsys.core.files import sha256_bytes
from agentsys.core.prompts import render
from agentsys.llm.client import AnswerError, Model
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.paper.model import Paper
from agentsys.report.evaluate.blind import Seen
from agentsys.report.evaluate.material import CODE_CHARS, choose_files, paper_text
from agentsys.report.evaluate.subject import Kind

ROLE = "judge"
MOST_WITH_HIGH = 3
"""A critique of high severity says that something central is missing or wrong: no score above this goes with it."""
LEAST = 1.0
Mode = Literal["free", "based"]
_DECIDED: dict[Kind, str] = {
    "empty": "the repository is empty",
    "no_code": "the repository holds configuration and documents, and no code of a method",
}
T = TypeVar("T")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    marker: str


class Critique(BaseModel):
    """One gap between repository and paper."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    file: str | None = None
    function: str | None = None
    severity: Literal["high", "medium", "low"]
    text: str = Field(min_length=1)


class Score(_Answer):
    """One sample of a score from 1 to 5."""

    critiques: tuple[Critique, ...] = Field(strict=False)
    score: int = Field(ge=1, le=5)


class Grade(_Answer):
    """The judgement of one leaf of a rubric."""

    expectation: str = ""
    reality: str = Field(min_length=1)
    score: int = Field(ge=0, le=1)


@dataclass(frozen=True)
class Bench:
    """What is judged, by whom. `gold` is the authors' repository, where there is one."""

    model: Model
    paper: Paper
    seen: Seen
    gold: Seen | None = None

    @cached_property
    def marker(self) -> str:
        """Marks quotations and the answer. Made from all that is quoted, so no file can contain it on purpose."""
        texts = [
            f"{path}\0{text}" for source in (self.seen, self.gold) if source for path, text in source.texts.items()
        ]
        return f"J{sha256_bytes(chr(0).join([self.paper.sha256, *texts]))[:12]}"

    def quote(self, text: str) -> str:
        return text.replace(self.marker, "J…")

    def rules(self) -> Part:
        return Part("rules", render("report/evaluate/judge_rules", marker=self.marker))

    def paper_part(self, question: str = "", limit: int = 0) -> Part:
        text = paper_text(self.paper, question, limit) if limit else paper_text(self.paper, question)
        return Part("paper", render("plan/paper", text=self.quote(text), outline="", fence=self.marker))

    def code_part(self, seen: Seen, name: str, question: str = "", limit: int = CODE_CHARS) -> Part:
        """Return a repository as quoted material: the tree, then the files that fit."""
        files, left = choose_files(seen, question, limit)
        text = render(
            "report/evaluate/judge_code",
            name=name,
            marker=self.marker,
            count=len(seen.texts) + len(seen.others),
            tree=self.quote(seen.tree),
            files={self.quote(path): self.quote(text) for path, text in files.items()},
            left=[self.quote(path) for path in left],
        )
        return Part(name, text)

    async def ask(self, item: str, prompt: Prompt, kind: type[M], check: Callable[[M], str] | None = None) -> M:
        """Ask for one judgement. Raises as `Model.ask`."""

        def parse(text: str) -> M:
            answer = extract_json(text, kind)
            if answer.marker != self.marker:
                raise AnswerError(f"`marker` is not `{self.marker}`")
            fault = check(answer) if check else ""
            if fault:
                raise AnswerError(fault)
            return answer

        return await self.model.ask(ROLE, item, prompt, parse)


M = TypeVar("M", bound=_Answer)


async def first_then_all(jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T | ProviderError]:
    """Run the first job alone, so that the provider's cache holds the prefix, then the others together.

    A job whose answers were all unusable gives its error in its place; other errors end everything.

    Raises: ProviderError if the first two, or the only one, failed.
    """

    async def one(job: Callable[[], Awaitable[T]]) -> T | ProviderError:
        try:
            return await job()
        except ProviderError as error:
            return error

    if not jobs:
        return []
    done = [await one(jobs[0])]
    if isinstance(done[0], ProviderError) and len(jobs) > 1:
        done.append(await one(jobs[1]))
        if isinstance(done[1], ProviderError):  # the endpoint, not the question
            raise done[0]
    done += await asyncio.gather(*(one(job) for job in jobs[len(done) :]))
    faults = [item for item in done if isinstance(item, ProviderError)]
    if len(faults) == len(jobs):
        raise faults[0]
    return done


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
