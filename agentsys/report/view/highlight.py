"""Code with colours: what a line of Python holds, as classes that the page's style knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from markupsafe import Markup

from agentsys.core.text import clean_text

MOST = 64 << 10
"""Characters of a file that gets colours; a longer one would keep its reader waiting."""
_CLASSES = {
    "Comment": "c", "String": "s", "Number": "m", "Keyword": "k", "Word": "k",
    "Function": "f", "Class": "f", "Decorator": "f",
}  # fmt: skip


def coloured(lines: Iterable[str], path: str) -> list[Markup]:
    """Return each line as markup of ours around words that are escaped; Python in colours, and nothing else."""
    given = [clean_text(line) for line in lines]
    if not path.endswith(".py") or sum(map(len, given)) > MOST:
        return [Markup.escape(line) for line in given]
    from pygments.lexers.python import PythonLexer

    lexer: Any = PythonLexer(stripnl=False, ensurenl=False)
    made: list[list[Markup]] = [[]]
    for kind, words in _pieces(lexer, "\n".join(given)):
        for number, part in enumerate(words.split("\n")):
            if number:
                made.append([])
            shown = Markup('<span class="{}">{}</span>').format(kind, part) if kind and part else Markup.escape(part)
            made[-1].append(shown)
    return [Markup("").join(parts) for parts in made]


def _pieces(lexer: Any, text: str) -> Iterator[tuple[str, str]]:
    """Yield class and words of neighbouring tokens of one class."""
    last, held = "", ""
    for token, words in lexer.get_tokens(text):
        # A kind of token is a tuple of ever narrower names.
        kind = next((short for name in tuple(token) if (short := _CLASSES.get(name))), "")
        if kind != last:
            if held:
                yield last, held
            last, held = kind, ""
        held += words
    if held:
        yield last, held
