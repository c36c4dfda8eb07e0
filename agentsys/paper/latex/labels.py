"""References by label: each becomes the number that TeX prints for it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentsys.paper.model import Block, Figure, ListBlock, Paper, Paragraph, Table

_REFERENCE = re.compile(
    r"\\(?P<command>ref|eqref|autoref|[cC]refrange|[cC]ref|[vV]ref|subref|pageref|nameref)\*?\s*\{(?P<names>[^{}]*)\}"
)


def with_numbers(paper: Paper, known: Mapping[str, tuple[str, str]]) -> Paper:
    """Return the paper with numbers for references; one that points to nothing stays as it is, and is a doubt.

    Args:
        known: label -> kind and number of what carries it.
    """
    unknown: set[str] = set()

    def number(match: re.Match[str]) -> str:
        names = [name.strip() for name in match["names"].split(",") if name.strip()]
        found = [known[name] for name in names if name in known and known[name][1]]
        if len(found) < len(names) or not names:
            unknown.update(name for name in names if name not in known or not known[name][1])
            return match[0]
        numbers = ", ".join(value for _, value in found)
        if match["command"] == "eqref":
            return f"({numbers})"
        spelled = match["command"].lower() in ("cref", "crefrange", "autoref", "vref")
        return f"{found[0][0]} {numbers}" if spelled else numbers

    def changed(block: Block) -> Block:
        update: dict[str, object] = {}
        if isinstance(block, Paragraph | ListBlock) and "ref" in block.text:
            update["text"] = _REFERENCE.sub(number, block.text)
        if isinstance(block, ListBlock):
            update["items"] = tuple(_REFERENCE.sub(number, item) for item in block.items)
        if isinstance(block, Figure | Table) and "ref" in block.caption:
            update["caption"] = _REFERENCE.sub(number, block.caption)
        return block.model_copy(update=update) if update else block

    result = paper.with_blocks(changed)
    doubts = [f"references that point to nothing: {', '.join(sorted(unknown)[:8])}"] if unknown else []
    empty = [table.label or "without a number" for table in result.tables if not table.rows and not table.caption]
    empty += [table.label for table in result.tables if not table.rows and table.caption]
    doubts += [f"no cells found: table {', '.join(empty)}"] if empty else []
    return result.model_copy(update={"doubts": tuple(doubts)})
