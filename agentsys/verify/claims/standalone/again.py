"""Evaluates a record of claims again: contracts and raw rows to verdicts, beside those that were stored."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from .evaluate import Judged, judge
from .rows import Rows, read_rows
from .verdict import DIRECTIONS, Decision

CONTRACTS, FINDINGS, UNITS, VERDICTS, ROWS = "contracts.json", "findings.json", "units.json", "verdicts.json", "rows"
_CLOSE = 1e-6


def main(folder: Path) -> int:
    """Print a table of verdicts, and what differs from the stored ones.

    Returns: 0 where everything is as stored, 1 where something differs, 2 where the record cannot be read.
    """
    try:
        stored = _load(folder / VERDICTS)
        judged = judge_all(_load(folder / CONTRACTS), _rows(folder), _load(folder / FINDINGS), _load(folder / UNITS))
        faults = [*_altered(folder, stored), *_frozen(_load(folder / CONTRACTS)), *_different(judged, stored)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        sys.stderr.write(f"this record cannot be evaluated: {type(error).__name__}: {error}\n")
        return 2
    for each in judged:
        accept = each.outcomes.get("accept")
        measured = "" if accept is None or accept.value is None else f"{accept.value:.6g} (n = {accept.n})"
        line = f"{each.claim:<5} {each.decision.verdict:<13} {measured:<26} {', '.join(each.decision.reasons)}"
        sys.stdout.write(line.rstrip() + "\n")
    for fault in faults:
        sys.stdout.write(f"differs: {fault}\n")
    sys.stdout.write(f"{len(judged)} verdicts evaluated again, {len(faults)} differences\n")
    return 1 if faults else 0


def judge_all(contracts: Any, rows: Rows, findings: Any, units: Any) -> list[Judged]:
    """Return the verdict of every claim by the contract that counts now.

    Args:
        contracts: `contracts.json`: claim -> its contract and amendments.
        findings: claim -> what checker, reviewer and paper's audit found.
        units: claim -> conversions of units.
    """
    found: dict[str, Judged] = {}
    for claim, entries in contracts["claims"].items():
        known = findings.get(claim, {})
        alone = {**known, "contradicted": bool(known.get("contradicted")) and not known.get("against")}
        found[claim] = judge(entries[-1]["contract"], rows, alone, units.get(claim, {}))
    return [_beside(each, findings.get(claim, {}).get("against", ()), found) for claim, each in found.items()]


def _beside(each: Judged, against: Sequence[str], found: Mapping[str, Judged]) -> Judged:
    """Two claims of a paper contradict each other: both are contested, unless the rows refute just one of them.

    The one that they refute is falsified whatever they say of the other; that one is verified only if they show it.
    """
    verdict = each.decision.verdict
    if not against or verdict == "blocked":
        return each
    others = {found[claim].decision.verdict if claim in found else "" for claim in against}
    if verdict == ("verified" if others == {"falsified"} else "falsified") and verdict not in others:
        return replace(each, decision=Decision(verdict, (*each.decision.reasons, "contradiction_settled")))
    told = [code for code in each.decision.reasons if verdict in ("verified", "falsified") and code in DIRECTIONS]
    return replace(each, decision=Decision("contested", ("paper_contradicts_itself", *told)))


def canonical_hash(document: object) -> str:
    """Return the SHA-256 of a JSON document, whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that the verdicts rest on, by its path in the record."""
    files = [folder / name for name in (CONTRACTS, FINDINGS, UNITS)] + sorted((folder / ROWS).glob("*.csv"))
    return {file.relative_to(folder).as_posix(): _sha256(file) for file in files}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _rows(folder: Path) -> Rows:
    return read_rows(sorted((folder / ROWS).glob("*.csv")))


def _altered(folder: Path, stored: Any) -> Iterator[str]:
    now = file_hashes(folder)
    for name in sorted(now.keys() | stored["files"].keys()):
        if now.get(name) != stored["files"].get(name):
            yield f"{name} is not the file that was judged"


def _frozen(contracts: Any) -> Iterator[str]:
    """Contracts and amendments whose hash or chain does not hold."""
    for claim, entries in contracts["claims"].items():
        previous = ""
        for entry in entries:
            said = {key: entry[key] for key in ("hash", "reason", "results_seen", "previous")}
            whole = canonical_hash(entry["contract"]) == entry["hash"] and canonical_hash(said) == entry["link"]
            if not whole or entry["previous"] != previous:
                yield f"a contract of {claim} is not the one that was frozen"
            previous = entry["link"]


def _different(judged: list[Judged], stored: Any) -> Iterator[str]:
    before = {each["claim"]: each for each in stored["verdicts"]}
    for each in judged:
        old = before.pop(each.claim, None)
        if old is None:
            yield f"{each.claim} has no stored verdict"
        elif not _alike(_as_told(each.document(), old), old):
            yield f"{each.claim} was {old['verdict']} ({', '.join(old['reasons'])})"
    for claim in before:
        yield f"{claim} has a stored verdict and no contract"


def _as_told(now: Any, old: Any) -> Any:
    """A contested claim as records tell it that do not say yet what the rows say of it."""
    later = {*DIRECTIONS, "missing"}
    if now["verdict"] != "contested" or set(old["reasons"]) & later:
        return now
    return {**now, "reasons": [code for code in now["reasons"] if code not in later]}


def _alike(one: Any, other: Any) -> bool:
    """Equal, but for the last digits of numbers: those belong to the machine."""
    if isinstance(one, dict):
        mine, theirs = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        keys = mine.keys() & theirs.keys()
        # Records from before the parts of a rule were kept have none.
        whole = isinstance(other, dict) and mine.keys() ^ theirs.keys() <= {"parts"}
        return whole and all(_alike(mine[key], theirs[key]) for key in keys)
    if isinstance(one, list) and isinstance(other, list):
        mine, theirs = cast("list[Any]", one), cast("list[Any]", other)
        return len(mine) == len(theirs) and all(map(_alike, mine, theirs))
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= _CLOSE * max(abs(one), abs(other))
    return one == other
