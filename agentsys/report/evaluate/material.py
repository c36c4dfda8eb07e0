"""Chooses what fits into a judge's prompt: the files and the sections that a question is about."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from agentsys.paper.model import Paper
from agentsys.paper.render import to_markdown
from agentsys.report.evaluate.blind import Seen

PAPER_CHARS = 160_000
CODE_CHARS = 240_000
LEAF_CODE_CHARS = 100_000
LEAF_PAPER_CHARS = 60_000
"""Characters; about a quarter as many tokens."""

_WORD = re.compile(r"[A-Za-z][a-z]+|[A-Z]{2,}|\d+")
_CODE_FIRST = (".py", ".ipynb", ".sh", ".cpp", ".cu", ".jl", ".r", ".yaml", ".yml", ".toml", ".json")


def fits(texts: Mapping[str, str], limit: int) -> bool:
    return sum(map(len, texts.values())) <= limit


def choose_files(seen: Seen, question: str, limit: int) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the files nearest to a question within `limit` characters, and the names of those left out.

    Nearness is the overlap of words, rare ones counting more; without a question, code comes before documents.
    """
    if fits(seen.texts, limit):
        return dict(seen.texts), ()
    ranked = _ranked({path: f"{path}\n{text}" for path, text in seen.texts.items()}, question)
    if not question:
        ranked = sorted(seen.texts, key=lambda path: (not path.endswith(_CODE_FIRST), len(seen.texts[path]), path))
    chosen: dict[str, str] = {}
    for path in ranked:
        if sum(map(len, chosen.values())) + len(seen.texts[path]) <= limit:
            chosen[path] = seen.texts[path]
    left = tuple(sorted(set(seen.texts) - set(chosen)))
    return dict(sorted(chosen.items())), left


def paper_text(paper: Paper, question: str = "", limit: int = PAPER_CHARS) -> str:
    """Return the paper as Markdown, or, where it is too long, the abstract and the sections nearest to a question."""
    whole = to_markdown(paper)
    if len(whole) <= limit:
        return whole
    parts = {section.id: to_markdown(paper, {section.id}) for section in paper.sections if section.kind != "references"}
    chosen: set[str] = set()
    size = len(paper.title) + len(paper.abstract)
    for name in _ranked(parts, question) if question else list(parts):
        if size + len(parts[name]) <= limit:
            chosen.add(name)
            size += len(parts[name])
    body = to_markdown(paper, chosen) if chosen else whole[: limit - size]
    return f"# {paper.title}\n\n{paper.abstract}\n\n{body}"


def _ranked(texts: Mapping[str, str], question: str) -> Sequence[str]:
    words = {name: Counter(_words(text)) for name, text in texts.items()}
    known = Counter(word for counted in words.values() for word in counted)
    asked = set(_words(question))

    def near(name: str) -> float:
        counted = words[name]
        rare = (math.log(1 + len(texts) / known[word]) * math.log(1 + counted[word]) for word in asked if counted[word])
        return sum(rare) / math.sqrt(1 + len(texts[name]) / 2000)

    return sorted(texts, key=lambda name: (-near(name), name))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text) if len(word) > 2 or word.isdigit()]
