"""Prompts that do not fit into the window: less of the paper's own words, its longest sections first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from agentsys.llm.render import CHARS_PER_TOKEN
from agentsys.llm.types import Prompt
from agentsys.llm.window import ANSWER

_QUOTED = re.compile(
    r"(<<(Q\w+) (?:paper|sections of the paper[^\n]*|the paper's own words)\n)(.*?)(?=\n\2>>)", re.DOTALL
)
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_ASIDE = re.compile(
    r"#+ (?:[\d.]+ )?(?:references|bibliography|acknowledge?ments?|(?:broader )?impact)\b", re.IGNORECASE
)
"""Sections that say nothing of the method; they go first."""
_LEAST = 0.3
"""Share of the paper's words below which a model cannot know what the paper says."""


def shortened(prompt: Prompt, sent: Prompt, window: int, counted: int) -> Prompt | None:
    """Return the prompt with less of the paper's own words, or None where too little of them would be left.

    No section is left out whole, except those that say nothing of the method: the longest are cut to one length, and
    shorter ones stay as they are.

    Args:
        prompt: the whole one.
        sent: what did not fit, the whole one or a shorter one.
        window: tokens of the window; 0 where it is not known.
        counted: tokens of what was sent; 0 where they are not known.
    """
    per_token = sent.chars / counted if counted else CHARS_PER_TOKEN
    room = int((window - min(ANSWER, window // 4)) * per_token) if window else sent.chars * 2 // 3
    quoted = [match[3] for part in (*prompt.prefix, *prompt.body) for match in _QUOTED.finditer(part.text)]
    sections = [section for text in quoted for section in _sections(text)]
    words = sum(map(len, quoted))
    left = words - (prompt.chars - min(room, sent.chars * 9 // 10))
    if not words or left < _LEAST * words:
        return None
    longest = _longest([len(each) for each in sections if not _ASIDE.match(each)], left)

    def less(text: str) -> str:
        return _QUOTED.sub(lambda match: match[1] + "".join(_cut(each, longest) for each in _sections(match[3])), text)

    prefix = tuple(replace(part, text=less(part.text)) for part in prompt.prefix)
    return replace(prompt, prefix=prefix, body=tuple(replace(part, text=less(part.text)) for part in prompt.body))


def _sections(text: str) -> list[str]:
    """Return a text in parts, each from its heading to the next."""
    borders = sorted({0, len(text), *(match.start() for match in _HEADING.finditer(text))})
    return [text[start:end] for start, end in pairwise(borders)]


def _longest(lengths: Sequence[int], room: int) -> int:
    """Return the length to which the longest of some texts are cut so that all of them have room."""
    left = room
    for number, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - number)
        if length > share:
            return max(share, 0)
        left -= length
    return max(lengths, default=0)


def _cut(section: str, limit: int) -> str:
    """Return the beginning of a section, whole lines where it has any, and how much is missing."""
    limit = 0 if _ASIDE.match(section) else limit
    if len(section) <= limit:
        return section
    heading = len(section.partition("\n")[0]) + 1 if _HEADING.match(section) else 0
    end = max(heading, section.rfind("\n", 0, limit) + 1 or limit)
    return f"{section[:end].rstrip()}\n... {len(section) - end} characters left out ...\n"
