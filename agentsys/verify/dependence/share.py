"""How far a number moves with the method: one that is drawn to a value from elsewhere keeps a trace of its own."""

from __future__ import annotations

from agentsys.core.artifacts import ExpectedResult
from agentsys.verify.checks.base import Bench
from agentsys.verify.dependence.functions import Function, MethodFunctions
from agentsys.verify.dependence.instrument import Mode
from agentsys.verify.dependence.variants import SLIGHT, STRONG, Examined, Ran, Variant, run_variant

LEAST_SHARE = 0.01
"""A number moves by this share of what the method was changed by, in one run at least. Whole numbers move in steps."""


async def look_closer(bench: Bench, seen: Examined, functions: MethodFunctions) -> None:
    """Change the method strongly, all of it and then one function at a time, as long as a number has hardly moved.

    Raises: Infrastructure where the sandbox failed.
    """
    budget = seen.budget(bench)
    mode: Mode = "perturb"
    together: dict[Function, Mode] = dict.fromkeys(functions.named, mode)
    alone: list[dict[Function, Mode]] = [{item: mode} for item in functions.named]
    for modes in (together, *alone):
        name = "everything" if modes is together else next(iter(modes)).key
        if not hardly_moved(seen, bench.job.plan.expected) or seen.used > budget:
            return
        seen.take(await run_variant(bench, Variant(f"{name} by itself, strongly", modes, STRONG), seen.measured))


def hardly_moved(seen: Examined, expected: tuple[ExpectedResult, ...]) -> dict[str, float]:
    """Return the numbers that moved with the method, but by less than their share, with the most that they moved by."""
    rows = {row.result_key: row for row in expected}
    runs = [*seen.perturbed, *(ran for each in seen.alone.values() for ran in each)]
    found: dict[str, float] = {}
    for key, value in seen.values.items():
        if key not in seen.moved_by or value.is_integer():
            continue
        moves = [(_moved_by(rows.get(key), ran, key), _change(ran)) for ran in runs]
        if all(move < LEAST_SHARE * change for move, change in moves):
            found[key] = max(move for move, _ in moves)
    return found


def _change(ran: Ran) -> float:
    """Return by how much the method was changed; a faint change excuses no trace that a slight one would show."""
    return 1.0 if "scale" in ran.run.functions.values() else max(ran.run.strength, SLIGHT)


def _moved_by(row: ExpectedResult | None, ran: Ran, key: str) -> float:
    """Return by which share of itself a number moved in a run; of a logarithm the quantity itself is taken."""
    if ran.results is None:
        return 0.0
    value, now = ran.before.value(key), ran.results.value(key)
    if now is None or value is None:
        return 1.0
    if row is not None and "log10" in f"{row.unit} {row.metric}".lower():
        return abs(10.0 ** min(max(now - value, -300.0), 300.0) - 1.0)
    return abs(now - value) / max(abs(now), abs(value), 1e-300)
