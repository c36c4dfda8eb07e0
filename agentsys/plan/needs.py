"""What a question about one file brings along beside the file's own part: interfaces, experiments, the paper's words.

Files share much of it. What most files need comes first, so that their questions begin alike for as long as they can:
a provider's cache pays for the common beginning once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agentsys.core.artifacts import FileSpec, Plan
from agentsys.core.prompts import render
from agentsys.paper.model import Paper
from agentsys.paper.named import find_sections, named_blocks
from agentsys.paper.query import with_children
from agentsys.paper.render import one_by_one
from agentsys.plan.prompt_text import fence_of, quoted
from agentsys.plan.rules import measures, needed_by
from agentsys.plan.workspace import ANALYSED

HEAD = """# What this file and others rest on

Interfaces are as the team has agreed on them: these files are written at the same time and held to this."""


class Needs:
    """What the files of one plan need, and how many of them need it."""

    def __init__(self, paper: Paper, plan: Plan) -> None:
        self._paper, self._plan = paper, plan
        self._shared = Counter(name for spec in plan.files for name in self._pieces(spec))

    def text(self, spec: FileSpec, more: Iterable[str] = ()) -> str:
        """Return what a file needs, what most files need first; empty where it needs nothing.

        Args:
            more: further places of the paper.
        """
        found = self._pieces(spec)
        found |= self._words(list(more)) if more else {}
        order = sorted(found, key=lambda name: -self._shared[name])
        return "\n\n".join([HEAD, *(found[name] for name in order)]) if found else ""

    def _pieces(self, spec: FileSpec) -> dict[str, str]:
        """Return texts by a name, the same for every file, in the order of the plan and of the paper."""
        needed = needed_by(self._plan.files, spec)
        planned = [other for other in self._plan.files if other.path in needed and other.interface]
        found = {other.path: f"`{other.path}` will offer:\n```\n{other.interface}\n```" for other in planned}
        if measures(self._plan, spec):
            told = {"experiments": self._plan.experiments, "expected": self._plan.expected}
            found["experiments"] = render("plan/experiments", **told).strip()
        if spec.kind in ANALYSED:
            rows = [row.place for row in self._plan.requirements if row.id in spec.requirements]
            found |= self._words([ref for place in rows for ref in (place.section, place.label) if ref])
        return found

    def _words(self, refs: list[str]) -> dict[str, str]:
        """Return the sections that `refs` name and the blocks that they cite, by their ids."""
        paper, fence = self._paper, fence_of(self._paper)
        named = {section.id for ref in refs for section in find_sections(paper, ref) if section.kind != "references"}
        blocks = {block.id for ref in refs for block in named_blocks(paper, ref)}
        texts = one_by_one(paper, with_children(paper, named), blocks)
        return {
            name: f"<<{fence} the paper's own words\n{quoted(text, fence)}\n{fence}>>" for name, text in texts.items()
        }
