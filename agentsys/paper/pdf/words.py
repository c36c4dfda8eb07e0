"""Join lines to running text: hyphens at line ends are decided by the paper's own words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from agentsys.paper.pdf.lines import Line

_WORD = re.compile(r"[A-Za-z][A-Za-z]+(?:-[A-Za-z]+)*")
_LIGATURES = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "\u00ad": "",
        "\u200b": "",
        "\u2126": "Ω",
    }
)


_ENDINGS = frozenset({
    "more", "over", "ever", "able", "ably", "ment", "ness", "less", "ward", "wards", "wise", "fore", "with", "self",
    "out", "into", "upon", "about", "where", "hood", "ship", "ally", "full", "like",
})  # fmt: skip
"""Words that are also the second part of words written as one."""


class Vocabulary:
    """The words that stand whole somewhere in the paper."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.words: set[str] = set()
        self.hyphenated: set[str] = set()
        self.heads: set[str] = set()
        self.tails: set[str] = set()
        cut = False
        for line in lines:
            text = tidy(line.plain)
            found = _WORD.findall(text)
            # The second half of a divided word is no word.
            found = found[1:] if cut else found
            cut = text.endswith("-")
            if text.endswith("-") and found:
                found.pop()
            for word in found:
                lower = word.lower()
                if "-" in lower:
                    self.hyphenated.add(lower)
                    parts = lower.split("-")
                    self.words.update(parts)
                    self.heads.add(parts[0])
                    self.tails.add(parts[-1])
                else:
                    self.words.add(lower)

    def join(self, before: str, after: str) -> str:
        """Join two lines of which the first ends in a hyphen."""
        stem = before[:-1]
        left = re.search(r"[A-Za-z]+(?:-[A-Za-z]+)*$", stem)
        right = re.match(r"[A-Za-z]+(?:-[A-Za-z]+)*", after)
        if left is None or right is None:
            # `1-`/`2`, `x-`/`axis`: the hyphen was there for a reason.
            return before + after
        whole = (left[0] + right[0]).lower()
        apart = f"{left[0]}-{right[0]}".lower()
        if self._keeps(left[0], right[0], whole, apart):
            return before + after
        return stem + after

    def _keeps(self, left: str, right: str, whole: str, apart: str) -> bool:
        if apart in self.hyphenated:
            return True
        if whole in self.words or whole in self.hyphenated:
            return False
        if right[0].isupper() or "-" in left:
            return True
        if "-" in right:
            # `English-` / `to-German`: a division inside a compound word is rare.
            return True
        head, tail = left.lower(), right.lower()
        if head not in self.words or tail not in self.words or tail in _ENDINGS:
            # `Further-` / `more`, `proba-` / `bility`.
            return False
        # `low-` / `rank`: the paper has other words with `low-` or `-rank`; `source-` / `target` are words themselves.
        return head in self.heads or tail in self.tails or min(len(head), len(tail)) > 3


def tidy(text: str) -> str:
    """Replace ligatures and typographic leftovers by the letters they stand for."""
    return text.translate(_LIGATURES)


def undivided(rows: Iterable[Sequence[str]], vocabulary: Vocabulary) -> tuple[tuple[str, ...], ...]:
    """Return the rows of a table with words that were broken between two of them whole, in the upper one."""
    found = [[tidy(cell) for cell in row] for row in rows]
    for upper, lower in pairwise(found):
        for column, (before, after) in enumerate(zip(upper, lower, strict=False)):
            rest = re.match(r"[a-z]{2,}", after)
            if rest and re.search(r"[^\W\d_]{2}-$", before):
                upper[column] = vocabulary.join(before, rest[0])
                lower[column] = after[rest.end() :].strip()
    return tuple(tuple(row) for row in found if any(row))


def join_lines(lines: Sequence[Line], vocabulary: Vocabulary) -> str:
    """Return the running text of consecutive lines."""
    text = ""
    for line in lines:
        part = tidy(line.text)
        if not part:
            continue
        if not text:
            text = part
        elif text.endswith("-") and re.search(r"\w-$", text) and re.match(r"\w", part):
            text = vocabulary.join(text, part)
        else:
            text = f"{text} {part}"
    return text
