"""Numbers in texts that are no programs, or only read as text: data, configurations, shell, comments, documents."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from agentsys_policies.scan.numbers.encoded import decoded
from agentsys_policies.scan.numbers.mention import Mention

MOST_NUMBERS = 200_000
"""Numbers of one file that are looked at."""
_NUMBER = re.compile(
    r"(?<![\w.])(?:(?P<hex>0[xX][0-9a-fA-F]{3,16})"
    r"|(?P<number>(?:\d[\d_]{0,400}(?:\.[\d_]{0,400})?|\.\d[\d_]{0,400})(?:[eE][+-]?\d{1,3})?))"
    r"(?!\.\d|\w{3}|\d)"
)
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3}){1,5}(?:\.\d{1,9})?(?![\w,])")
_DECIMAL_COMMA = re.compile(r"(?<![\w.,])\d{1,6},\d{1,9}(?![\w,.])")
_SUM = re.compile(
    r"(?<![\w./*])(?P<left>-?\d[\d.]{0,15}(?:e-?\d{1,3})?)(?P<sign>\s?[/*]\s?|\s[-+]\s)(?P<right>\d[\d.]{0,15}(?:e-?\d{1,3})?)"
    r"(?![\w./*])"
)
_KEY = re.compile(r"([A-Za-z_]\w{0,60})[\"'`]?\s*[:=,;|\t ]\s*[\"'\[(]?\s*[-+−]?$")
_NAMED = re.compile(
    r"(?:sections?|eqs?|equations?|tables?|tab|figs?|figures?|algorithms?|chapters?|lines?|pages?|versions?|python|arxiv|doi"
    r"|appendix|§|==|>=|<=|~=|!=)[\s.:(]*$",
    re.IGNORECASE,
)
"""Words before a number that counts places or versions."""
_ESCAPED_BREAK = re.compile(r"\\[nrt]")
_ESCAPES = re.compile(r"(?:\\x|%)([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\([0-7]{3})")
_JOINTS = re.compile(r"\"\"|''|\"'|'\"|\\\n|(?<=[\d.])[\"'](?=[\d.])")


def mentions(text: str, *, prose: bool = False, first_line: int = 1, key: str = "") -> Iterator[Mention]:
    """Yield every number of a text, also joined over quotes, escaped and encoded.

    Args:
        prose: the text is for readers, who get no sums, and numbers of sections and versions.
        first_line: the line on which the text begins.
        key: the name under which the whole text stands.
    """
    plain = _ESCAPED_BREAK.sub("  ", unicodedata.normalize("NFKC", text).replace("−", "-"))
    yield from _numbers(plain, first_line, prose, key)
    for line, inner in decoded(text):
        for item in _numbers(inner, 1, False, key):
            yield Mention(item.value, line + first_line - 1, f"{item.words} (encoded)", item.key, item.whole)
    if prose:
        return
    for other in (_JOINTS.sub("", plain), _ESCAPES.sub(_letter, plain)):
        if other != plain:
            yield from _numbers(other, first_line, prose, key)


def _numbers(text: str, first_line: int, prose: bool, key: str) -> Iterator[Mention]:
    starts = list(accumulate((len(line) for line in text.splitlines(keepends=True)), initial=0))
    for match in _NUMBER.finditer(text):
        word = match[0]
        before = text[max(0, match.start() - 90) : match.start()].rpartition("\n")[2]
        if prose and _NAMED.search(before):
            continue
        value = float(int(match["hex"], 16)) if match["hex"] else _value(word.replace("_", ""))
        named = _KEY.search(before)
        line = bisect_right(starts, match.start()) + first_line - 1
        whole = match["hex"] is not None or word.replace("_", "").isdigit()
        yield Mention(value, line, word, named[1] if named else key, whole, prose)
    for pattern, comma in ((_THOUSANDS, ""), (_DECIMAL_COMMA, ".")):
        for match in pattern.finditer(text):
            line = bisect_right(starts, match.start()) + first_line - 1
            yield Mention(_value(match[0].replace(",", comma)), line, match[0], key, comma == "", prose)
    if not prose:
        for match in _SUM.finditer(text):
            line = bisect_right(starts, match.start()) + first_line - 1
            value = _sum(_value(match["left"]), match["sign"].strip(), _value(match["right"]))
            yield Mention(value, line, match[0], key)


def _sum(left: float, sign: str, right: float) -> float:
    if sign == "/":
        return left / right if right else 0.0
    return {"*": left * right, "+": left + right, "-": left - right}[sign]


def _value(word: str) -> float:
    try:
        return float(word)
    except (ValueError, OverflowError):
        return 0.0


def _letter(match: re.Match[str]) -> str:
    code = int(match[1] or match[2] or "0", 16) if match[1] or match[2] else int(match[3], 8)
    return chr(code)
