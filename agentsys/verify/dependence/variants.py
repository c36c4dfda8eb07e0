"""Runs variants of the repository in the sandbox, within a budget of time, until each number is accounted for."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agentsys.core.artifacts import Plan
from agentsys.verify.checks.base import Bench, log_text
from agentsys.verify.checks.smoke import MAX_RESULTS, RESULTS_FILE, SCRIPT, time_limit
from agentsys.verify.dependence.functions import Function, MethodFunctions
from agentsys.verify.dependence.instrument import Mode, takes_seed, variant
from agentsys.verify.dependence.report import VariantRun
from agentsys.verify.results_file import Results, ResultsError, parse_results
from agentsys_sandbox.base import REPO, WORK

CHECK_NAME = "dependence"
SAME = 2e-6
"""Relative difference up to which two numbers are one: above what a replay may differ by."""
SLIGHT, STRONG = 0.03, 0.3
"""Relative sizes of a perturbation: the second for numbers that move in steps, such as counts and error rates."""
LEAST_BUDGET = 30.0
"""Seconds that perturbing one function at a time may take at least."""


@dataclass(frozen=True)
class Variant:
    """What is changed in the repository for one run."""

    name: str
    modes: Mapping[Function, Mode]
    strength: float = 0.0
    other_seed: bool = False


@dataclass(frozen=True)
class Ran:
    """A variant that was run. `results` is None where it did not end well or left no sound results."""

    run: VariantRun
    results: Results | None = None
    log: str = ""

    def moved(self, key: str, value: float) -> bool:
        """True where the run ended well and does not give that number."""
        if self.results is None:
            return False
        now = self.results.value(key)
        return now is None or not same(value, now)


@dataclass
class Examined:
    """What was run, and which runs each number moved in."""

    values: dict[str, float]
    raised: Ran | None = None
    seeded: Ran | None = None
    perturbed: list[Ran] = field(default_factory=list[Ran])
    moved_by: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def runs(self) -> list[Ran]:
        """Everything that was run."""
        return [item for item in (self.raised, *self.perturbed, self.seeded) if item is not None]

    @property
    def called(self) -> set[str]:
        """Functions that one of the runs called, as `path:name`."""
        return {name for item in self.runs for name in item.run.called}

    @property
    def open(self) -> list[str]:
        """Numbers that have not moved yet."""
        return [key for key in self.values if key not in self.moved_by]

    def take(self, ran: Ran, but: Collection[str] = ()) -> Ran:
        """Note which numbers moved; those named in `but` are not counted."""
        self.perturbed.append(ran)
        for key, value in self.values.items():
            if key not in but and ran.moved(key, value):
                self.moved_by.setdefault(key, []).append(ran.run.name)
        return ran


def same(one: float, two: float) -> bool:
    """True for numbers that differ by no more than rounding, in another order of sums for example."""
    return abs(one - two) <= SAME * max(abs(one), abs(two))


def measured(results: Results, plan: Plan) -> dict[str, float]:
    """Return the numbers that must come from the method: the paper's, or all at the top level where it has none."""
    keys = [row.result_key for row in plan.expected if row.result_key]
    found = {key: results.value(key) for key in keys or results.data}
    return {key: value for key, value in found.items() if value is not None}


async def examine(bench: Bench, functions: MethodFunctions, results: Results, copied: Collection[str]) -> Examined:
    """Run the variants that are needed to see which numbers the method computed.

    Args:
        copied: numbers that stand in the configuration as well; that they move with an argument says nothing.

    Raises: Infrastructure where the sandbox failed.
    """
    seen = Examined(measured(results, bench.job.plan))
    seen.raised = await _run(bench, Variant("all fail", dict.fromkeys(functions.named, "raise")))
    if seen.raised.results is None or any(seen.raised.moved(*item) for item in seen.values.items()):
        await _perturb(bench, seen, functions, copied)
        if takes_seed(bench.job.files):
            seen.seeded = await _run(bench, Variant("another seed", {}, other_seed=True))
    return seen  # where nothing that the method does matters, no further run can show more


async def _perturb(bench: Bench, seen: Examined, functions: MethodFunctions, copied: Collection[str]) -> None:
    """Change all functions at once, and where such a run does not end well, one at a time.

    A number counts as moved by what a function is given, where that function rests on others of the method: what it
    returns may be made up. The first run is free; what follows for numbers that are still open stays within the budget.
    """
    base: dict[Function, Mode] = dict.fromkeys(functions.base, "perturb")
    upper: dict[Function, Mode] = dict.fromkeys(functions.upper, "arguments")
    given: dict[Function, Mode] = dict.fromkeys((*functions.named, *functions.others), "arguments")
    but = copied if upper else ()
    steps = [
        (Variant("all, slightly", base | upper, SLIGHT), but),
        (Variant("all, strongly", base | upper, STRONG), but),
        (Variant("all that rests on nothing, strongly", base, STRONG), ()),
        (Variant("all arguments, strongly", given, STRONG), copied),
    ]
    deadline = None
    for step, left_out in steps:
        if not upper and step.name.startswith("all that rests"):
            continue
        ran = seen.take(await _run(bench, step), left_out)
        deadline = deadline or time.monotonic() + max(LEAST_BUDGET, 3 * bench.run_seconds)
        if ran.results is None:
            await _one_by_one(bench, seen, step, left_out, deadline)
        if not seen.open or time.monotonic() > deadline:
            return


async def _one_by_one(bench: Bench, seen: Examined, step: Variant, but: Collection[str], deadline: float) -> None:
    """Perturb one function at a time, those first that are known to be called."""
    called = seen.called
    for item, mode in sorted(step.modes.items(), key=lambda pair: pair[0].key not in called):
        if not seen.open or time.monotonic() > deadline:
            return
        single = Variant(f"{item.key} alone, {step.name.rpartition(', ')[2]}", {item: mode}, step.strength)
        seen.take(await _run(bench, single), but if mode == "arguments" else ())


async def _run(bench: Bench, wanted: Variant) -> Ran:
    """Put a variant in the repository's place, run the profile, and read what it wrote."""
    folder = f"agentsys-{secrets.token_hex(8)}"
    log = f"{WORK}/{folder}/called"
    files = variant(bench.job.files, wanted.modes, log, strength=wanted.strength, other_seed=wanted.other_seed)
    await bench.place_repo(files)
    await bench.sandbox.write_files({".keep": b""}, root=f"{WORK}/{folder}")
    limit = min(time_limit(bench), max(LEAST_BUDGET, 3 * bench.run_seconds))
    result = await bench.run(CHECK_NAME, ["bash", SCRIPT, bench.job.profile], timeout=limit)
    raw = await bench.sandbox.read_file(f"{REPO}/{RESULTS_FILE}", max_bytes=MAX_RESULTS) if result.ok else None
    called = await bench.sandbox.read_file(log, max_bytes=4 << 20)
    await bench.sandbox.remove([folder], root=WORK)
    results, ended = None, result.outcome.value
    if result.ok:
        try:
            results = parse_results(raw or b"")
        except ResultsError:
            ended = "unsound"
    known = {item.key for item in wanted.modes}
    run = VariantRun(
        name=wanted.name,
        functions={item.key: mode for item, mode in wanted.modes.items()},
        strength=wanted.strength,
        ended=ended,
        called=tuple(sorted(known.intersection((called or b"").decode("utf-8", "replace").split("\n")))),
        seconds=round(result.seconds, 3),
    )
    return Ran(run, results, log_text(result))
