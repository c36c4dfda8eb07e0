"""Each part of the paper's own method by itself: what is measured has to move with it.

A number may move with the method and still come from elsewhere, from a direct solver for example that is given the
method's problem. Then the part of the method that it claims to show can return whatever it likes.
"""

from __future__ import annotations

from agentsys.verify.checks.base import Bench
from agentsys.verify.dependence.functions import Function, MethodFunctions, carriers
from agentsys.verify.dependence.instrument import Mode
from agentsys.verify.dependence.scale import numbers
from agentsys.verify.dependence.variants import ALONE_BUDGET, STRONG, Examined, Ran, Variant, run_variant, same
from agentsys.verify.results_file import HEALTH, Results

_CHANGES: tuple[tuple[str, Mode, float], ...] = (
    ("strongly", "perturb", STRONG),
    ("given others", "arguments", STRONG),
    ("the opposite", "scale", -1.0),
    ("nothing", "scale", 0.0),
)
"""In this order, until a number moves: of a curve the length may be what counts, and what is trained may not care how
large a loss is."""


async def each_alone(bench: Bench, seen: Examined, functions: MethodFunctions) -> None:
    """Change what each requirement of the method returns, and is given, by itself, until a number moves.

    Raises: Infrastructure where the sandbox failed.
    """
    budget = seen.budget(bench, ALONE_BUDGET, runs=2)
    config, before = seen.cheapest
    for requirement, items in carriers(bench.job.plan, bench.job.files, functions.named).items():
        if set(items) == set(functions.named):
            continue  # the runs in which everything was changed say so
        rows = seen.alone[requirement] = []
        for words, mode, strength in _CHANGES:
            if seen.used > budget:
                break
            modes: dict[Function, Mode] = dict.fromkeys(items, mode)
            ran = await run_variant(
                bench, Variant(f"{requirement} alone, {words}", modes, strength, config=config), before
            )
            rows.append(ran)
            if not _without_effect(ran):
                break


def idle(seen: Examined) -> dict[str, Ran]:
    """Return the requirements whose functions gave changed numbers in every way, without any effect, with one run."""
    return {
        requirement: rows[0]
        for requirement, rows in seen.alone.items()
        if len(rows) == len(_CHANGES) and all(_without_effect(ran) for ran in rows)
    }


def unjudged(seen: Examined) -> list[str]:
    """Return the requirements of which the runs say nothing: they ended early, changed no number, or time was up."""
    known = idle(seen)
    return [
        requirement
        for requirement, rows in seen.alone.items()
        if requirement not in known and not any(_with_effect(ran) for ran in rows)
    ]


def _with_effect(ran: Ran) -> bool:
    return ran.results is not None and ran.changed and not _without_effect(ran)


def _without_effect(ran: Ran) -> bool:
    """True where the run ended well, numbers were changed in it, and what it measured is the same, health apart."""
    if ran.results is None or not ran.changed:
        return False
    before, now = _numbers(ran.before), _numbers(ran.results)
    return before.keys() == now.keys() and all(same(value, now[key]) for key, value in before.items())


def _numbers(results: Results) -> dict[str, float]:
    return dict(numbers({key: value for key, value in results.data.items() if key != HEALTH}))
