"""Raw rows of claim runs: one measured value each, nothing aggregated. The files are hostile data until read here.

CSV, UTF-8, with the header `claim,seed,setting,method,quantity,value,unit`. A setting is `key=value;key=value` (or
empty); a value is a decimal number, `nan` or `inf`, or, where arithmetic was exact, an integer or a fraction `-3/7`.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER = ("claim", "seed", "setting", "method", "quantity", "value", "unit")
MOST_ROWS = 5_000_000
MOST_NAMES = 500_000
CASE = "case"
"""Key of a setting that marks rows as no evidence: `control`, `degenerate`."""
_CLAIM = re.compile(r"C[0-9]{1,3}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{0,63}")
_SETTING_VALUE = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_SEED = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?")
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?|[+-]?(nan|inf)")
_EXACT = re.compile(r"[+-]?[0-9]{1,4000}(/[0-9]{1,4000})?")
_UNIT = re.compile(r"|[A-Za-z0-9%µΩ°._*/^()-]([A-Za-z0-9%µΩ°._*/^ ()-]{0,78}[A-Za-z0-9%µΩ°._*/^()-])?")
_LARGEST_EXACT_FLOAT = 2**53

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class RowsError(ValueError):
    """A file of raw rows is not what an experiment may write; the message names file, line and remedy."""


class _Names:
    """Names in order of appearance, so that a column is an array of small integers."""

    def __init__(self, pattern: re.Pattern[str], what: str) -> None:
        self._pattern = pattern
        self._what = what
        self.codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        if (known := self.codes.get(name)) is not None:
            return known
        if not self._pattern.fullmatch(name):
            raise RowsError(f"{self._what} {name[:80]!r} is malformed")
        if len(self.codes) >= MOST_NAMES:
            raise RowsError(f"more than {MOST_NAMES:,} different values of {self._what}")
        return self.codes.setdefault(name, len(self.codes))


class _Settings(_Names):
    """Settings by their canonical text; the order of the keys makes no difference."""

    def __init__(self) -> None:
        super().__init__(re.compile(r".*"), "setting")
        self._canonical: dict[str, int] = {}
        self.parsed: list[dict[str, str]] = []

    def code(self, name: str) -> int:
        if (known := self._canonical.get(name)) is not None:
            return known
        parsed = parse_setting(name)
        number = super().code(setting_text(parsed))
        if number == len(self.parsed):
            self.parsed.append(parsed)
        self._canonical[name] = number
        return number


def parse_setting(text: str) -> dict[str, str]:
    """Return the keys and values of a setting.

    Raises: RowsError where it is not `key=value;key=value` with distinct keys.
    """
    found: dict[str, str] = {}
    for part in text.split(";") if text else ():
        key, sign, value = part.partition("=")
        if not sign or key in found or not _NAME.fullmatch(key) or not _SETTING_VALUE.fullmatch(value):
            raise RowsError(f"setting {text[:120]!r} is not `key=value;key=value` with distinct keys")
        found[key] = value
    return found


def setting_text(setting: dict[str, str]) -> str:
    """Return the canonical text of a setting: keys sorted."""
    return ";".join(f"{key}={value}" for key, value in sorted(setting.items()))


def distinct(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct values, increasing, and for each value its place among them."""
    if not len(values):
        return values, values
    low, high = int(values.min()), int(values.max())
    if high - low > 4 * len(values) + 1000:
        found, inverse = np.unique(values, return_inverse=True)
        return found, inverse.astype(np.int64)
    # Codes and seeds lie close together: a table of them is ten times faster than a sort.
    there = np.zeros(high - low + 1, dtype=np.int64)
    there[values - low] = 1
    return np.flatnonzero(there).astype(np.int64) + low, (np.cumsum(there) - 1)[values - low]


@dataclass(frozen=True)
class Rows:
    """Raw rows as columns of codes; `claims[claim[i]]` is the claim of row i, and so on.

    `exact` marks integers and fractions; `texts` holds those that no float represents.
    """

    claims: tuple[str, ...]
    settings: tuple[dict[str, str], ...]
    methods: tuple[str, ...]
    quantities: tuple[str, ...]
    units: tuple[str, ...]
    claim: Ints
    seed: Ints
    setting: Ints
    method: Ints
    quantity: Ints
    unit: Ints
    value: Floats
    exact: NDArray[np.bool_]
    texts: dict[int, str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.value)

    @cached_property
    def _sorted(self) -> tuple[Ints, Ints]:
        keys = self.claim * len(self.quantities) + self.quantity
        order = np.argsort(keys, kind="stable")
        return order.astype(np.int64), keys[order]

    def in_case(self, index: Ints, case: str) -> Ints:
        """Return those of `index` whose setting has this value of `case`; an empty text: none."""
        names, codes = self._cases
        return index[codes[self.setting[index]] == names.get(case, -1)]

    @cached_property
    def _cases(self) -> tuple[dict[str, int], Ints]:
        names: dict[str, int] = {}
        return names, np.array(
            [names.setdefault(each.get(CASE, ""), len(names)) for each in self.settings], dtype=np.int64
        )

    def of_claim(self, claim: str) -> Ints:
        """Return the numbers of the rows of a claim, those of one quantity together."""
        if claim not in self.claims:
            return np.empty(0, np.int64)
        order, keys = self._sorted
        first = self.claims.index(claim) * len(self.quantities)
        low, high = np.searchsorted(keys, [first, first + len(self.quantities)])
        return order[low:high]

    def of_quantity(self, claim: str, quantity: str) -> Ints:
        """Return the numbers of the rows of a claim's quantity, in their order in the file."""
        if claim not in self.claims or quantity not in self.quantities:
            return np.empty(0, np.int64)
        order, keys = self._sorted
        key = self.claims.index(claim) * len(self.quantities) + self.quantities.index(quantity)
        low, high = np.searchsorted(keys, [key, key + 1])
        return order[low:high]

    def fraction(self, row: int) -> Fraction:
        """Return the exact value of a row that is marked `exact`."""
        return Fraction(self.texts[row]) if row in self.texts else Fraction(int(self.value[row]))


