"""Tables of raw rows that are too long to be read as text: looked at row by row for being nothing else."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

ROWS = "claims/rows/"
"""Where the record of the claims keeps its raw rows; no program of the repository is given them."""
MOST_BYTES = 256 << 20
_MOST_FIELD = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def is_rows(name: str, path: Path) -> bool:
    """Return whether a file is a table of rows of the record: CSV whose every record has the fields of its head.

    Raises: OSError.
    """
    if not name.startswith(ROWS) or not name.endswith(".csv") or path.stat().st_size > MOST_BYTES:
        return False
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader((line.removesuffix("\n").removesuffix("\r") for line in file), strict=True)
        try:
            return _is_uniform(reader)
        except (csv.Error, UnicodeDecodeError):
            return False


def _is_uniform(records: Iterator[list[str]]) -> bool:
    head = next(records, None)
    if head is None or len(head) < 2 or not all(field.isidentifier() for field in head):
        return False
    return all(len(record) == len(head) and all(map(_is_plain, record)) for record in records)


def _is_plain(field: str) -> bool:
    return len(field) <= _MOST_FIELD and not _CONTROL.search(field)
