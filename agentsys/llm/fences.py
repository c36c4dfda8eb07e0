"""Fenced code blocks of an answer."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)$")

_MAX_ENDS = 50
"""Fences that are tried as the end of one block."""


@dataclass(frozen=True)
class Block:
    """One block. `label` is what stands behind the opening fence, `start` its line, counted from 0."""

    label: str
    content: str
    closed: bool
    start: int


def blocks(text: str, path: str) -> list[Block]:
    """Return the outermost fenced blocks of a text in order.

    Where a block ends is ambiguous if the file itself holds fences. A labelled fence inside a block opens an inner
    one. For Python, the first end at which the content parses is taken, if there is one. For Markdown, whose inner
    fences often carry no label, the last possible end is taken.

    Args:
        path: the file that the answer should hold; its ending decides.
    """
    lines = text.split("\n")
    found: list[Block] = []
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        end = _end(lines, at, opening[1], path)
        content = "".join(f"{line}\n" for line in lines[at + 1 : end])
        found.append(Block(opening[2].strip(), content, end < len(lines), at))
        at = end + 1
    return found


def _end(lines: list[str], start: int, fence: str, path: str) -> int:
    """Return the line of the closing fence, or the number of lines if there is none."""
    ends = [at for at in range(start + 1, len(lines)) if _closes(lines[at], fence)][:_MAX_ENDS]
    if path.endswith((".md", ".markdown")):
        return _markdown_end(lines, start, fence, ends)
    nested = _nested_end(lines, start, fence)
    if path.endswith((".py", ".pyi")) and not (nested in ends and _parses(lines[start + 1 : nested])):
        return next((end for end in ends if _parses(lines[start + 1 : end])), nested)
    return nested


def _nested_end(lines: list[str], start: int, fence: str) -> int:
    depth = 0
    for at in range(start + 1, len(lines)):
        if _closes(lines[at], fence):
            if depth == 0:
                return at
            depth -= 1
        elif _same_kind(lines[at], fence):
            depth += 1
    return len(lines)


def _markdown_end(lines: list[str], start: int, fence: str, ends: list[int]) -> int:
    """Return the last fence, unless it closes an inner block: fences between must come in pairs."""
    if not ends:
        return len(lines)
    inner = sum(1 for line in lines[start + 1 : ends[-1]] if _same_kind(line, fence))
    return ends[-1] if inner % 2 == 0 else len(lines)


def _same_kind(line: str, fence: str) -> bool:
    """Return whether a line is a fence that could close, or stand inside and be taken for one."""
    match = _FENCE.match(line)
    return match is not None and match[1].startswith(fence)


def _closes(line: str, fence: str) -> bool:
    match = _FENCE.match(line)
    return match is not None and match[1].startswith(fence) and not match[2].strip()


def _parses(lines: list[str]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
