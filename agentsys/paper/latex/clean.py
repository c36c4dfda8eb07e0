"""Drop what a TeX run does not print: comments and dead branches."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)(%)")
_IF = re.compile(r"\\(?:iffalse|iftrue|if[a-zA-Z@]*|else|fi)(?![a-zA-Z@])")


def strip_comments(text: str) -> str:
    """Return LaTeX without `%` comments, `comment` environments and `\\iffalse` branches."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _outside_verbatim(text)
    text = re.sub(r"\\begin\{comment\}.*?\\end\{comment\}", "", text, flags=re.S)
    return _dead_branches(text)


def _outside_verbatim(text: str) -> str:
    parts = re.split(r"(\\begin\{(verbatim|lstlisting|minted)\*?\}.*?\\end\{\2\*?\})", text, flags=re.S)
    kept: list[str] = []
    for position in range(0, len(parts), 3):
        kept.append(_comments(parts[position]))
        if position + 1 < len(parts):
            kept.append(parts[position + 1])
    return "".join(kept)


def _comments(text: str) -> str:
    """Drop `%` comments; TeX also eats the line end after one, and the line if nothing else is on it."""
    parts: list[str] = []
    for line in text.split("\n"):
        match = _COMMENT.search(line)
        if match is None:
            parts.append(line + "\n")
        elif line[: match.start(2)].strip():
            parts.append(line[: match.start(2)])
    return "".join(parts)


def _dead_branches(text: str) -> str:
    result: list[str] = []
    position = 0
    for match in re.finditer(r"\\iffalse(?![a-zA-Z@])", text):
        if match.start() < position:
            continue
        end, other = _branch_end(text, match.end())
        result.append(text[position : match.start()])
        result.append(other)
        position = end
    result.append(text[position:])
    return "".join(result)


def _branch_end(text: str, start: int) -> tuple[int, str]:
    """Return where the conditional that opened before `start` ends, and its `\\else` part."""
    depth = 1
    other = -1
    for match in _IF.finditer(text, start):
        word = match[0]
        if word == "\\fi":
            depth -= 1
            if depth == 0:
                return match.end(), text[other : match.start()] if other >= 0 else ""
        elif word == "\\else":
            if depth == 1:
                other = match.end()
        elif word not in ("\\iff",):
            depth += 1
    return len(text), ""
