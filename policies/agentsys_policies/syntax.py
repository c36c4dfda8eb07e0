"""The syntax of shell text, as the bash grammar has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

DEEPEST = 120
"""Levels of syntax that are looked at."""


def parse(text: str) -> Node:
    """Return the root of the syntax of a text; `has_error` where it is no shell text."""
    # The grammar takes `time { ...; }` for a program called `time`.
    plain = re.sub(r"(^|[;&|\n]\s*)time(?: -p)?\s+(?=[{(])", r"\1", text)
    return _parser().parse(plain.encode("utf-8", "replace")).root_node


def source(node: Node) -> str:
    """The text of a node as it is written."""
    return (node.text or b"").decode("utf-8", "replace")


def nodes(root: Node) -> Iterator[Node]:
    """Every node of the syntax; none at all if it is nested deeper than is looked at."""
    stack: list[tuple[Node, int]] = [(root, 0)]
    found: list[Node] = []
    while stack:
        node, depth = stack.pop()
        if depth > DEEPEST:
            return
        found.append(node)
        stack.extend((child, depth + 1) for child in reversed(node.children))
    yield from found


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))
