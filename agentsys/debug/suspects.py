"""Which definitions are suspected: what failed was computed by them, and what held was not.

Spectrum-based fault localisation with Ochiai's measure (Abreu et al., PRDC 2006), over slices: a definition counts for
a test where the test executed it and its assertions depend on it, for a row of a run's signs of health likewise. Among
equals the nearest comes first, then the shortest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from agentsys.core.artifacts import Diagnostic, Plan
from agentsys.core.tree import is_test_path
from agentsys.debug.callgraph import CallGraph
from agentsys.debug.slices import Slices
from agentsys.verify.health import judge_health
from agentsys.verify.results_file import ResultsError, parse_results
from agentsys.verify.watching import Watched

Spectrum = Mapping[str, int]
"""Definitions behind one thing that was checked, each with its distance."""
MOST_SIGNS = 60
"""Signs of health that are followed back, those that are faults first."""


def behind_tests(folder: Path, diagnostics: Sequence[Diagnostic], graph: CallGraph) -> list[str]:
    """Return what the failing tests' assertions depend on, then whatever else these tests executed."""
    if not any(row.kind == "test" for row in diagnostics):
        return []
    data = _json(folder / "tests.json")
    outcomes = cast("dict[str, str]", data.get("outcomes", {}))
    executed = {test: set(names) for test, names in cast("dict[str, list[str]]", data.get("functions", {})).items()}
    failed = [test for test in executed if outcomes.get(test) == "failed"]
    held = [test for test in executed if outcomes.get(test) == "passed"]
    slices = Slices(graph)
    asked = {test: slices.behind(slices.asserted(_key(test)), executed[test] | {_key(test)}) for test in executed}
    near = {test: _distances(graph, _key(test), executed[test]) for test in executed}
    found = [
        *_ranked([asked[test] for test in failed], [asked[test] for test in held], graph),
        *_ranked([near[test] for test in failed], [near[test] for test in held], graph),
    ]
    named = {row.symbol.partition("[")[0].rpartition(".")[2] for row in diagnostics if row.kind == "test"}
    leading = [test for test in failed if _key(test).rpartition(":")[2].rpartition(".")[2] in named] or failed
    wanted = {name for test in leading for name in (*asked[test], *near[test])}
    return [name for name in dict.fromkeys(found) if name in wanted and not is_test_path(name.partition(":")[0])]


def behind_rows(folder: Path, plan: Plan, watched: Watched, graph: CallGraph) -> list[str]:
    """Return what the rows of a run's signs of health that are faults depend on, as far as the run executed it."""
    file = folder / "results.json"
    try:
        signs = judge_health(parse_results(file.read_bytes()), plan).signs if file.is_file() else ()
    except ResultsError:
        return []
    signs = sorted(signs, key=lambda sign: not sign.fault)[:MOST_SIGNS]
    executed = {name for name in watched.functions if name in graph.nodes}
    slices = Slices(graph)
    spectra = [(sign.fault, slices.behind(slices.around(sign.quantity, sorted(executed)), executed)) for sign in signs]
    found = _ranked([row for fault, row in spectra if fault], [row for fault, row in spectra if not fault], graph)
    given = set(_keys(plan.config_smoke))
    return [name for name in found if name in executed or name.rpartition(".")[2] not in given]


def _keys(table: Mapping[str, object]) -> Iterator[str]:
    """Yield the names that a configuration sets: defaults of these decide nothing in a run."""
    for name, value in table.items():
        yield name
        if isinstance(value, Mapping):
            yield from _keys(cast("Mapping[str, object]", value))


def _ranked(failed: Sequence[Spectrum], held: Sequence[Spectrum], graph: CallGraph) -> list[str]:
    scores: dict[str, tuple[float, int, int, str]] = {}
    for name in {name for row in failed for name in row}:
        bad = [row[name] for row in failed if name in row]
        good = sum(name in row for row in held)
        score = len(bad) / math.sqrt(len(failed) * (len(bad) + good))
        scores[name] = (-round(score, 9), min(bad), _length(name, graph), name)
    return sorted(scores, key=lambda name: scores[name])


def _length(name: str, graph: CallGraph) -> int:
    item = graph.nodes.get(name)
    return getattr(item.node, "end_lineno", item.line) - item.line if item else 0


def _distances(graph: CallGraph, start: str, executed: Collection[str]) -> dict[str, int]:
    """Return the executed functions with their distance in calls from a test."""
    order = {name: number for number, name in enumerate(graph.reach([start], len(graph.nodes)))}
    return {name: order.get(name, len(order)) for name in executed}


def _key(test: str) -> str:
    """Return `path:name` for pytest's name of a test."""
    path, _, name = test.partition("[")[0].partition("::")
    return f"{path}:{name.replace('::', '.')}"


def _json(file: Path) -> dict[str, object]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
