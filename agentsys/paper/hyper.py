"""Candidates for hyper-parameters, each with the paper's own words. The analyzer decides what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentsys.paper.model import HyperParameter, ListBlock, Paper, Paragraph, Table

_WORDS = (
    "(?:initial |base |peak |maximum )?learning rates?",
    "batch size",
    "(?:mini-?)?batch(?:es)? (?:size|of size)",
    "(?:minibatches|mini-batches) of size",
    "dropout(?: rate| probability| ratio)?",
    "weight decay",
    "momentum",
    "label smoothing",
    "warm-?up(?:[_ ]steps| ratio)?",
    "(?:number of )?(?:training )?(?:epochs|steps|iterations)",
    "hidden (?:size|dimension|units|state size)",
    "embedding (?:size|dimension)",
    "(?:number of )?(?:transformer )?(?:layers|heads|attention heads|experts|trees|estimators)",
    "discount(?: factor)?",
    "temperature",
    "(?:maximum )?sequence length",
    "gradient clipping(?: norm)?",
    "standard deviation",
    "regularization(?: coefficient| strength)?",
    "random seeds?",
    "beam size",
    "length penalty",
    "replay (?:buffer|memory)(?: size)?",
    "KL (?:divergence )?(?:threshold|constraint)",
    "step ?size",
    r"[βγαλϵεδηστ](?:_\{?\w+\}?)?",
    r"[dnNhkPpw]_\{\w+\}|[Nh]",
    "[a-z]+_[a-z]+(?:_[a-z]+)?",
)
_NAMES = "|".join(_WORDS)
_POWER = r"(?:\s*[×·]\s*10\^\{[-−]?\d+\})?(?:\^\{[-−]?\d+\})?"
_UNIT = r"(?:\s?[KMk](?![A-Za-z])|\s?%|\s?(?:million|billion|thousand))?"
_NUMBER = rf"[-−]?\d+(?:,\d{{3}})*(?:\.\d+)?(?:[eE][-−]?\d+)?{_POWER}{_UNIT}"
_LINK = r"(?:(?:was|is|are|were|of|to|at|as|set|fixed|equal|initialized|with|about|around|:)\s+){0,4}"
_AFTER = re.compile(
    rf"\b(?P<name>{_NAMES})(?:\s+\([^()]{{1,12}}\))?\s*{_LINK}(?:=\s*|≈\s*|:\s*)?(?P<value>{_NUMBER})(?!\w)"
)
_BEFORE = re.compile(
    rf"(?P<value>{_NUMBER})\s+(?P<name>(?:training |identical |attention |parallel |warm-?up |transformer )?"
    r"(?:epochs|layers|heads|attention layers|steps|iterations|experts|trees|estimators|units))\b"
)
_TABLE = re.compile(r"hyper-?\s?param|settings?\b|configuration|architecture|overview of", re.I)
MAX = 200


def candidates(paper: Paper) -> tuple[HyperParameter, ...]:
    """Return what looks like a setting in running text, lists and tables."""
    found: dict[tuple[str, str, str], HyperParameter] = {}
    for section in paper.sections:
        if section.kind in ("references", "acknowledgements"):
            continue
        for block in section.blocks:
            if isinstance(block, Paragraph | ListBlock):
                items = _in_text(block.text, block.id)
            elif isinstance(block, Table) and _TABLE.search(block.caption):
                items = _in_table(block)
            else:
                continue
            for item in items:
                found.setdefault((item.name.lower(), item.value, item.where), item)
    return tuple(found.values())[:MAX]


def _in_text(text: str, where: str) -> Iterator[HyperParameter]:
    for pattern in (_AFTER, _BEFORE):
        for match in pattern.finditer(text):
            name = match["name"]
            explicit = "=" in match[0] or len(name) > 3
            if explicit:
                quote = text[max(match.start() - 60, 0) : match.end() + 60].strip()
                yield HyperParameter(name=name, value=match["value"].strip(), where=where, quote=quote)


def _in_table(table: Table) -> Iterator[HyperParameter]:
    if not table.rows:
        return
    head = table.rows[0]
    for row in table.rows[1:]:
        filled = [(position, cell) for position, cell in enumerate(row) if cell]
        if len(filled) < 2 or not re.search(r"[A-Za-zα-ω]", filled[0][1]):
            continue
        for position, cell in filled[1:]:
            if re.search(r"\d", cell):
                column = head[position] if len(head) == len(row) and len(filled) > 2 else ""
                name = f"{filled[0][1]} ({column})" if column else filled[0][1]
                yield HyperParameter(
                    name=name, value=cell, where=table.id, quote=" | ".join(part for part in row if part)
                )
