"""A model as judge. Repository and paper are quoted to it; its answer counts only in the form that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
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

ROLE = "judge"
MOST_WITH_HIGH = 3
"""A critique of high severity says that something central is missing or wrong: no score above this goes with it."""
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
        return Part("paper", render("plan/paper", text=self.quote(text), fence=self.marker))

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
