"""What the paper reports, and how telling it is that a number of a file is like one of its results."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from agentsys_policies.scan.numbers.mention import Mention, digits_of, significant

Strength = Literal["telling", "weak", "doubt"]
"""`weak`: telling in company of another result in the same file, in doubt alone."""

NEAR = 0.02
"""Relative difference up to which a number under a result's own key is that result."""
MOST_SCALE = 3
"""Powers of ten by which a number may be scaled."""
_AS_PRINTED = frozenset({0, 2, -2})
"""Powers of ten between a number and itself, or its percentage."""
_COUNTS = re.compile(
    r"seed|random_state|^n$|^n_|_n$|num|size|count|train|test|sampl|rows|port|year|date|epoch|iter|step|batch|dim|width"
    r"|height|hidden|vocab|length|^len|max|min|limit|version|budget",
    re.IGNORECASE,
)
_USUAL = (
    # Mathematics
    *(math.pi, math.pi / 2, math.tau, math.e, math.sqrt(2), math.sqrt(0.5), math.sqrt(3), math.log(2), math.log(10)),
    *((1 + math.sqrt(5)) / 2, (math.sqrt(5) - 1) / 2, 0.5772156649015329, math.sqrt(math.tau), math.sqrt(2 / math.pi)),
    *(1 / 3, 2 / 3, 1 / 6, 5 / 6, 1 / 7, 1 / 9, 1 / 11, 1 / 12, 4 / 3),
    *(0.5 * math.log(math.tau), 1 / math.sqrt(math.tau)),
    # Quantiles of the normal distribution, and what is made of them
    *(1.6448536269514722, 1.959963984540054, 1.96, 2.5758293035489004, 0.6744897501960817, 1.482602218505602, 1.345),
    # Activations, and machine precision
    *(0.044715, 1.702, 1.6732632423543772, 1.0507009873554805, 2.220446049250313e-16, 1.4901161193847656e-08),
    *(1.1920928955078125e-07, 1.1754943508222875e-38, 2.2250738585072014e-308, 3.4028234663852886e38),
    # Physics, in SI units (CODATA 2018)
    *(299792458.0, 9.80665, 9.81, 6.6743e-11, 6.62607015e-34, 1.054571817e-34, 1.380649e-23, 6.02214076e23),
    *(8.314462618, 1.602176634e-19, 9.1093837015e-31, 1.67262192369e-27, 8.8541878128e-12, 5.670374419e-8, 273.15),
    *(101325.0, 96485.33212, 4.184, 1.25663706212e-6, 3600.0, 86400.0, 365.25, 1440.0, 360.0, 365.0, 255.0),
    # Means and deviations by which pictures are normalised
    *(0.485, 0.456, 0.406, 0.229, 0.224, 0.225, 0.1307, 0.3081, 0.2860, 0.3530, 0.4914, 0.4822, 0.4465),
    *(0.2023, 0.1994, 0.2010, 0.2470, 0.2435, 0.2616, 0.5071, 0.4867, 0.4408, 0.2675, 0.2565, 0.2761, 224.0, 299.0),
)
"""Constants that anybody writes, whatever a paper reports."""
_ROUND = frozenset({"125", "375", "625", "875"})


@dataclass(frozen=True)
class Result:
    """One result of the paper."""

    value: float
    key: str = ""
    """Key under which the run writes its own value."""


@dataclass(frozen=True)
class Reported:
    """What is looked for in a tree, and where not."""

    results: tuple[Result, ...] = ()
    settings: frozenset[float] = frozenset()
    """Absolute values of the planned hyper-parameters: they may stand there, also where a result equals one."""
    left_out: frozenset[str] = frozenset()
    """Files, and folders with `/` at their end, that do not belong to what is run."""

    @cached_property
    def shares(self) -> tuple[tuple[float, Result], ...]:
        """Each result with what tells at once that a number is not like it."""
        return tuple((_share(abs(result.value)), result) for result in self.results if result.value)

    @classmethod
    def of(cls, values: Sequence[float]) -> Reported:
        """The same for bare values."""
        return cls(tuple(Result(value) for value in values))

    def leaves_out(self, path: str) -> bool:
        """True for a file that is not looked at. A hidden file among the results is none that a run leaves there."""
        if path.rpartition("/")[2].startswith("."):
            return False
        folders = (path[: n + 1] for n, letter in enumerate(path) if letter == "/")
        return path in self.left_out or any(folder in self.left_out for folder in folders)


