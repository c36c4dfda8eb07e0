"""The table of checks, the one order in which they run, and the only place where a new verdict is made."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from agentsys.core.artifacts import Check, Verdict
from agentsys.core.errors import InternalError
from agentsys.core.tree import tree_hash
from agentsys.verify.checks import audit, dependence, faults, imports, install, pyright, pytests, results, review, smoke
from agentsys.verify.checks.base import Bench, CheckSpec, Found, Job, Screened
from agentsys.verify.checks.beside import Beside
from agentsys.verify.checks.takeover import KEY, run_key, taken_over
from agentsys.verify.logs.diagnostics import order_and_merge
from agentsys_sandbox.base import Sandbox

TABLE: tuple[CheckSpec, ...] = (
    install.CHECK,
    imports.CHECK,
    pyright.CHECK,
    pytests.CHECK,
    smoke.CHECK,
    results.CHECK,
    faults.CHECK,
    dependence.CHECK,
    audit.CHECK,
    review.CHECK,
)


def demanded() -> tuple[str, ...]:
    """Return what `verified` demands of every round; a review comes on top, once all of them have passed."""
    return tuple(spec.name for spec in TABLE if spec.demanded)


@dataclass
class Seen:
    """What the checks found, and why the others were not run."""

    found: dict[str, Found] = field(default_factory=dict[str, Found])
    why_not: dict[str, str] = field(default_factory=dict[str, str])
    screened: Screened | None = None
    backend: str = ""
    weak: bool = False
    wrote: dict[str, str] = field(default_factory=dict[str, str])
    """SHA-256 of each results file that was accepted."""
    infra: str = ""
    """Why nothing can be said about the code."""

    def passed(self, name: str) -> bool:
        """True if this check ran and passed."""
        return name in self.found and self.found[name].check.state == "passed"


async def run_checks(bench: Bench, only: Collection[str] = (), second: Callable[[], Sandbox] | None = None) -> Seen:
    """Run the checks of the table in their order, each where what it needs has passed.

    Args:
        only: names of the checks to run; empty takes all.
        second: makes a second sandbox, opened and closed here, for what may run beside the check that follows.

    Raises: Infrastructure and errors of the sandbox, which say nothing about the code.
    """
    description = bench.sandbox.describe()
    seen = Seen(backend=description.backend, weak=description.weak)
    await bench.place_repo()
    async with Beside(bench, second) as beside:
        for spec in TABLE:
            if spec.run is None or (only and spec.name not in only):
                continue
            _take(bench, seen, await beside.ended(before=spec))
            if why := _unmet(spec, seen):
                seen.why_not[spec.name] = why
                continue
            _say_started(bench, spec)
            if (before := taken_over(bench, spec)) is not None:
                _take(bench, seen, (spec, before))
            elif beside.takes(spec):
                beside.start(spec)
            else:
                _take(bench, seen, (spec, await spec.run(bench)))
        _take(bench, seen, await beside.ended())
    if key := run_key(bench):
        bench.log(KEY, key)
    return seen


def _take(bench: Bench, seen: Seen, ended: tuple[CheckSpec, Found] | None) -> None:
    if ended is not None:
        spec, found = ended
        seen.found[spec.name] = Found(found.check, tuple(bench.touching(item) for item in found.diagnostics))
        seen.screened = bench.screened


def _say_started(bench: Bench, spec: CheckSpec) -> None:
    names = [item.name for item in TABLE if item.run is not None]
    place = {"number": names.index(spec.name) + 1, "of": len(names)}
    bench.job.events.emit("check.started", stage=bench.job.stage, round=bench.job.round, check=spec.name, **place)


def _unmet(spec: CheckSpec, seen: Seen) -> str:
    """Return why a check cannot be run, or an empty text."""
    if seen.screened is not None and not seen.screened.may_run:
        return "the policy refuses what would be installed"
    for name in spec.needs:
        if not seen.passed(name):
            return f"{name} failed" if name in seen.found else seen.why_not.get(name, f"{name} was not run")
    for name in spec.after:
        if name in seen.found and seen.found[name].check.outcome in ("timeout", "oom"):
            return f"{name} failed"
    return ""


def make_verdict(job: Job, seen: Seen, otherwise: str = "not reached") -> Verdict:
    """Return the verdict, which names every check that is demanded today, those that were not run among them.

    Args:
        otherwise: why a check was not run, where nothing else is known.

    Raises: InternalError where a result belongs to no check of the table.
    """
    if unknown := [name for name in seen.found if name not in {spec.name for spec in TABLE}]:
        raise InternalError(f"there is no check `{unknown[0]}` in the table")
    found = [seen.found[spec.name] for spec in TABLE if spec.name in seen.found]
    return Verdict(
        round=job.round,
        tree=job.tree or tree_hash(job.files),
        checks=tuple(_check(spec, seen, otherwise) for spec in TABLE if spec.demanded or spec.name in seen.found),
        demanded=demanded(),
        diagnostics=order_and_merge(item for each in found for item in each.diagnostics),
        backend=seen.backend,
        weak=seen.weak,
        infra=seen.infra,
    )


def _check(spec: CheckSpec, seen: Seen, otherwise: str) -> Check:
    if spec.name in seen.found:
        return seen.found[spec.name].check
    if seen.infra:
        return Check(name=spec.name, state="infra_error", note=seen.infra)
    return Check(name=spec.name, state="not_run", note=seen.why_not.get(spec.name, otherwise))
