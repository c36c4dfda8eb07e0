"""What the audit looks for in a repository: the paper's results as planned, and the settings that may stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from agentsys.core.artifacts import Plan
from agentsys.core.blocks import FIGURES
from agentsys.core.tree import PAGES, RECORD, RESULTS
from agentsys_policies.scan.numbers.mention import Mention, significant
from agentsys_policies.scan.numbers.reported import Reported, Result, match

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def reported_numbers(plan: Plan) -> Reported:
    """Return the results that may stand nowhere in the repository, and the hyper-parameters that may."""
    results = tuple(Result(row.value, row.result_key) for row in plan.expected)
    left_out = frozenset({f"{RESULTS}/", *PAGES, *RECORD, FIGURES})
    return Reported(results, _hyper_parameters(plan, Reported(results)), left_out)


def _hyper_parameters(plan: Plan, results: Reported) -> frozenset[float]:
    """Absolute values of the planned settings that the ledger names, or that its words for the method hold.

    A setting under a result's key is none, and where two of them are like results, that is no accident.
    """
    keys = {name[7:] for spec in plan.files for row in spec.symbols.values() for name in row if name[:7] == "config:"}
    rows = [row for row in plan.requirements if row.kind != "evaluation"]
    words = {float(word) for row in rows for word in _NUMBER.findall(f"{row.what} {row.place.quote}")}
    own = {row.key.lower() for row in results.results if row.key}
    found = {
        abs(value)
        for config in (plan.config_full, plan.config_smoke)
        for path, value in _leaves(config)
        if path[-1].lower() not in own and (_named(path, keys) or abs(value) in words)
    }
    like = {
        value
        for value in found
        if (item := match(Mention(value, 1, ""), results)) is not None
        and item.strength == "telling"
        and significant(value) >= 3
    }
    return frozenset(found - like if len(like) > 1 else found)


def _named(path: tuple[str, ...], keys: set[str]) -> bool:
    return any(".".join(path[:n]) in keys for n in range(1, len(path) + 1))


def _leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield (keys, number) of a configuration; numbers of a list stand under the list's key."""
    if isinstance(value, dict):
        for key, inner in cast("dict[object, object]", value).items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for inner in cast("list[object]", value):
            yield from _leaves(inner, path)
    elif path and isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)
