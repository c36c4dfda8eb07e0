"""Which faults are planted, which tests are run against each, and what their outcomes say of tests and functions.

A fault counts only where a test looked at a result and found a difference, or where every test that executes the
function passed; one that merely breaks the code says nothing about the tests. Pure: nothing is run here.
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import FunctionNode, definitions, parse
from agentsys.verify.fidelity.conduct import CONDUCT, conduct_faults
from agentsys.verify.fidelity.evidence import TestRecord
from agentsys.verify.fidelity.faults import RAISE, Fault, form_faults, function_faults
from agentsys.verify.fidelity.wrongvalues import wrong_values
from agentsys.verify.results_file import HEALTH, NOT_ATTEMPTED

SLOW = 0.2
"""Seconds; slower tests are run last against a fault."""
SPECIFIC = 3
"""Tests that are run against a fault at first: those that execute least besides its function."""
INSTANCES, ALL_INSTANCES = 2, 24
"""Of a parametrised test that many instances at first, and before a fault counts as missed."""
MORE = 3
"""Further faults of a statement that no test noticed."""
LEAST_STATEMENT, LEAST_FUNCTION = 3, 2
"""So many faults of a statement, or of a function, have to go unnoticed before it counts as untested."""
LEAST_TEST, LEAST_PLAIN = 3, 2
"""So many faults a test has to miss before it counts as no test: among them so many where everything is wrong that a
function hands back which the test names."""
MOST_TEST = 24
"""Faults that are tried on one test that has noticed none."""
ROUNDS = 5
FIRST_GO, GO = 2, 4
"""Faults that are tried in one go on such a test: at first the plainest alone."""
ALL_GOES = FIRST_GO + (ROUNDS - 2) * GO

Judged = Literal["noticed", "missed", "broke", "open"]


@dataclass(frozen=True)
class Spot:
    """A fault that can be planted."""

    path: str
    symbol: str
    fault: Fault
    value: bool
    """It changes what is computed; others change what is checked, named or handed back."""
    statement: int = 0
    """Line of the statement that holds it."""
    all: bool = False
    """All that the function returns is wrong."""

    @property
    def key(self) -> str:
        """The same for the same fault in a file that was changed elsewhere."""
        words = (self.path, self.symbol, self.fault.kind, *self.text)
        return sha256("\0".join(words).encode()).hexdigest()[:16]

    @property
    def text(self) -> tuple[str, str]:
        """What stood there before and after; nothing for a fault that takes the whole file."""
        return ("", "") if self.fault.whole else (self.fault.before, self.fault.after)

    @property
    def function(self) -> tuple[str, str]:
        """The function that holds it."""
        return self.path, self.symbol


def spots(files: Mapping[str, bytes]) -> dict[tuple[str, str], list[Spot]]:
    """Return every fault of every function of the method, in an order that looks random and is always the same."""
    found: dict[tuple[str, str], list[Spot]] = {}
    for path in sorted(files):
        if not path.endswith(".py") or is_test_path(path):
            continue
        for item in definitions(files[path].decode("utf-8", "replace")).values():
            if isinstance(item.node, FunctionNode):
                rows = _spots(path, item.name, files[path], item.node)
                found[path, item.name] = sorted(rows.values(), key=lambda spot: spot.key)
    return found


async def spots_by_turns(files: Mapping[str, bytes]) -> dict[tuple[str, str], list[Spot]]:
    """Return the same; between files whatever runs beside has its turn, since a large repository takes seconds.

    Not in a thread: before 3.11.8, CPython cannot build syntax trees in two threads at once (its issue 106905).
    """
    found: dict[tuple[str, str], list[Spot]] = {}
    for path in sorted(files):
        found |= spots({path: files[path]})
        await asyncio.sleep(0)
    return found


def _spots(path: str, symbol: str, source: bytes, node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, Spot]:
    lines, part = _statements(node), _own_lines(source, node)
    rows = [(fault, True) for fault in function_faults(source, node)]
    rows += [(fault, False) for fault in form_faults(source, node)]
    found: dict[str, Spot] = {}
    for fault, value in rows:
        spot = Spot(path, symbol, fault, value, lines.get(fault.line, fault.line))
        if _stands(source, part, fault):
            found.setdefault(spot.key, spot)
    for fault in wrong_values(source, node):
        spot = Spot(path, symbol, fault, value=False, all=True)
        found[spot.key] = spot
    for fault in conduct_faults(source, node):
        spot = Spot(path, symbol, fault, value=False)
        found[spot.key] = spot
    return found


def _own_lines(source: bytes, node: ast.FunctionDef | ast.AsyncFunctionDef) -> slice:
    """Return where in a file the lines of a function stand, its decorators with it, in bytes."""
    lines = source.splitlines(keepends=True)
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)]) - 1
    start = sum(map(len, lines[:first]))
    return slice(start, start + sum(map(len, lines[first : node.end_lineno])))


def _stands(source: bytes, part: slice, fault: Fault) -> bool:
    """True where a function with a fault in it is Python still. It alone is parsed: files are long, faults are many."""
    text = source[part.start : fault.start] + fault.after.encode() + source[fault.end : part.stop]
    head = "if True:\n" if text[:1].isspace() else ""
    return parse(head + text.decode("utf-8", "replace")) is not None


def _statements(function: ast.AST) -> dict[int, int]:
    """Return, for each line of a function, the first line of its innermost statement."""
    lines: dict[int, int] = {}
    for node in ast.walk(function):  # outer ones first
        if isinstance(node, ast.stmt) and node is not function:
            lines |= dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), node.lineno)
    return lines


def test_texts(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the source of each test function, by its node id without parameters."""
    found: dict[str, str] = {}
    for path, data in files.items():
        if path.endswith(".py") and is_test_path(path):
            for item in definitions(data.decode("utf-8", "replace")).values():
                if item.kind == "function":
                    found[f"{path}::{item.name.replace('.', '::')}"] = ast.unparse(item.node)
    return found


