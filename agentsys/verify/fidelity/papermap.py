"""`PAPER_MAP.md` and `paper_map.json`: requirement -> place in the paper -> code -> tests -> evidence; and a check."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.core.artifacts import PaperPlace, Plan
from agentsys.core.text import code, md
from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import definitions, resolve
from agentsys.verify.fidelity.evidence import Evidence, EvidenceState, RequirementEvidence, SymbolEvidence, TestRecord
from agentsys.verify.results_file import Results

STATE_WORDS: dict[EvidenceState, str] = {
    "shown": "shown",
    "executed": "executed only",
    "written": "written, not shown",
    "not_done": "not done",
    "not_attempted": "not attempted",
}
SHOWN_MEANS = (
    "shown: a test noticed a fault planted in the code that carries it, or a result was measured that moves with the "
    "method; executed only: passed tests ran the code, or a result was measured, and nothing more is known"
)
_TESTS_SHOWN = 3


class MapRow(BaseModel):
    """One requirement, where the paper says it, where it went, and what was seen of it."""

    model_config = ConfigDict(extra="ignore")

    id: str
    what: str
    kind: str
    status: str
    place: PaperPlace
    owner: str
    """Empty where the file is not there."""
    files: list[str]
    tests: list[str]
    """Passed tests that executed one of the symbols, by node id."""
    symbols: list[SymbolEvidence] = []
    evidence: EvidenceState = "written"
    note: str = ""


class PaperMap(BaseModel):
    """The content of paper_map.json."""

    model_config = ConfigDict(extra="ignore")

    version: int = 2
    requirements: list[MapRow]


def paper_map(plan: Plan, evidence: Evidence, files: Mapping[str, bytes]) -> tuple[str, str]:
    """Return PAPER_MAP.md and paper_map.json."""
    rows: list[MapRow] = []
    for row, seen in zip(plan.requirements, evidence.requirements, strict=True):
        touched = [spec.path for spec in plan.files if row.id in spec.requirements and spec.path in files]
        rows.append(
            MapRow(
                id=row.id,
                what=row.what,
                kind=row.kind,
                status=row.status,
                place=row.place,
                owner=seen.owner,
                files=[path for path in touched if not is_test_path(path)],
                tests=list(seen.tests),
                symbols=list(seen.symbols),
                evidence=seen.state,
                note=seen.note,
            )
        )
    data = PaperMap(requirements=rows).model_dump(mode="json")
    return _page(rows, evidence), json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def map_faults(raw: str, files: Mapping[str, bytes], tests: TestRecord | None, results: Results | None) -> list[str]:
    """Return what a paper_map.json claims that is not so; empty for a true map.

    Looks again, on its own, whether each owner is there, each symbol stands on its line, each test passed and executed
    the symbol, and each value is the measured one.
    """
    try:
        rows = PaperMap.model_validate_json(raw).requirements
    except ValidationError as error:
        return [f"paper_map.json does not fit its schema: {error.errors()[0]['msg']}"]
    faults: list[str] = []
    for row in rows:
        if row.owner and row.owner not in files:
            faults.append(f"{row.id}: `{row.owner}` is not there")
        found = [item for item in row.symbols if item.found]
        if row.evidence == "shown" and not any(item.shown for item in found):
            faults.append(f"{row.id}: counted as shown without a fault noticed or a result")
        for item in found:
            faults += [f"{row.id}: {words}" for words in _symbol_faults(item, files, tests, results)]
        claimed = {test for item in found for test in item.tests}
        faults += [f"{row.id}: no symbol names `{test}`" for test in row.tests if test not in claimed]
    return faults


def _symbol_faults(
    item: SymbolEvidence, files: Mapping[str, bytes], tests: TestRecord | None, results: Results | None
) -> list[str]:
    if item.kind == "result":
        measured = results.value(item.symbol) if results else None
        return [] if item.value == measured else [f"`{item.symbol}` was not measured as {item.value}"]
    if item.kind == "config":
        return [] if item.path in files else [f"`{item.path}` is not there"]
    defined = resolve(definitions(files.get(item.path, b"").decode("utf-8", "replace")), item.symbol)
    if defined is None or defined.line != item.line:
        return [f"`{item.symbol}` is not at `{item.path}:{item.line}`"]
    passed = set(tests.passed()) if tests else set[str]()
    ran = set(tests.executed(item.path, defined.name)) if tests else set[str]()
    wrong = [test for test in item.tests if test not in passed or not (is_test_path(item.path) or test in ran)]
    return [f"`{test}` did not pass or did not execute `{item.symbol}`" for test in wrong]


def _page(rows: list[MapRow], evidence: Evidence) -> str:
    shown = sum(1 for row in rows if row.evidence == "shown")
    executed = sum(1 for row in rows if row.evidence == "executed")
    lines = [
        "# Where the paper is in the code",
        "",
        f"{shown} of {len(rows)} requirements are shown, {executed} executed only ({SHOWN_MEANS}). `paper_map.json` "
        "names more tests.",
    ]
    if not evidence.looked_at_tests:
        lines += ["", "This code was not tested: no record of executed tests is there."]
    open_rows = [row for row in rows if row.evidence in ("not_done", "written")]
    if open_rows:
        lines += ["", "Without owner or evidence:", ""]
        lines += [
            f"- {row.id} ({STATE_WORDS[row.evidence]}): {_text(row.what)} ({_text(row.note)})" for row in open_rows
        ]
    lines += [
        "",
        "| id | what | place in the paper | status | code | tests | evidence |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        what = _text(row.what)
        cells = (row.id, what, _place(row.place), row.status, _code(row), _tests(row), _evidence(row))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _place(place: PaperPlace) -> str:
    where = ", ".join(part for part in (place.section, place.label) if part)
    where += f" (p. {place.page})" if place.page else ""
    return _text(f"{where}: “{place.quote}”" if place.quote else where)


def _code(row: MapRow) -> str:
    if not row.owner:
        return "not written"
    named = [item for item in row.symbols if item.kind != "result" and item.found]
    cells = [f"{_name(f'{item.path}:{item.line}' if item.line else item.path)} {_text(item.symbol)}" for item in named]
    return "; ".join(cells) or _name(row.owner)


def _tests(row: MapRow) -> str:
    shown = [_name(test) for test in row.tests[:_TESTS_SHOWN]]
    more = max([len(row.tests), *(item.tests_total for item in row.symbols)]) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _evidence(row: MapRow) -> str:
    values = [f"{_name(item.symbol)} = {item.value:g}" for item in row.symbols if item.value is not None]
    return "; ".join(part for part in (STATE_WORDS[row.evidence], *values, _text(row.note)) if part)


def _text(text: str) -> str:
    return md(text, 2000)


def _name(text: str) -> str:
    return code(text, 400)


def open_ends(evidence: Evidence) -> list[RequirementEvidence]:
    """Return the requirements without owner or evidence, in the ledger's order."""
    return [row for row in evidence.requirements if row.state in ("not_done", "written")]
