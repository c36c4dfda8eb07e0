"""Evidence for each requirement of the ledger: what carries it, which tests executed that, which results were measured.

A pure function of plan, repository files and what a round stored. Nothing is claimed that is not seen there. A
requirement is *shown* if a test noticed a fault that was planted in what carries it, or if a result was measured that
moves with the method; *executed only* if passed tests ran it, or a result was measured, and nothing more is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentsys.core.artifacts import Artifact, FileSpec, Plan, Requirement
from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import Definition, clean_symbol, covers, definitions, public_functions, resolve
from agentsys.plan.traceability import has_key
from agentsys.verify.results_file import Results, ResultsError, parse_results

EvidenceState = Literal["shown", "executed", "written", "not_done", "not_attempted"]
SymbolKind = Literal["function", "class", "value", "config", "result"]
CONFIG_FILE = "configs/full.yaml"
MOST_TESTS = 12
"""Tests named for one symbol; a helper may be executed by all tests."""
UNNAMED = "symbols not named by the plan"


class SymbolEvidence(Artifact):
    """One thing that carries a requirement, and what was seen of it."""

    path: str = Field(description="file that holds it; of a result, the results file")
    symbol: str = Field(description="`function`, `Class.method`, or the key of a configuration value or result")
    kind: SymbolKind
    found: bool = Field(description="in the syntax tree, the configuration or the results file")
    line: int | None = Field(default=None, description="line in the file, counted from 1")
    tests: tuple[str, ...] = Field(default=(), description="the first passed tests that executed it, by node id")
    tests_total: int = Field(default=0, description="how many passed tests executed it")
    noticed: tuple[str, ...] = Field(default=(), description="the first tests that noticed a fault planted in it")
    value: float | None = Field(default=None, description="measured value of a result")
    computed: bool = Field(default=False, description="the value moves where the method is changed")
    reason: str = Field(default="", description="why a result was not attempted, in the run's words")

    @property
    def shown(self) -> bool:
        """True if a test noticed a fault planted in it, or its result was measured and moves with the method."""
        return self.found and (bool(self.noticed) or (self.value is not None and self.computed))

    @property
    def executed(self) -> bool:
        """True if a passed test executed it, or its result was measured."""
        return self.found and (bool(self.tests) or self.value is not None)


class RequirementEvidence(Artifact):
    """One requirement and what was seen of it."""

    id: str
    state: EvidenceState
    owner: str = Field(description="path of the owner file; empty where it is not there")
    symbols: tuple[SymbolEvidence, ...] = ()
    tests: tuple[str, ...] = Field(default=(), description="passed tests that executed one of the symbols")
    named: bool = Field(default=True, description="False where the plan names no symbols: any public function counted")
    note: str = Field(default="", description="what a reader must know: why it is not done, or not shown")


class Evidence(Artifact):
    """Evidence for the whole ledger."""

    requirements: tuple[RequirementEvidence, ...]
    looked_at_tests: bool = Field(description="False where no record of executed tests was there")
    looked_at_results: bool = Field(description="False where no sound results file was there")

    def ids(self, *states: EvidenceState) -> list[str]:
        """Return the ids of the requirements in one of these states, in the ledger's order."""
        return [row.id for row in self.requirements if row.state in states]

    def of(self, requirement: str) -> RequirementEvidence | None:
        """Return the evidence for one requirement."""
        return next((row for row in self.requirements if row.id == requirement), None)


class TestRecord(BaseModel):
    """`rounds/NN/tests.json`: how each test ended and which functions of the method it executed."""

    __test__ = False
    model_config = ConfigDict(extra="ignore", frozen=True)

    outcomes: dict[str, str] = {}
    functions: dict[str, tuple[str, ...]] = {}
    calls: dict[str, tuple[str, ...]] = {}
    """Those of them that the test's own body executed, not its fixtures."""
    seconds: dict[str, float] = {}

    def passed(self) -> list[str]:
        """Return the tests that passed."""
        return [test for test, outcome in self.outcomes.items() if outcome == "passed"]

    def executed(self, path: str, symbol: str) -> tuple[str, ...]:
        """Return the passed tests that executed a symbol of a file."""
        prefix = f"{path}:"
        return tuple(
            test
            for test in self.passed()
            if any(
                name.startswith(prefix) and covers(symbol, name.removeprefix(prefix))
                for name in self.functions.get(test, ())
            )
        )