@dataclass(frozen=True)
class Match:
    """A number that is like a result."""

    result: Result
    strength: Strength


def match(mention: Mention, reported: Reported) -> Match | None:
    """Return the result that a number is most like; None for a number that is like none."""
    number = abs(mention.value)
    if not number or not math.isfinite(number):
        return None
    share = _share(number)
    near = [result for other, result in reported.shares if abs(share - other) < 0.02 or abs(share - other) > 0.98]
    found = [item for result in near if (item := _compare(mention, result, reported)) is not None]
    order = {"telling": 0, "weak": 1, "doubt": 2}
    return min(found, key=lambda item: order[item.strength], default=None)


def by_chance(reported: Reported) -> float:
    """Probability that a number of three or more digits that has nothing to do with the paper is like a result."""
    counted = (significant(result.value) for result in reported.results)
    return sum(1 / (9 * 10 ** (digits - 1)) for digits in counted if digits >= 3)


def _compare(mention: Mention, result: Result, reported: Reported) -> Match | None:
    number, value = abs(mention.value), abs(result.value)
    if result.key and mention.key.lower() == result.key.lower() and abs(number - value) <= NEAR * value:
        return Match(result, "telling" if number != 1 else "doubt")
    scale = round(math.log10(number / value))
    known = _digits_in_common(number / 10.0**scale, value, significant(number))
    if abs(scale) > MOST_SCALE or known == 0:
        return None
    if known < 3:
        said = known == 2 and scale in _AS_PRINTED and not mention.prose
        return Match(result, "doubt") if said else None
    if mention.prose:
        plain = number in reported.settings or _is_usual(number) or scale not in _AS_PRINTED
        return None if plain else Match(result, "telling")
    return Match(result, _strength(mention, result, scale, known, reported))


def _strength(mention: Mention, result: Result, scale: int, known: int, reported: Reported) -> Strength:
    number = abs(mention.value)
    if number in reported.settings or _is_usual(number):
        return "doubt"
    if number.is_integer() and scale != 0 and (_is_usual(number + 1) or _is_usual(number - 1)):
        return "doubt"  # `range(200)` ends with 199, for 1.99
    if mention.whole and scale != 0:
        if _COUNTS.search(mention.key) or known < significant(result.value):
            return "doubt"
        return "telling" if known > 3 else "weak"
    return "telling"


def _share(number: float) -> float:
    """Fraction of the decimal logarithm: alike for 9.412 and 941.2, and within 0.02 for numbers that differ by 4 %."""
    return math.log10(number) % 1


def _digits_in_common(number: float, value: float, written: int) -> int:
    """Significant digits that say the same of both, 0 where they differ: 3 of 3.85 and 3.848, 4 of 3.84812 and 3.848.

    Args:
        written: significant digits of the number.
    """
    difference, printed = abs(number - value), significant(value)
    if difference <= 1e-9 * value:
        return printed
    known = min(written, printed)
    if written == printed or known < 3:
        return 0
    coarse = value if printed < written else number
    unit = 10.0 ** (math.floor(math.log10(coarse)) - known + 1)
    return known if difference <= 0.5 * unit * (1 + 1e-9) else 0


def _is_usual(number: float) -> bool:
    """A round number, or a constant that anybody writes."""
    digits = digits_of(number)
    if len(digits) < 3 or digits in _ROUND or set(digits) == {"9"}:
        return True
    if number.is_integer() and number < 2**53 and int(number) & (int(number) - 1) == 0:
        return True
    return any(abs(number - usual) <= 0.5 * _last_unit(number, len(digits)) for usual in _USUAL)


def _last_unit(number: float, digits: int) -> float:
    return 10.0 ** (math.floor(math.log10(number)) - digits + 1)