class _Builder:
    """Grows the columns row by row."""

    def __init__(self) -> None:
        self.claims = _Names(_CLAIM, "claim")
        self.settings = _Settings()
        self.methods = _Names(_NAME, "method")
        self.quantities = _Names(_NAME, "quantity")
        self.units = _Names(_UNIT, "unit")
        self.columns = {name: array("i") for name in ("claim", "setting", "method", "quantity", "unit")}
        self.seeds = array("q")
        self.values = array("d")
        self.exact = array("b")
        self.texts: dict[int, str] = {}

    def add(self, row: list[str]) -> None:
        if len(row) != len(HEADER):
            raise RowsError(f"{len(row)} fields instead of {len(HEADER)}")
        claim, seed, setting, method, quantity, value, unit = row
        if not _SEED.fullmatch(seed):
            raise RowsError(f"seed {seed[:40]!r} is not an integer")
        self._add_value(value)
        self.columns["claim"].append(self.claims.code(claim))
        self.columns["setting"].append(self.settings.code(setting))
        self.columns["method"].append(self.methods.code(method))
        self.columns["quantity"].append(self.quantities.code(quantity))
        self.columns["unit"].append(self.units.code(unit))
        self.seeds.append(int(seed))

    def _add_value(self, text: str) -> None:
        # Most values are plain decimals, of which one look is enough.
        if plain := _DECIMAL.fullmatch(text):
            number, exact = float(text), plain[1] is None
        elif exact := _EXACT.fullmatch(text) is not None:
            number = self._fraction(text)
        elif _NUMBER.fullmatch(text):
            number = float(text)
        else:
            raise RowsError(f"value {text[:60]!r} is neither a number nor a fraction such as -3/7")
        self.values.append(number)
        self.exact.append(exact)

    def _fraction(self, text: str) -> float:
        numerator, _, denominator = text.partition("/")
        if denominator and not int(denominator):
            raise RowsError(f"value {text[:60]!r} divides by zero")
        exact = Fraction(int(numerator), int(denominator or 1))
        if exact.denominator != 1 or abs(exact.numerator) > _LARGEST_EXACT_FLOAT:
            self.texts[len(self.values)] = text
        try:
            return float(exact)
        except OverflowError:
            return float("inf") if exact > 0 else float("-inf")

    def rows(self) -> Rows:
        whole = {name: np.array(column, dtype=np.int32).astype(np.int64) for name, column in self.columns.items()}
        return Rows(
            claims=tuple(self.claims.codes),
            settings=tuple(self.settings.parsed),
            methods=tuple(self.methods.codes),
            quantities=tuple(self.quantities.codes),
            units=tuple(self.units.codes),
            claim=whole["claim"],
            seed=np.array(self.seeds, dtype=np.int64),
            setting=whole["setting"],
            method=whole["method"],
            quantity=whole["quantity"],
            unit=whole["unit"],
            value=np.array(self.values, dtype=np.float64),
            exact=np.array(self.exact, dtype=np.bool_),
            texts=self.texts,
        )


def read_rows(paths: Iterable[Path]) -> Rows:
    """Read files of raw rows, one after the other, line by line.

    Raises: RowsError naming file, line and fault; OSError where a file cannot be read.
    """
    builder = _Builder()
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            try:
                _add_all(builder, reader)
            except RowsError as error:
                raise RowsError(f"{path.name}, line {reader.line_num}: {error}") from None
            except (UnicodeDecodeError, csv.Error) as error:
                raise RowsError(f"{path.name}, after line {reader.line_num}: not CSV in UTF-8 ({error})") from None
    return builder.rows()


def _add_all(builder: _Builder, lines: Iterable[list[str]]) -> None:
    lines = iter(lines)
    if tuple(next(lines, ())) != HEADER:
        raise RowsError(f"the first line must be `{','.join(HEADER)}`")
    for row in lines:
        if row:
            builder.add(row)
        if len(builder.values) > MOST_ROWS:
            raise RowsError(f"more than {MOST_ROWS:,} rows: write fewer, or split the claim")
