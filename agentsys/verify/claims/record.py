"""The record of claims: contracts, raw rows and verdicts, with a program that evaluates them again without agentsys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from agentsys.core.artifacts import Artifact
from agentsys.core.files import write_atomic, write_json
from agentsys.plan.claims.amendment import Contracts
from agentsys.verify.claims.standalone import again
from agentsys.verify.claims.standalone.evaluate import Judged
from agentsys.verify.claims.standalone.rows import Rows, RowsError, read_rows
from agentsys.verify.claims.units import conversions, units_of

SCRIPT = "evaluate.py"
_PROGRAM = '''"""Evaluates all verdicts again from the raw rows; needs Python 3.11, numpy and scipy.

    python evaluate.py

Exit code 0: every verdict is as stored; 1: something differs, and is named; 2: the record cannot be read.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from standalone.again import main  # noqa: E402

sys.exit(main(HERE))
'''


class Findings(Artifact):
    """What is known of a claim beside its rows."""

    checker: Literal["agrees", "disagrees", "absent"] = "absent"
    reviewer: Literal["clean", "finding", "absent"] = "absent"
    contradicted: bool = False
    data_absent: bool = False
    """Data that the claim rests on is not here, and no row could be measured without it."""
    against: tuple[str, ...] = ()
    """Claims of the paper that contradict this one; none where some contradiction is of no claim's words."""


def judge_claims(contracts: Contracts, rows: Rows, findings: Mapping[str, Findings]) -> list[Judged]:
    """Return the verdict of every claim by the contract that counts now."""
    documents, found = contracts.model_dump(mode="json"), _documents(findings)
    return again.judge_all(documents, rows, found, unit_tables(contracts, rows))


def unit_tables(contracts: Contracts, rows: Rows) -> dict[str, dict[str, dict[str, tuple[float, float]]]]:
    """Return for each claim how the units of its rows convert to those of its contract."""
    tables: dict[str, dict[str, dict[str, tuple[float, float]]]] = {}
    for claim, entries in contracts.claims.items():
        contract = entries[-1].contract
        stated = units_of(contract.model_dump(mode="json"))
        present = {rows.units[int(code)] for code in set(rows.unit[rows.of_claim(claim)].tolist())}
        tables[claim] = conversions(contract.count_units, stated, sorted({*present, *stated}))
    return tables


def write_record(
    folder: Path, contracts: Contracts, row_files: Sequence[Path], findings: Mapping[str, Findings]
) -> list[Judged]:
    """Judge every claim and write all that a stranger needs to do it again into `folder`.

    Args:
        row_files: CSV files of raw rows, with names of their own; each is copied to `rows/`.

    Raises: RowsError where a file of rows is malformed, a link, or has the name of another; nothing is written then.
    """
    _refuse_odd(row_files)
    rows = read_rows(row_files)
    judged = judge_claims(contracts, rows, findings)
    _copy_rows(folder / again.ROWS, row_files)
    write_json(folder / again.CONTRACTS, contracts)
    write_json(folder / again.FINDINGS, _documents(findings))
    write_json(folder / again.UNITS, unit_tables(contracts, rows))
    _copy_program(folder)
    stored: dict[str, Any] = {
        "format": 1,
        "files": again.file_hashes(folder),
        "verdicts": [each.document() for each in judged],
    }
    write_atomic(folder / again.VERDICTS, json.dumps(stored, indent=1, allow_nan=False) + "\n")
    return judged


def _documents(findings: Mapping[str, Findings]) -> dict[str, Any]:
    return {claim: each.model_dump(mode="json") for claim, each in findings.items()}


def _refuse_odd(files: Iterable[Path]) -> None:
    names: set[str] = set()
    for file in files:
        if file.is_symlink() or not file.is_file() or file.suffix != ".csv":
            raise RowsError(f"{file.name} is not a plain .csv file")
        if file.name in names:
            raise RowsError(f"two files of rows are called {file.name}: give each a name of its own")
        names.add(file.name)


def _copy_rows(target: Path, files: Iterable[Path]) -> None:
    """Put the files into an otherwise empty folder: rows of an earlier record are no part of this one."""
    sources = {file.resolve() for file in files}
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("*.csv"):
        if old.resolve() not in sources:
            old.unlink()
    for file in sorted(sources):
        if file.parent != target.resolve():
            shutil.copyfile(file, target / file.name)


def _copy_program(folder: Path) -> None:
    source = Path(again.__file__).parent
    for file in sorted(source.glob("*.py")):
        write_atomic(folder / "standalone" / file.name, file.read_bytes())
    write_atomic(folder / SCRIPT, _PROGRAM)
