"""Runs variants of the repository in the sandbox, within a budget of time, until each number is accounted for."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from agentsys.core.artifacts import Plan
from agentsys.verify.checks.base import Bench, log_text
from agentsys.verify.checks.smoke import MAX_RESULTS, RESULTS_FILE, SCRIPT, time_limit, used_seconds
from agentsys.verify.dependence.functions import Function, MethodFunctions, measuring
from agentsys.verify.dependence.instrument import Mode, takes_seed, variant, with_fewer_seeds, with_other_seeds
from agentsys.verify.dependence.report import VariantRun
from agentsys.verify.health import Sign, judge_health
from agentsys.verify.results_file import Results, ResultsError, parse_results
from agentsys_sandbox.base import REPO, WORK

CHECK_NAME = "dependence"
SAME = 2e-6
"""Relative difference up to which two numbers are one: above what a replay may differ by."""
FAINT, SLIGHT, STRONG = 0.001, 0.03, 0.3
"""Relative sizes of a perturbation: the last for numbers that move in steps, such as counts and error rates; the first
where the run does not end well with the second, because its own code stops at a cost that is not finite for example."""
ENORMOUS = 1e6
SHORT_BUDGET = 5.0
"""Seconds that a run may take at least whose numbers are nothing or enormous: it may never end by itself."""
WORTH = 2.0
"""Seconds of a run from which on fewer seeds are tried."""
ATTEMPTS = 6
"""Runs of the method that perturbing one function at a time may take."""
LEAST_BUDGET, ALONE_BUDGET = 30.0, 20.0
"""Seconds that perturbing one function at a time may take at least; the second for each requirement by itself."""


@dataclass(frozen=True)
class Variant:
    """What is changed in the repository for one run."""

    name: str
    modes: Mapping[Function, Mode]
    strength: float = 0.0
    other_seed: bool = False
    config: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Files that take the place of the repository's."""


@dataclass(frozen=True)
class Ran:
    """A variant that was run. `results` is None where it did not end well or left no sound results."""

    run: VariantRun
    before: Results
    """What the same settings give where nothing is changed."""
    results: Results | None = None
    log: str = ""
    changed: bool = False
    """A function gave numbers that were changed."""

    def moved(self, key: str) -> bool:
        """True where the run ended well and does not give that number."""
        if self.results is None:
            return False
        before, now = self.before.value(key), self.results.value(key)
        return now is None or before is None or not same(before, now)


@dataclass(frozen=True)
class Fewer:
    """The profile with few of its repetitions: for what only has to be seen to move."""

    ran: Ran
    results: Results
    config: Mapping[str, bytes]


