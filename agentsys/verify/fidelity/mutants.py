"""Chooses which faults are planted: deterministic, spread over the symbols that carry the method."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from agentsys.core.artifacts import Artifact, Plan, RequirementKind
from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import Definition, definitions, parse, resolve
from agentsys.verify.fidelity.evidence import Evidence, RequirementEvidence
from agentsys.verify.fidelity.faults import Fault, function_faults, plant

CORE: frozenset[RequirementKind] = frozenset({"model", "loss", "algorithm", "training", "evaluation"})
"""Kinds of requirements whose code must not be wrong unnoticed."""


class Mutant(Artifact):
    """One planted fault."""

    number: int = Field(description="counted from 1, in the order in which they are tried")
    path: str
    symbol: str = Field(description="function that holds it, `Class.method` or `function`")
    line: int
    fault: str = Field(description="what was done, e.g. `sqrt dropped`")
    before: str
    after: str
    requirements: tuple[str, ...] = Field(default=(), description="ids of the ledger that the function carries")


@dataclass(frozen=True)
class Planted:
    """A mutant, the fault, and the whole file that holds it."""

    mutant: Mutant
    fault: Fault
    source: bytes


@dataclass(frozen=True)
class Target:
    """A function in which faults may be planted."""

    path: str
    symbol: str
    requirements: tuple[str, ...] = ()
    most: int | None = None
    """At most so many faults here; None has no limit."""


def plan_targets(plan: Plan, evidence: Evidence, files: Mapping[str, bytes]) -> list[Target]:
    """Return the functions that carry requirements of the core kinds, methods of classes one by one.

    Where the plan names no symbols, these are all functions of the owner file, its private ones too.
    """
    core = {row.id for row in plan.requirements if row.kind in CORE}
    found: dict[tuple[str, str], list[str]] = {}
    for row in evidence.requirements:
        for path, symbol in _carriers(row, files) if row.id in core else ():
            if not is_test_path(path):
                for name in _functions(_defined(files, path), symbol):
                    found.setdefault((path, name), []).append(row.id)
    return [Target(path, name, tuple(dict.fromkeys(ids))) for (path, name), ids in found.items()]


def _carriers(row: RequirementEvidence, files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    if not row.named and row.owner.endswith(".py"):
        return [(row.owner, item.name) for item in _defined(files, row.owner).values() if item.kind == "function"]
    return [(item.path, item.symbol) for item in row.symbols if item.found and item.line is not None]


def _defined(files: Mapping[str, bytes], path: str) -> dict[str, Definition]:
    return definitions(files.get(path, b"").decode("utf-8", "replace"))


def all_targets(files: Mapping[str, bytes]) -> list[Target]:
    """Return every function of a repository that is no test: for code without a plan."""
    targets: list[Target] = []
    for path in sorted(files):
        if path.endswith(".py") and not is_test_path(path):
            defined = definitions(files[path].decode("utf-8", "replace"))
            targets += [Target(path, item.name) for item in defined.values() if item.kind == "function"]
    return targets


def choose(files: Mapping[str, bytes], targets: list[Target], count: int, seed: int = 0) -> list[Planted]:
    """Return at most `count` mutants; the same for the same files, targets and seed.

    Goes round the functions, and takes from each the fault of the kind that was planted least so far.
    """
    chance = random.Random(seed)
    pools: list[tuple[Target, list[Fault]]] = []
    for target in sorted(targets, key=lambda item: (item.path, item.symbol)):
        faults = _faults(files.get(target.path, b""), target.symbol)
        chance.shuffle(faults)
        faults = faults[: target.most]
        if faults:
            pools.append((target, faults))
    chance.shuffle(pools)
    used: Counter[str] = Counter()
    lines: set[tuple[str, int]] = set()
    chosen: list[Planted] = []
    while len(chosen) < count and any(faults for _, faults in pools):
        for target, faults in pools:
            if not faults or len(chosen) >= count:
                continue
            fault = min(faults, key=lambda item: ((target.path, item.line) in lines, used[item.kind]))
            faults.remove(fault)
            source = plant(files[target.path], fault)
            if parse(source.decode("utf-8", "replace")) is None:
                continue
            used[fault.kind] += 1
            lines.add((target.path, fault.line))
            chosen.append(Planted(_mutant(len(chosen) + 1, target, fault), fault, source))
    return chosen


def _mutant(number: int, target: Target, fault: Fault) -> Mutant:
    return Mutant(
        number=number,
        path=target.path,
        symbol=target.symbol,
        line=fault.line,
        fault=fault.kind,
        before=_short(fault.before),
        after=_short(fault.after),
        requirements=target.requirements,
    )


def _faults(source: bytes, symbol: str) -> list[Fault]:
    try:
        item = resolve(definitions(source.decode("utf-8")), symbol)
    except UnicodeDecodeError:
        return []
    return function_faults(source, item.node) if item is not None else []


def _functions(defined: dict[str, Definition], symbol: str) -> list[str]:
    """Return a function's own name, or the methods of a class."""
    item = resolve(defined, symbol)
    if item is None or item.kind == "value":
        return []
    if item.kind == "function":
        return [item.name]
    return [each.name for each in defined.values() if each.kind == "function" and each.name.startswith(f"{item.name}.")]


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 160 else words[:157] + "..."
