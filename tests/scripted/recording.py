"""Write scripted answers as a recording, so that the whole program can be replayed on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from agentsys.audit.screening import EXCERPT_CHARS
from agentsys.llm.store import Store
from agentsys.llm.types import CallKey
from agentsys.paper import excerpt, read_paper
from agentsys_policies.purpose import marker_of
from scripted.paper import PAPER


def write_paper(folder: Path, text: str = PAPER) -> Path:
    path = folder / "paper.md"
    path.write_text(text, encoding="utf-8")
    return path


def purpose_answer(paper: Path, request: str = "", verdict: str = "allow") -> str:
    """The judge's answer for this paper (scripted)."""
    read = read_paper(paper)
    marker = marker_of(request, excerpt(read, EXCERPT_CHARS), read.sha256)
    return json.dumps(
        {
            "marker": marker,
            "verdict": verdict,
            "category": "none",
            "aim": "a bias-free running mean",
            "real_target": False,
            "uplift": "none",
            "quote": "",
            "reason": "ordinary statistics",
        }
    )


def write_recording(folder: Path, paper: Path, answers: Mapping[tuple[str, ...], str]) -> Path:
    """Write the answers, the judge's among them, below `folder` and return it.

    A key is (role, item), or (role, item, attempt) for a later try.
    """
    whole = {("auditor", "purpose-1"): purpose_answer(paper), **answers}
    store = Store(folder)
    for (role, item, *attempt), text in whole.items():
        path = store.path(CallKey(role, item, int(attempt[0]) if attempt else 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        header = json.dumps({"model": "scripted for tests", "usage": {"prompt": 100, "completion": 10}})
        path.write_text(f"---\n{header}\n---\n{text}", encoding="utf-8")
    return folder