@dataclass(frozen=True)
class Proof:
    """What shows more than that code was executed."""

    noticed: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict[tuple[str, str], tuple[str, ...]])
    """(file, function) -> tests that noticed a fault planted there, without their parameters."""
    computed: frozenset[str] = frozenset()
    """Keys of results that move where the method is changed."""

    def tests(self, path: str, symbol: str) -> tuple[str, ...]:
        """Return the tests that noticed a fault in a function, or in a method of a class."""
        rows = [names for (file, name), names in self.noticed.items() if file == path and covers(symbol, name)]
        return tuple(sorted({test for names in rows for test in names}))


class _Key(BaseModel):
    model_config = ConfigDict(extra="ignore")
    key: str
    state: str


class _Keys(BaseModel):
    model_config = ConfigDict(extra="ignore")
    keys: tuple[_Key, ...] = ()


def read_computed(raw: bytes | None) -> frozenset[str]:
    """Read which results a stored dependence.json found to be computed by the method; none where it is absent."""
    try:
        rows = _Keys.model_validate_json(raw).keys if raw is not None else ()
    except ValidationError:
        return frozenset()
    return frozenset(row.key for row in rows if row.state == "computed")


@dataclass(frozen=True)
class _Seen:
    """What the requirements are compared with."""

    plan: Plan
    files: Mapping[str, bytes]
    tests: TestRecord | None
    results: Results | None
    config: object = None
    proof: Proof = field(default_factory=Proof)
    defined: dict[str, dict[str, Definition]] = field(default_factory=dict[str, dict[str, Definition]])

    def symbols_of(self, path: str) -> dict[str, Definition]:
        if path not in self.defined:
            text = self.files.get(path, b"").decode("utf-8", "replace") if path.endswith(".py") else ""
            self.defined[path] = definitions(text)
        return self.defined[path]


def gather(
    plan: Plan,
    files: Mapping[str, bytes],
    tests: TestRecord | None = None,
    results: Results | None = None,
    proof: Proof | None = None,
) -> Evidence:
    """Return the evidence for every requirement of the plan.

    Args:
        files: the delivered repository, POSIX path to content.
        tests: what the verification of these files recorded; None if there is no record.
        results: what the run of these files measured; None if there is no sound results file.
        proof: what planted faults and changed methods showed of these files; without it nothing is shown.
    """
    seen = _Seen(plan, files, tests, results, _config(files), proof or Proof())
    rows = tuple(_requirement(seen, row) for row in plan.requirements)
    return Evidence(requirements=rows, looked_at_tests=tests is not None, looked_at_results=results is not None)


def read_tests(raw: bytes | None) -> TestRecord | None:
    """Read a stored tests.json; None where it is absent or not in that form."""
    try:
        return TestRecord.model_validate_json(raw) if raw is not None else None
    except ValidationError:
        return None


def read_results(raw: bytes | None) -> Results | None:
    """Read a stored results.json; None where it is absent or unsound."""
    try:
        return parse_results(raw) if raw is not None else None
    except ResultsError:
        return None


def _requirement(seen: _Seen, row: Requirement) -> RequirementEvidence:
    owner = row.owner if row.owner in seen.files else ""
    named = _named(seen, row)
    symbols = tuple(_look(seen, spec, text) for spec, text in named) or _candidates(seen, row)
    state, note = _state(row, owner, symbols, named=bool(named))
    tests = tuple(dict.fromkeys(test for item in symbols for test in item.tests))
    return RequirementEvidence(
        id=row.id, state=state, owner=owner, symbols=symbols, tests=tests, named=bool(named), note=note
    )


def _named(seen: _Seen, row: Requirement) -> list[tuple[FileSpec, str]]:
    """Return the symbols that the plan names, the owner's first; those of test files only where a test file owns it."""
    specs = sorted(seen.plan.files, key=lambda spec: spec.path != row.owner)
    pairs = [(spec, text) for spec in specs for text in spec.symbols.get(row.id, ()) if text.strip()]
    return [(spec, text) for spec, text in pairs if not is_test_path(spec.path) or spec.path == row.owner]


