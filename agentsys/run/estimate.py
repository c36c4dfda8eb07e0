"""What a run may still cost, with a range: the work that is due, times what such work took in kept runs.

A range spans the least and the most: fewest files, no repair and prompts as in the kept runs; most files, every repair
and prompts that grow as the paper does. It promises nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from agentsys.core.numbers import count, dollars, plural, seconds
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.core.state import State
from agentsys.core.text import clean_line
from agentsys.llm.prices import OwnPrices, own_prices, price_of
from agentsys.llm.render import CHARS_PER_TOKEN
from agentsys.llm.types import Usage
from agentsys.run.recorded import ROLE_OF, Kept, Used, Work, kept_runs

if TYPE_CHECKING:
    from agentsys.paper import Paper

STAGES_OF: dict[str, tuple[Work, ...]] = {
    "read": (),
    "plan": ("screen", "plan"),
    "claims": ("screen", "plan", "claims", "contracts"),
    "analyse": ("screen", "plan", "claims", "contracts", "analyse"),
    "code": ("screen", "plan", "claims", "contracts", "analyse", "code"),
    "": ("screen", "plan", "claims", "contracts", "analyse", "code", "debug", "review", "experiments"),
}
"""The work of a run that stops after a stage; of one that goes on under the empty name."""
WITH_PAPER = frozenset({"plan", "claims", "contracts"})
"""Work whose every prompt holds the whole paper."""


@dataclass(frozen=True)
class Range:
    """Least and most."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def words(self, form: Callable[[float], str]) -> str:
        """Return `12 to 40`, or one number where both are shown alike."""
        low, high = form(self.low), form(self.high)
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class Part:
    """One kind of work that is due. `money` in US dollars, None where the price is unknown; `time` in seconds."""

    work: Work
    calls: Range
    prompt: Range
    completion: Range
    time: Range
    money: Range | None
    runs: int
    """Kept runs that it rests on."""


@dataclass(frozen=True)
class Estimate:
    """What is due, and what it rests on."""

    title: str
    model: str
    parts: tuple[Part, ...]
    checks: Range
    """Seconds of verifications and replay."""
    unknown: tuple[str, ...]
    """Work that is due and that no kept run holds: it comes on top."""
    runs: int
    whole: int

    def total(self, of: Callable[[Part], Range]) -> Range:
        """Return the sum over all parts."""
        return sum((of(part) for part in self.parts), Range())

    @property
    def money(self) -> Range | None:
        """US dollars, or None where a price is unknown."""
        found = [part.money for part in self.parts]
        return None if None in found else sum((item for item in found if item is not None), Range())

    @property
    def time(self) -> Range:
        """Seconds, at the speed of what answered the kept runs."""
        return self.total(lambda part: part.time) + self.checks

    def as_data(self) -> dict[str, object]:
        """Return it for programs."""
        sums = {"calls": self.total(lambda part: part.calls), "prompt_tokens": self.total(lambda part: part.prompt)}
        sums["completion_tokens"] = self.total(lambda part: part.completion)
        sums["seconds"] = self.time
        money = asdict(self.money) if self.money is not None else None
        total = {name: asdict(value) for name, value in sums.items()}
        rest = {"unknown": list(self.unknown), "kept_runs": self.runs, "whole_runs": self.whole}
        parts = [asdict(part) for part in self.parts]
        return {"title": self.title, "model": self.model, **total, "us_dollars": money, "parts": parts, **rest}

    def line(self) -> str:
        """Return the sums in one line."""
        tokens = (
            self.total(lambda part: part.prompt).words(count),
            self.total(lambda part: part.completion).words(count),
        )
        money = self.money.words(dollars) if self.money is not None else "money unknown (`--price`)"
        calls = self.total(lambda part: part.calls).words(lambda value: f"{value:.0f}")
        return f"{calls} calls, {tokens[0]} tokens in, {tokens[1]} out, {money}, {self.time.words(seconds)}"

    def lines(self) -> Iterator[str]:
        """Yield what is not in the table: the sums, what comes on top, and what all this rests on."""
        yield f"in all: {self.line()}"
        if self.checks.high:
            yield f"of it for checks: {self.checks.words(seconds)}"
        if self.unknown:
            yield f"comes on top, no kept run holds it: {', '.join(self.unknown)}"
        kept = f"{plural(self.runs, 'kept record')}, {self.whole} of a run to its end"
        yield f"rests on {kept} (docs/results.md); time at the speed of what answered them, your model's differs"


def estimate_paper(paper: Paper, settings: Settings) -> Estimate:
    """Estimate a new run of a paper; nothing is asked of a model."""
    return _estimate(paper, settings, State(rounds_left=settings.max_rounds), 0)


def estimate_run(run: RunDir, settings: Settings) -> Estimate:
    """Estimate what a run would still cost if it were resumed with these settings.

    Raises: UsageError, PrerequisiteError (a faulty policy).
    """
    from agentsys.audit.policy import load_policy
    from agentsys.core.events import EventLog
    from agentsys.core.rounds import Rounds
    from agentsys.paper import load_paper
    from agentsys.plan.workspace import Workspace
    from agentsys.run.snapshot import snapshot

    ws, rounds = Workspace(run, settings, EventLog(None, run.path.name), run.read().request), Rounds(run)
    state = snapshot(ws, rounds, load_policy(settings).ref.sha256)
    diagnosed = sum(item.diagnosis is not None for item in rounds.all())
    state = replace(state, rounds_left=max(settings.max_rounds - diagnosed, 0))
    plan = ws.plan()
    if plan is not None:  # a snapshot stops looking at the first thing that is missing
        analyses, files = len(ws.analyses_missing(plan)), len(ws.files_missing(plan))
        state = replace(state, planned=True, analyses_missing=analyses, files_missing=files)
    return _estimate(load_paper(run.paper), settings, state, len(plan.files) if plan is not None else 0)


