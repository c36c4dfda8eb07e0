"""A repository and its plan as the recorded answers of a model, for `agentsys implement --replay`.

The model is stubborn: asked again, it says the same. Its reviewer finds nothing, since a lazy or pressed model is the
case in point: what is measured is what the program finds by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from agentsys.audit.screening import EXCERPT_CHARS
from agentsys.llm.store import Recording, Store
from agentsys.paper import excerpt, read_paper
from agentsys_policies.purpose import marker_of
from benchmarks.truth_cases import Case

TRIES = 3
"""Answers that are recorded for each question: the program asks so often before it gives up."""
_TAGS = {".py": "python", ".sh": "bash", ".md": "markdown", ".yaml": "yaml", ".toml": "toml", ".json": "json"}
_ANALYSIS = """## What this file does

It follows the sections of the paper that the plan names for it: the formulas as printed, the shapes and keys of the
interface, and the settings of the configuration. Checks by hand: one step of each method on a small input, the limits
that the paper names, and the results against the functions that they come from. Wrong input raises an error.
"""


def write_recording(folder: Path, case: Case, request: str = "") -> Path:
    """Write the recording of a case below `folder` and return it.

    Args:
        request: what is screened together with the paper.
    """
    store = Store(folder)
    for role, item, text in _answers(case, request):
        for attempt in range(1, TRIES + 1):
            store.write(Recording(role=role, item=item, attempt=attempt, model="scripted", text=text))
    if case.pins:
        (folder / "environment.txt").write_text(case.pins, encoding="utf-8")
    return folder


def _answers(case: Case, request: str) -> Iterator[tuple[str, str, str]]:
    """Yield (role, item, answer)."""
    yield "auditor", "purpose-1", _purpose(case.paper, request)
    for name in ("requirements", "evaluation", "design", "config"):
        yield "planner", name, _fenced("json", json.dumps(case.plan[name], indent=1))
    for spec in case.plan["design"]["files"]:
        path = str(spec["path"])
        yield "analyzer", path, _ANALYSIS
        yield "coder", path, _fenced(_TAGS.get(PurePosixPath(path).suffix, "text"), case.files[path])
        yield "reviewer", path, _fenced("json", '{"findings": []}')


def _purpose(paper: Path, request: str) -> str:
    read = read_paper(paper)
    answer: dict[str, Any] = {
        "marker": marker_of(request, excerpt(read, EXCERPT_CHARS), read.sha256),
        "verdict": "allow",
        "category": "none",
        "aim": "ordinary numerical research",
        "real_target": False,
        "uplift": "none",
        "quote": "",
        "reason": "Methods and numbers of a textbook kind.",
    }
    return json.dumps(answer)


def _fenced(tag: str, text: str) -> str:
    fence = "`" * 6 if "```" in text else "```"
    body = text if text.endswith("\n") or not text else f"{text}\n"
    return f"{fence}{tag}\n{body}{fence}"