@dataclass
class Examined:
    """What was run, and which runs each number moved in."""

    values: dict[str, float]
    measured: Results
    fewer: Fewer | None = None
    raised: Ran | None = None
    seeded: Ran | None = None
    ignored: Ran | None = None
    """Nothing moved with the seeds of the configuration; `seeded` changed those in the code."""
    broken: list[Ran] = field(default_factory=list[Ran])
    """What the method returns is enormous, or nothing: for signs of health that held so far."""
    unchanged: list[Ran] = field(default_factory=list[Ran])
    """Nothing but the text of the method's files was changed; the last one counts."""
    perturbed: list[Ran] = field(default_factory=list[Ran])
    alone: dict[str, list[Ran]] = field(default_factory=dict[str, list[Ran]])
    """Requirement -> the runs in which only what carries it was changed."""
    moved_by: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def cheapest(self) -> tuple[Mapping[str, bytes], Results]:
        """The settings of the cheapest sound run in which nothing was changed, as files, and what it measured."""
        return (self.fewer.config, self.fewer.results) if self.fewer is not None else ({}, self.measured)

    @property
    def runs(self) -> list[Ran]:
        """Everything that was run."""
        return [
            item
            for item in (
                self.fewer.ran if self.fewer is not None else None,
                self.raised,
                *self.perturbed,
                *self.unchanged,
                *(ran for rows in self.alone.values() for ran in rows),
                self.ignored,
                self.seeded,
                *self.broken,
            )
            if item is not None
        ]

    @property
    def used(self) -> float:
        """Seconds of all runs so far, of processor time where that is less: a busy machine leaves nothing untried."""
        return sum(item.run.used for item in self.runs)

    def budget(self, bench: Bench, least: float = LEAST_BUDGET, runs: int = 3) -> float:
        """Return up to which `used` further runs may go from now on: these seconds, or so many runs of the method."""
        return self.used + max(least, runs * bench.run_seconds)

    @property
    def called(self) -> set[str]:
        """Functions that one of the runs called, as `path:name`."""
        return {name for item in self.runs for name in item.run.called}

    @property
    def open(self) -> list[str]:
        """Numbers that have not moved yet."""
        return [key for key in self.values if key not in self.moved_by]

    def unbroken(self, plan: Plan) -> list[Sign]:
        """Return the signs that held in every run in which the method was changed."""
        holding = _signs(self.measured, plan)
        for ran in (self.raised, *self.perturbed, *self.broken):
            if ran is not None and ran.results is not None:
                held = _signs(ran.results, plan)
                holding = {key: sign for key, sign in holding.items() if key in held}
        return list(holding.values())

    def vacuous(self, plan: Plan) -> list[Sign]:
        """Return the unbroken signs whose numbers moved with what the method returns, in either direction.

        What compares the run with itself must have moved with nothing, too: there it could not have progressed.
        """
        found: list[Sign] = []
        for sign in self.unbroken(plan):
            factors = self.moving(sign, plan)
            both = {factor > 0 for factor in factors} == {True, False}
            found += [sign] if (both if sign.bounded else factors == {ENORMOUS, -ENORMOUS, 0.0}) else []
        return found

    def moving(self, sign: Sign, plan: Plan) -> set[float]:
        """Return the factors with which the numbers of a sign moved."""
        return {ran.run.strength for ran in self.broken if ran.results and _moved(ran.results, sign, plan)}

    def take(self, ran: Ran, but: Collection[str] = ()) -> Ran:
        """Note which numbers moved; those named in `but` are not counted."""
        self.perturbed.append(ran)
        for key in self.values:
            if key not in but and ran.moved(key):
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
    seen = Examined(measured(results, bench.job.plan), results)
    seen.raised = await run_variant(bench, Variant("all fail", dict.fromkeys(functions.named, "raise")), results)
    if seen.raised.results is None or any(map(seen.raised.moved, seen.values)):
        await _perturb(bench, seen, functions, copied)
        await _break(bench, seen, functions)
        seen.fewer = await _on_fewer_seeds(bench, seen)
        await _reseed(bench, seen)
    return seen  # where nothing that the method does matters, no further run can show more


async def _break(bench: Bench, seen: Examined, functions: MethodFunctions) -> None:
    """Let the method return the enormous, its opposite, and nothing, as long as a sign of health held in every run.

    First all functions at once, then each alone: where much is broken at once a run may end early, and says nothing.
    """
    plan = bench.job.plan
    budget = seen.budget(bench)
    mode: Mode = "scale"
    together: dict[Function, Mode] = dict.fromkeys(functions.named, mode)
    alone: list[dict[Function, Mode]] = [{item: mode} for item in together]
    for modes in (together, *alone):
        for factor in (ENORMOUS, -ENORMOUS, 0.0):
            unbroken = seen.unbroken(plan)
            if not unbroken or seen.used > budget:
                return
            undecided = any(seen.moving(sign, plan) == {ENORMOUS, -ENORMOUS} for sign in unbroken)
            wanted = modes is together if factor else undecided
            if not wanted and not any(sign.bounded for sign in unbroken):
                continue
            name = "all" if len(modes) > 1 else next(iter(modes)).key
            ran = await run_variant(
                bench, Variant(f"{name}, times {factor:g}", modes, factor), seen.measured, short=True
            )
            seen.broken.append(ran)


def _moved(results: Results, sign: Sign, plan: Plan) -> bool:
    now = _signs(results, plan).get((sign.experiment, sign.quantity))
    return now is not None and now.words != sign.words


def _signs(results: Results, plan: Plan) -> dict[tuple[str, str], Sign]:
    """Return the signs of health that hold, by experiment and quantity."""
    signs = judge_health(results, plan).signs
    return {(sign.experiment, sign.quantity): sign for sign in signs if not sign.fault}


async def _reseed(bench: Bench, seen: Examined) -> None:
    """Change the seeds of the configuration; where nothing at all moves with them, those in the code."""
    path, files = _config(bench), bench.job.files
    few, before = seen.cheapest
    now = {**files, **few}.get(path, b"")
    if with_other_seeds(now) != now:
        wanted = Variant("another seed in the configuration", {}, config={path: with_other_seeds(now)})
        ran = await run_variant(bench, wanted, before)
        if ran.results is not None and any(ran.results.value(key) != before.value(key) for key in seen.values):
            seen.seeded = ran
            return
        seen.ignored = ran if ran.results is not None else None
    if takes_seed(files):
        seen.seeded = await run_variant(bench, Variant("another seed", {}, other_seed=True, config=few), before)


