"""What kept runs used, as `recorded.json` holds it: made by `python -m benchmarks.recorded`, never by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentsys.llm.ledger import Line

Work = Literal["screen", "plan", "claims", "contracts", "analyse", "code", "debug", "review", "experiments"]
"""What calls are made for. The look at the contribution is planning; claims' programs and their review: experiments."""
ROLE_OF: dict[Work, str] = {
    "screen": "auditor",
    "plan": "planner",
    "claims": "planner",
    "contracts": "planner",
    "analyse": "analyzer",
    "code": "coder",
    "debug": "debugger",
    "review": "reviewer",
    "experiments": "coder",
}


class Used(BaseModel):
    """The calls of one kind of work in one run. `seconds`: while at least one was waited for."""

    model_config = ConfigDict(frozen=True)

    calls: int
    prompt: int
    cached: int
    completion: int
    seconds: float


class Settled(BaseModel):
    """What became of one claim of the paper."""

    model_config = ConfigDict(frozen=True)

    claim: str
    text: str
    place: str
    verdict: str
    reasons: tuple[str, ...] = ()


class Kept(BaseModel):
    """One run or list of claims whose files were kept."""

    model_config = ConfigDict(frozen=True)

    title: str
    what: Literal["run", "claims"]
    answered: str
    """Who or what answered, in words."""
    date: str
    """Of the first answer."""
    replayed: str = ""
    """Date of the run that verdicts and times of checks are from, where answers were replayed."""
    status: str = ""
    reason: str = ""
    paper_tokens: int
    """A quarter of the characters of the paper as it was read."""
    files: int = 0
    """Of the plan."""
    requirements: int = 0
    rounds: int = 0
    backend: str = ""
    cost: float | None = None
    """US dollars; None where a price is unknown."""
    verify_seconds: float = 0.0
    """Of one verification, on average."""
    replay_seconds: float = 0.0
    work: dict[Work, Used]
    settled: tuple[Settled, ...] = ()
    shown: str = ""
    """Of the evidence: requirements shown, numbers measured, planted faults noticed."""

    @property
    def whole(self) -> bool:
        """True where the run came to its own end."""
        return self.what == "run" and self.rounds > 0


class _File(BaseModel):
    runs: list[Kept]


@cache
def kept_runs() -> tuple[Kept, ...]:
    """Return the runs that ship with agentsys."""
    text = resources.files("agentsys.run").joinpath("recorded.json").read_text(encoding="utf-8")
    return tuple(_File.model_validate_json(text).runs)


def work_of(key: str) -> Work:
    """Return what a call was made for, by its key `role/item/attempt`."""
    role, _, rest = key.partition("/")
    if role == "planner":
        head = rest.partition("/")[0]
        return "claims" if head in ("claims", "contradictions") else "contracts" if head == "contracts" else "plan"
    if role == "checker" or (role in ("coder", "reviewer") and rest.startswith("claims/")):
        return "experiments"
    if role == "reviewer":
        return "plan" if rest.startswith("contribution") else "review"
    plain: dict[str, Work] = {"auditor": "screen", "analyzer": "analyse", "coder": "code", "debugger": "debug"}
    return plain[role]


def used_by(lines: Iterable[Line]) -> dict[Work, Used]:
    """Sum a ledger by kind of work."""
    groups: dict[Work, list[Line]] = {}
    for line in lines:
        groups.setdefault(work_of(line.key), []).append(line)
    return {
        work: Used(
            calls=len(group),
            prompt=sum(line.prompt for line in group),
            cached=sum(line.cached for line in group),
            completion=sum(line.completion for line in group),
            seconds=round(_waited(group), 1),
        )
        for work, group in groups.items()
    }


def _waited(lines: Iterable[Line]) -> float:
    """Return the seconds in which at least one of the calls was under way; calls without a time count for nothing."""
    ends = [(datetime.fromisoformat(line.ts).timestamp(), line.seconds) for line in lines if line.ts]
    total, until = 0.0, 0.0
    for begin, end in sorted((end - took, end) for end, took in ends):
        total += max(end - max(begin, until), 0.0)
        until = max(until, end)
    return total