def _candidates(seen: _Seen, row: Requirement) -> tuple[SymbolEvidence, ...]:
    """Return the owner's public functions, where the plan names no symbols."""
    defined = seen.symbols_of(row.owner)
    return tuple(_code(seen, row.owner, name) for name in public_functions(defined))


def _look(seen: _Seen, spec: FileSpec, text: str) -> SymbolEvidence:
    prefix, _, key = text.strip().strip("`").partition(":")
    if prefix == "config":
        return SymbolEvidence(path=CONFIG_FILE, symbol=key, kind="config", found=has_key(seen.config, key))
    if prefix == "result":
        value = seen.results.value(key) if seen.results else None
        reason = seen.results.reason(key) if seen.results and value is None else ""
        found = value is not None or bool(reason)
        return SymbolEvidence(
            path="results/results.json",
            symbol=key,
            kind="result",
            found=found,
            value=value,
            reason=reason,
            computed=key in seen.proof.computed,
        )
    return _code(seen, spec.path, _without_module(clean_symbol(text), spec.path))


def _without_module(symbol: str, path: str) -> str:
    """Return `Class.method` of `package.module.Class.method`, `path:Class.method` and `path::Class::method`."""
    name = symbol.removeprefix(path).lstrip(":").replace("::", ".")
    module = path.removesuffix(".py").removeprefix("src/").replace("/", ".")
    return name.removeprefix(f"{module}.").removeprefix(f"{module.rpartition('.')[2]}.")


def _code(seen: _Seen, path: str, symbol: str) -> SymbolEvidence:
    item = resolve(seen.symbols_of(path), symbol)
    if item is None:
        return SymbolEvidence(path=path, symbol=symbol, kind="function", found=False)
    tests = _tests(seen, path, item)
    return SymbolEvidence(
        path=path,
        symbol=symbol,
        kind=item.kind,
        found=True,
        line=item.line,
        tests=tests[:MOST_TESTS],
        tests_total=len(tests),
        noticed=_noticed(seen, path, item, tests)[:MOST_TESTS],
    )


def _tests(seen: _Seen, path: str, item: Definition) -> tuple[str, ...]:
    """Return the passed tests that executed a definition; a test function is executed by itself."""
    if seen.tests is None:
        return ()
    if is_test_path(path):
        node = f"{path}::{item.name.replace('.', '::')}"
        return tuple(test for test in seen.tests.passed() if test == node or test.startswith((f"{node}[", f"{node}::")))
    return seen.tests.executed(path, item.name)


def _noticed(seen: _Seen, path: str, item: Definition, tests: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tests that noticed a fault in a definition; a test function counts if it noticed one anywhere."""
    if not is_test_path(path):
        return seen.proof.tests(path, item.name)
    heard = {test for names in seen.proof.noticed.values() for test in names}
    return tuple(dict.fromkeys(test.partition("[")[0] for test in tests if test.partition("[")[0] in heard))


def _state(
    row: Requirement, owner: str, symbols: tuple[SymbolEvidence, ...], *, named: bool
) -> tuple[EvidenceState, str]:
    if not owner:
        return "not_done", f"`{row.owner}` is not there"
    written = [item for item in symbols if item.kind != "result"]
    missing = [item.symbol for item in written if not item.found]
    gone = f"not there: {', '.join(f'`{name}`' for name in missing)}" if missing else ""
    said = "" if named else UNNAMED
    if written and len(missing) == len(written):
        return "not_done", gone
    if any(item.shown for item in symbols):
        return "shown", gone or said
    reasons = list(dict.fromkeys(item.reason for item in symbols if item.reason))
    if reasons:
        return "not_attempted", "; ".join(reasons)
    if any(item.executed for item in symbols):
        return "executed", gone or said
    return "written", gone or _why_written(symbols, said)


def _why_written(symbols: tuple[SymbolEvidence, ...], said: str) -> str:
    keys = [item.symbol for item in symbols if item.kind == "result"]
    why = f"no value of `{keys[0]}` was measured" if keys else "no passed test executed it"
    if symbols and all(item.kind == "config" for item in symbols):
        why = "a value in the configuration; no test or result is named for it"
    return f"{why}; {said}" if said else why


def _config(files: Mapping[str, bytes]) -> object:
    try:
        return yaml.safe_load(files.get(CONFIG_FILE, b"").decode("utf-8", "replace"))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
