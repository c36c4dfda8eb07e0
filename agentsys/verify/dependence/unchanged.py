"""The method as it is, in files whose text is another one: the numbers must be the same.

A program that reads its own source, or looks at what its functions are made of, notices every other variant. Its
numbers then move with each change of the method, or it ends, whatever they come from.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentsys.core.artifacts import Plan
from agentsys.verify.checks.base import Bench
from agentsys.verify.dependence.functions import Function, MethodFunctions
from agentsys.verify.dependence.instrument import Mode
from agentsys.verify.dependence.scale import is_time
from agentsys.verify.dependence.variants import Examined, Variant, run_variant
from agentsys.verify.replay import RANDOM_TOLERANCE, TOLERANCE, agrees

_WAYS: tuple[tuple[str, Mode], ...] = (
    ("every function of the method watched", "watch"),
    ("other lines in the files of the method", "text"),
)
"""In this order, until a run ends well: what compiles functions may not take watched ones."""


async def look_unchanged(bench: Bench, seen: Examined, functions: MethodFunctions) -> None:
    """Run the profile with nothing changed but the text of the method's files.

    Raises: Infrastructure where the sandbox failed.
    """
    config, before = seen.cheapest
    for words, mode in _WAYS:
        modes: dict[Function, Mode] = dict.fromkeys((*functions.named, *functions.others), mode)
        ran = await run_variant(bench, Variant(words, modes, config=config), before)
        seen.unchanged.append(ran)
        if ran.results is not None:
            return


def moved_unchanged(seen: Examined, plan: Plan, random: Iterable[str]) -> list[str]:
    """Return the numbers that moved though nothing was changed; those of a clock do not count.

    Args:
        random: numbers that move with the seed.
    """
    ran = seen.unchanged[-1] if seen.unchanged else None
    if ran is None or ran.results is None:
        return []
    clocks = {row.result_key for row in plan.expected if is_time(row)}
    loose = set(random)
    return [
        key
        for key in seen.values
        if key not in clocks
        and not agrees(ran.before.value(key), ran.results.value(key), RANDOM_TOLERANCE if key in loose else TOLERANCE)
    ]