def _estimate(paper: Paper, settings: Settings, state: State, files: int) -> Estimate:
    from agentsys.paper import to_markdown

    kept, tokens = kept_runs(), len(to_markdown(paper)) // CHARS_PER_TOKEN
    own = own_prices(settings.prices)
    parts: list[Part] = []
    unknown: list[str] = []
    for work in STAGES_OF[settings.stop_after]:
        due = _due(work, settings, state, kept, files)
        samples = [(item, item.work[work]) for item in kept if work in item.work]
        if due.high and samples:
            parts.append(_part(work, due, [_scaled(work, *row, tokens) for row in samples], tokens, settings, own))
        elif due.high:
            unknown.append("programs and experiments of claims" if work == "experiments" else work)
    checks = _checks(state, kept) if settings.stop_after == "" else Range()
    whole = sum(item.whole for item in kept)
    title = clean_line(paper.title, 120)
    return Estimate(title, settings.model, tuple(parts), checks, tuple(unknown), len(kept), whole)


def _due(work: Work, settings: Settings, state: State, kept: Sequence[Kept], files: int) -> Range:
    """Return how many units of a kind of work are due: files, repairs, or the work as a whole."""
    planned = [item.files for item in kept if item.files]
    of_plan = Range(files, files) if files else Range(min(planned), max(planned))
    due, verified = 1.0, state.verified == "passed"
    match work:
        case "screen":
            due = float(state.screened == "no")
        case "plan":
            due = float(not state.planned)
        case "claims" | "contracts":
            due = float(settings.claims == "on" and not state.claimed)
        case "experiments":
            due = float(settings.claims == "on" and not state.experimented)
        case "analyse":
            return Range(state.analyses_missing, state.analyses_missing) if state.planned else of_plan
        case "code":
            return Range(state.files_missing, state.files_missing) if state.planned else of_plan
        case "review":
            return of_plan if settings.reviews and not state.reviewed else Range()
        case "debug":
            return Range(0, state.rounds_left if not (verified and state.reviewed) else 0)
    return Range(due, due)


def _scaled(work: Work, run: Kept, used: Used, tokens: int) -> tuple[Kept, Used]:
    """Add the length by which this paper differs to every prompt that holds the whole of it."""
    if work not in WITH_PAPER:
        return run, used
    prompt = used.prompt + used.calls * (tokens - run.paper_tokens)
    least = used.prompt * min(1.0, tokens / max(run.paper_tokens, 1))
    return run, used.model_copy(update={"prompt": round(max(prompt, least))})


def _part(
    work: Work, due: Range, samples: Sequence[tuple[Kept, Used]], tokens: int, settings: Settings, own: OwnPrices
) -> Part:
    def per_unit(of: Callable[[Used], float], *, grows: bool = True) -> Range:
        """A longer paper takes between as much and as much more as it is longer, a shorter one less in the same way."""
        found = [
            (of(used) / _units(work, run), tokens / max(run.paper_tokens, 1) if grows else 1.0) for run, used in samples
        ]
        low, high = (min(value * min(1, by) for value, by in found), max(value * max(1, by) for value, by in found))
        return Range(low * due.low, high * due.high)

    grows = work != "screen"  # an excerpt of fixed length
    prompt = per_unit(lambda used: used.prompt, grows=grows and work not in WITH_PAPER)
    completion = per_unit(lambda used: used.completion, grows=grows)
    cached = per_unit(lambda used: used.cached, grows=grows and work not in WITH_PAPER)
    model = settings.model_of(ROLE_OF[work])
    # Whoever caches nothing pays the whole prompt.
    low = price_of(model, Usage(round(prompt.low), round(min(cached.low, prompt.low)), round(completion.low)), own=own)
    high = price_of(model, Usage(round(prompt.high), 0, round(completion.high)), own=own)
    money = Range(low, high) if low is not None and high is not None else None
    calls, time = per_unit(lambda used: used.calls, grows=False), per_unit(lambda used: used.seconds, grows=grows)
    return Part(work, calls, prompt, completion, time, money, len(samples))


def _units(work: Work, run: Kept) -> int:
    if work in ("analyse", "code", "review"):
        return max(run.files, 1)
    return max(run.rounds - 1, 1) if work == "debug" else 1


def _checks(state: State, kept: Sequence[Kept]) -> Range:
    """Return the seconds of verifications and the replay."""
    whole = [item for item in kept if item.whole]
    if not whole or state.replayed == "passed":
        return Range()
    verify = [item.verify_seconds for item in whole]
    replay = [item.replay_seconds for item in whole]
    due = float(state.verified != "passed")
    more = state.rounds_left if due else 0
    return Range(min(verify) * due + min(replay), max(verify) * (due + more) + max(replay))
