"""Search in a paper's passages: full text, ranked by BM25 (SQLite's FTS5), in memory."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing

from agentsys.plan.claims.passages import Passage

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]+|\d+(?:\.\d+)?")
_EMPTY = frozenset(
    re.findall(
        r"\w+",
        "the and for with from that this are was were has have not all its one two each per use used using value "
        "values config model section paper must can only into onto over under than then where which when while our "
        "their set sets number numbers size profile",
    )
)
"""Words that stand everywhere."""
_MOST_WORDS = 24


def found_for(passages: Sequence[Passage], queries: Mapping[str, str], most: int) -> dict[str, tuple[Passage, ...]]:
    """Return for each query the passages that hold most of its words, the best first; endings do not count.

    Args:
        queries: name -> words.
        most: passages for one query.
    """
    with closing(sqlite3.connect(":memory:")) as index:
        index.execute("CREATE VIRTUAL TABLE passages USING fts5(words, tokenize = 'porter unicode61')")
        rows = [(number, f"{item.place} {item.text}") for number, item in enumerate(passages)]
        index.executemany("INSERT INTO passages(rowid, words) VALUES (?, ?)", rows)
        ask = "SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?"
        found: dict[str, tuple[Passage, ...]] = {}
        for name, words in queries.items():
            query = _query(words)
            hits: list[tuple[int]] = index.execute(ask, (query, most)).fetchall() if query else []
            found[name] = tuple(passages[number] for (number,) in hits)
        return found


def _query(words: str) -> str:
    """Return the words as an FTS5 query; what a plan wrote is no syntax of it."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|[_.\\]", " ", words)
    terms = [word for word in _WORD.findall(split) if word.lower() not in _EMPTY]
    return " OR ".join(f'"{word}"' for word in list(dict.fromkeys(terms))[:_MOST_WORDS])