def _config(bench: Bench) -> str:
    return f"configs/{bench.job.profile}.yaml"


async def _on_fewer_seeds(bench: Bench, seen: Examined) -> Fewer | None:
    """Run the profile with few of its repetitions, where that is sound, gives the same numbers, and is cheaper."""
    path, files = _config(bench), bench.job.files
    config = with_fewer_seeds(files.get(path, b""))
    if bench.run_seconds < WORTH or config == files.get(path, b""):
        return None
    ran = await run_variant(bench, Variant("on fewer seeds", {}, config={path: config}), seen.measured)
    if ran.results is None or any(ran.results.value(key) is None for key in seen.values):
        return None
    return Fewer(ran, ran.results, {path: config}) if ran.run.used < bench.run_seconds / 2 else None


async def _perturb(bench: Bench, seen: Examined, functions: MethodFunctions, copied: Collection[str]) -> None:
    """Change all functions at once, and where such a run does not end well, less, and one at a time.

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
    budget = 0.0
    for step, left_out in steps:
        if not upper and step.name.startswith("all that rests"):
            continue
        ran = seen.take(await run_variant(bench, step, seen.measured), left_out)
        budget = budget or seen.budget(bench, runs=ATTEMPTS)
        if ran.results is None and step.strength == SLIGHT:
            # What is given to functions keeps its value: a share above one or a fraction of a step ends a run too.
            seen.take(await run_variant(bench, Variant("all, faintly", base or upper, FAINT), seen.measured), left_out)
        if ran.results is None:
            await _one_by_one(bench, seen, step, left_out, budget)
        if not seen.open or seen.used > budget:
            return


async def _one_by_one(bench: Bench, seen: Examined, step: Variant, but: Collection[str], budget: float) -> None:
    """Perturb one function at a time, in an order in which what is open is likely to move soon.

    Those first that the plan names for what is open; then those that are known to be called, of each file one before a
    second: what serves one experiment alone stands in a file with its like.
    """
    called, files = seen.called, Counter[str]()
    returning = [item for item, mode in step.modes.items() if mode == "perturb"]
    first = measuring(bench.job.plan, bench.job.files, returning, seen.open)
    turns: dict[Function, tuple[bool, bool, int]] = {}
    for item in step.modes:
        turns[item] = (item not in first, item.key not in called, files[item.path])
        files[item.path] += item.key in called
    for item, mode in sorted(step.modes.items(), key=lambda pair: turns[pair[0]]):
        if not seen.open or seen.used > budget:
            return
        single = Variant(f"{item.key} alone, {step.name.rpartition(', ')[2]}", {item: mode}, step.strength)
        seen.take(await run_variant(bench, single, seen.measured), but if mode == "arguments" else ())


async def run_variant(bench: Bench, wanted: Variant, before: Results, *, short: bool = False) -> Ran:
    """Put a variant in the repository's place, run the profile, and read what it wrote.

    Args:
        before: what the same settings give where nothing is changed.
        short: it may never end by itself, and is not waited for longer than the unchanged run took.
    """
    folder = f"agentsys-{secrets.token_hex(8)}"
    log = f"{WORK}/{folder}/called"
    files = variant(
        bench.job.files,
        wanted.modes,
        log,
        strength=wanted.strength,
        other_seed=wanted.other_seed,
        config=wanted.config,
    )
    await bench.place_repo(files)
    await bench.sandbox.write_files({".keep": b""}, root=f"{WORK}/{folder}")
    patience = max(SHORT_BUDGET, bench.run_seconds) if short else max(LEAST_BUDGET, 3 * bench.run_seconds)
    limit = min(time_limit(bench), patience)
    bench.progress(CHECK_NAME, f"the profile runs with {wanted.name}" if wanted.modes else wanted.name)
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
    noted = (called or b"").decode("utf-8", "replace").split("\n")
    run = VariantRun(
        name=wanted.name,
        functions={item.key: mode for item, mode in wanted.modes.items()},
        strength=wanted.strength,
        ended=ended,
        called=tuple(sorted(known.intersection(noted))),
        seconds=round(result.seconds, 3),
        used=round(used_seconds(result), 3),
    )
    return Ran(run, before, results, log_text(result), any(f"{key} changed" in noted for key in known))