def assembles(node: ast.AST, keys: frozenset[str]) -> bool:
    """True for a function that writes names of results, or of what stands beside them in the results file."""
    words = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return bool(words & {HEALTH, NOT_ATTEMPTED}) or len(words & keys) > 1


def base(test: str) -> str:
    """Return a test's name without its parameters."""
    return test.partition("[")[0]


@dataclass
class Board:
    """What is known so far: which tests execute a function, and how each ended against each fault."""

    spots: dict[tuple[str, str], list[Spot]]
    required: dict[tuple[str, str], tuple[str, ...]]
    """Function -> ids of the requirements that it carries."""
    whole: frozenset[tuple[str, str]] = frozenset()
    """Functions that put results together: judged as a whole, not statement by statement."""
    standing: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Keys of faults that tests noticed in an earlier round -> those tests."""
    formerly: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """Test without parameters -> keys of faults that it noticed in the round before, which are tried on it first.

    Which faults are tried hangs on all that a repair changed; a test that noticed one is not idle for that.
    """
    tests: TestRecord = field(default_factory=TestRecord)
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Test without parameters -> its source."""
    words: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict[str, dict[str, str]](dict))
    """Key of a fault -> test -> how it ended."""
    tried: dict[str, Spot] = field(default_factory=dict[str, Spot])
    cut_short: bool = False
    """Time ran out before all was tried that was wanted."""
    _by: dict[tuple[str, str], list[str]] = field(default_factory=dict[tuple[str, str], list[str]])

    def learn(self, tests: TestRecord) -> None:
        """Take over which functions each test executes; only tests that pass without a fault count."""
        self.tests, self._by = tests, {}
        for test in tests.passed():
            for name in {name.partition(".<locals>")[0] for name in tests.functions.get(test, ())}:
                path, _, symbol = name.partition(":")
                self._by.setdefault((path, symbol), []).append(test)
        for names in self._by.values():
            names.sort(key=self._cost)

    def _cost(self, test: str) -> tuple[bool, int, float, str]:
        """Slow tests come last, and before them those that execute much."""
        seconds = self.tests.seconds.get(test, 0.0)
        return seconds > SLOW, len(self.tests.functions.get(test, ())), seconds, test

    def executing(self, function: tuple[str, str]) -> list[str]:
        """Return the passed tests that execute a function, those that execute least besides it first."""
        return self._by.get(function, [])

    def note(self, spot: Spot, words: Mapping[str, str]) -> None:
        """Remember how tests ended against a fault."""
        self.tried[spot.key] = spot
        self.words[spot.key].update(words)

    def noticed_by(self, spot: Spot) -> list[str]:
        """Return the tests that found a difference."""
        return [test for test, word in self.words.get(spot.key, {}).items() if word == "asserted"]

    def judge(self, spot: Spot) -> Judged:
        """Return what the tests say of a fault; it is `missed` where all tests that execute its function passed."""
        words = set(self.words.get(spot.key, {}).values())
        if "asserted" in words:
            return "noticed"
        if words - {"passed", "skipped"}:
            return "broke"
        return "missed" if "passed" in words and not self._rest(spot) else "open"

    def passing(self, spot: Spot) -> bool:
        """True where no test that was run against a fault has failed so far."""
        return "passed" in self.words.get(spot.key, {}).values() and self.judge(spot) in ("missed", "open")

    # -- what to try next ----------------------------------------------------------------------------------------------

    def first(self, sample: Iterable[Spot]) -> dict[Spot, list[str]]:
        """One fault for each statement of what carries requirements, and a sample of others."""
        wanted: dict[Spot, list[str]] = {}
        for function in self.required:
            seen: set[int] = set()
            for spot in self.values(function):
                if spot.statement not in seen and (function not in self.whole or len(seen) < MORE):
                    seen.add(spot.statement)
                    wanted[spot] = self.before(spot) or self.specific(function)
        for spot in sample:
            wanted.setdefault(spot, self.before(spot) or self.specific(spot.function))
        return {spot: tests for spot, tests in wanted.items() if tests}

    def before(self, spot: Spot) -> list[str]:
        """Return the passed tests that noticed a fault in an earlier round."""
        names = self.standing.get(spot.key, ())
        return [test for name in names[:SPECIFIC] for test in self.instances(name)]

    def following(self, number: int) -> dict[Spot, list[str]]:
        """What is still open: statements without a fault that was noticed, tests that have noticed none."""
        wanted: dict[Spot, list[str]] = {}
        for function in self.required:
            for rows in self._open_statements(function):
                fresh = [spot for spot in rows if spot.key not in self.tried][: MORE if number == 2 else 1]
                for spot in fresh:
                    wanted[spot] = self.specific(function)
                passing = [spot for spot in rows if number > 2 and self.passing(spot)]
                for spot in passing[: 1 if number == 3 else None]:  # one that is noticed is enough
                    wanted[spot] = self._rest(spot)
        for spot in self.tried.values():
            if spot.key in self.standing and self.passing(spot):
                wanted[spot] = self._rest(spot)
        for test in self.silent():
            instances = self.instances(test)[: INSTANCES if number < ROUNDS else None]
            for spot in self._for_test(test)[: FIRST_GO if number == 2 else GO]:
                have = wanted.setdefault(spot, [])
                have += [each for each in instances if each not in have]
        return {spot: tests for spot, tests in wanted.items() if tests}

    def values(self, function: tuple[str, str]) -> list[Spot]:
        """Return the faults of a function that change what it computes."""
        return [spot for spot in self.spots.get(function, ()) if spot.value]

    def _open_statements(self, function: tuple[str, str]) -> list[list[Spot]]:
        rows: dict[int, list[Spot]] = {}
        for spot in self.values(function):
            rows.setdefault(spot.statement if function not in self.whole else 0, []).append(spot)
        return [each for each in rows.values() if not any(self.judge(spot) == "noticed" for spot in each)]

    def _rest(self, spot: Spot) -> list[str]:
        """Return the tests that execute its function and were not run against it: many instances of each.

        Which branch an instance takes is not known: the two that were run first may both pass the fault by.
        """
        asked = self.words.get(spot.key, {})
        had = Counter(map(base, asked))
        chosen: dict[str, list[str]] = {}
        for test in self.executing(spot.function):
            if test not in asked:
                chosen.setdefault(base(test), []).append(test)
        return [test for name, tests in chosen.items() for test in tests[: max(ALL_INSTANCES - had[name], 0)]]

    def specific(self, function: tuple[str, str]) -> list[str]:
        """Return the tests that are run first against the faults of a function."""
        chosen: dict[str, list[str]] = {}
        for test in self.executing(function):
            if base(test) in chosen or len(chosen) < SPECIFIC:
                chosen.setdefault(base(test), []).append(test)
        return [test for tests in chosen.values() for test in tests[:INSTANCES]]

    def instances(self, test: str) -> list[str]:
        """Return the passed instances of a test."""
        return [each for each in self.tests.passed() if base(each) == test]

    def silent(self) -> list[str]:
        """Return the tests that have noticed no fault yet, of those that execute something of the method."""
        heard = {base(test) for words in self.words.values() for test, word in words.items() if word == "asserted"}
        names = dict.fromkeys(base(test) for test in self.tests.passed())
        return [name for name in names if name not in heard and self._functions(name)]

    def _functions(self, test: str) -> list[tuple[str, str]]:
        """Return what a test executes and can be changed, what few other tests execute first."""
        calls = (name for each in self.instances(test) for name in self.tests.calls.get(each, ()))
        names = {name.partition(".<locals>")[0] for name in calls}
        pairs = [(path, symbol) for path, _, symbol in (name.partition(":") for name in sorted(names))]
        pairs = [pair for pair in pairs if self.spots.get(pair)]
        return sorted(pairs, key=lambda pair: len({base(each) for each in self.executing(pair)}))

    def _named(self, test: str, function: tuple[str, str]) -> bool:
        word = function[1].removesuffix(".__init__").rpartition(".")[2]
        return re.search(rf"\b{re.escape(word)}\b", self.texts.get(test, "")) is not None

    def seen_by(self, test: str) -> list[tuple[Spot, str]]:
        """Return the faults that were tried on a test, and how it ended."""
        found: list[tuple[Spot, str]] = []
        for key, words in self.words.items():
            mine = [word for name, word in words.items() if base(name) == test]
            found += [(self.tried[key], "asserted" if "asserted" in mine else mine[0])] if mine else []
        return found

    def _for_test(self, test: str) -> list[Spot]:
        """Return further faults for a test: what it noticed before, the plainest, of conduct, of every kind.

        Of each group those first that other tests noticed.
        """
        done = {spot.key for spot, _ in self.seen_by(test)}
        if len(done) >= MOST_TEST:
            return []
        known, again = self.formerly.get(test, frozenset[str]()), list[Spot]()
        plain: list[list[Spot]] = []
        conduct: list[list[Spot]] = []
        others: list[list[Spot]] = []
        for function in sorted(self._functions(test), key=lambda pair: not self._named(test, pair)):
            rows = [spot for spot in self.spots[function] if spot.key not in done]
            rows.sort(key=lambda spot: self.judge(spot) != "noticed")
            again += [row for row in rows if row.key in known]
            if self._named(test, function):
                plain.append([row for row in rows if row.all])
            rows = [row for row in rows if not row.all]
            conduct.append(_kinds([row for row in rows if row.fault.kind in (RAISE, *CONDUCT)]))
            others += [_kinds([row for row in rows if not row.value]), _kinds([row for row in rows if row.value])]
        plainest = _in_turn(plain)
        start, rest = plainest[:LEAST_PLAIN], plainest[LEAST_PLAIN:]
        return list(dict.fromkeys([*again, *start, *_in_turn([_in_turn(conduct), rest]), *_in_turn(others)]))

    # -- what it says --------------------------------------------------------------------------------------------------

    def idle(self) -> list[tuple[str, list[Spot]]]:
        """Return the tests that pass whatever the code does, each with the faults that it missed.

        Where time ran out, only those to which all was put that they get: the fault that a test of refused arguments
        notices may be the tenth.
        """
        found: list[tuple[str, list[Spot]]] = []
        for test in self.silent():
            missed = [spot for spot, word in self.seen_by(test) if word == "passed"]
            plain = [spot for spot in missed if spot.all and self._named(test, spot.function)]
            had_all = not self.cut_short or len(missed) >= ALL_GOES or not self._for_test(test)
            if had_all and len(missed) >= LEAST_TEST and len(plain) >= LEAST_PLAIN:
                found.append((test, [*plain, *(spot for spot in missed if spot not in plain)]))
        return found

    def not_judged(self) -> list[str]:
        """Return the tests that nothing can be said about."""
        idle = {test for test, _ in self.idle()}
        heard = {base(test) for words in self.words.values() for test, word in words.items() if word == "asserted"}
        return [name for name in dict.fromkeys(map(base, self.tests.passed())) if name not in idle | heard]

    def untested(self) -> list[tuple[tuple[str, str], list[Spot]]]:
        """Return the required functions, each with faults that no test noticed; none where no test executes it."""
        found: list[tuple[tuple[str, str], list[Spot]]] = []
        for function in self.required:
            values = self.values(function)
            if not values:
                continue
            missed = [spot for spot in values if self.judge(spot) == "missed"]
            rows = [[spot for spot in each if spot in missed] for each in self._open_statements(function)]
            blind = [spot for each in rows if len(each) >= LEAST_STATEMENT for spot in each]
            noticed = any(self.judge(spot) == "noticed" for spot in values)
            if not noticed and len(missed) >= LEAST_FUNCTION:
                blind = missed
            if blind or not self.executing(function):
                found.append((function, blind))
        return found


def _kinds(rows: Sequence[Spot]) -> list[Spot]:
    """Put one of each kind first."""
    columns: dict[str, list[Spot]] = {}
    for row in rows:
        columns.setdefault(row.fault.kind, []).append(row)
    return _in_turn(list(columns.values()))


def _in_turn(columns: Sequence[Sequence[Spot]]) -> list[Spot]:
    longest = max(map(len, columns), default=0)
    return [column[row] for row in range(longest) for column in columns if row < len(column)]
