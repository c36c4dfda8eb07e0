"""Numbers in running text, tables and formulas: their values, as printed, and what they count."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

_MINUS = r"[-\u2212\u2013]"
_DIGITS = r"(?:\d{1,3}(?:(?:,|\{,\}|\u2009|\\,)\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_POWER = (
    rf"(?:\s{{0,3}}(?:×|·|\\times|\\cdot|x)\s{{0,3}}10\s?\^\s?\{{?\s?(?P<power>{_MINUS}?\d{{1,3}}(?!\d|\.\d))\}}?"
    rf"|[eE](?P<exponent>[-+]?\d{{1,3}})(?![\w.]))?"
)
_NUMBER = re.compile(
    # A digit inside a name (`CIFAR-10`, `x_{1}`, `ResNet50`) is no number of its own; a range `3-5` holds two.
    rf"(?<![\w.\\])(?<![A-Za-z][-_\u2013/])(?<!_)(?<!_\{{)(?P<sign>(?<![\d.)\]\}}\w]){_MINUS}\s?)?(?P<digits>{_DIGITS}){_POWER}"
    rf"(?P<unit>\s?\\?%|\s?(?:per ?cent|percent)\b|\s?[kKMB](?!\w)|[x×](?!\w))?(?!\w)"
)
_BARE_POWER = re.compile(rf"(?<![\w.])10\s?\^\s?\{{?\s?({_MINUS}?\d{{1,3}}(?!\d|\.\d))\}}?(?!\w)")
_REFERENCE = re.compile(
    r"(?:\b(?:eqs?|equations?|eqn|tables?|tab|figures?|figs?|algorithms?|alg|sections?|sec|appendix|theorems?|thm|lemmas?"
    r"|propositions?|prop|corollar(?:y|ies)|definitions?|assumptions?|remarks?|chapters?|pages?"
    r"|footnotes?|lines?)|§)\s{0,3}\.?~?\s{0,3}\(?(?:[A-Z]\.?)?\d+(?:\.\d+)*[a-z]?\)?(?:\s?(?:,|and|&|to|[-\u2013])\s?\(?\d+(?:\.\d+)*\)?)*"
    r"|\[\d+(?:\s?[,;\u2013-]\s?\d+)*\]",
    re.IGNORECASE,
)
_SCALE = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9}
_MAX = 400
"""Numbers of one passage that are looked at."""


@dataclass(frozen=True)
class Numeral:
    """One number of a text."""

    value: float
    text: str
    """As printed, without its unit."""
    start: int
    end: int
    percent: bool = False

    @property
    def decimals(self) -> int:
        """Digits that are printed behind the point."""
        return len(re.split(r"[^\d]", self.text.partition(".")[2])[0])


def numerals(text: str) -> list[Numeral]:
    """Return the numbers that a text states; those in names and in references (`Table 2`, `[7]`) are none."""
    skipped = [match.span() for match in _REFERENCE.finditer(text)]
    found: list[Numeral] = []
    for match in _NUMBER.finditer(text):
        if len(found) == _MAX:
            break
        at = match.start("digits")
        if (not found or at >= found[-1].end) and not any(start <= at < end for start, end in skipped):
            number = _numeral(match, text)
            if math.isfinite(number.value):
                found.append(number)
    return found


def _numeral(match: re.Match[str], text: str) -> Numeral:
    if bare := _BARE_POWER.match(text, match.start("digits")):
        return Numeral(float(f"1e{_ascii(bare[1])}"), bare[0], bare.start(), bare.end())
    digits = re.sub(r"[^\d.]", "", match["digits"])
    value = float(f"{digits}e{_ascii(match['power'] or match['exponent'] or '0')}")
    unit = (match["unit"] or "").strip()
    end = match.start("unit") if match["unit"] else match.end()
    start = match.start("sign") if match["sign"] else match.start("digits")
    value = (-value if match["sign"] else value) * _SCALE.get(unit, 1.0)
    return Numeral(value, text[start:end].strip(), start, end, unit.endswith(("%", "cent")))


def _ascii(text: str) -> str:
    return re.sub(_MINUS, "-", text)


def size(number: Numeral) -> Numeral:
    """Return a number without its sign."""
    return replace(number, value=abs(number.value))


def same(one: Numeral, other: Numeral, *, rounded: bool = False) -> bool:
    """Return whether two printed numbers are one: 93.2 % and 0.932 are.

    Args:
        rounded: let `one` be the other with fewer digits, two at least.
    """
    scales = [1.0]
    if one.percent != other.percent:
        scales.append(0.01 if one.percent else 100.0)
    return any(_close(one, other.value, scale, rounded) for scale in scales)


def states(value: float, numbers: list[Numeral]) -> bool:
    """Return whether a value is among printed numbers, as a share or in per cent."""
    plain = Numeral(value, repr(value), 0, 0)
    return any(same(plain, row) or same(Numeral(value, plain.text, 0, 0, percent=True), row) for row in numbers)


def _close(one: Numeral, other: float, scale: float, rounded: bool) -> bool:
    value = one.value * scale
    if math.isclose(value, other, rel_tol=1e-9):
        return True
    if not rounded or scale != 1.0 or abs(value - other) > 0.5:
        return False
    digits = len(re.sub(r"\D", "", one.text).lstrip("0"))
    half = 0.5 * 10.0**-one.decimals
    return digits >= 2 and abs(value) < 1e6 and abs(value - other) <= half * (1 + 1e-9)
