"""What a question about one file brings along: interfaces, experiments, the paper's words, its part of the plan.

Files share much of it. Small files that rest on the same form a group, and each question about one of them begins with
what all of the group need. Those of different groups begin alike for as long as they can, and a provider's cache pays
for the common beginning once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agentsys.core.artifacts import FileSpec, Plan
from agentsys.core.prompts import render
from agentsys.paper.model import Paper
from agentsys.paper.named import find_sections, named_blocks
from agentsys.paper.query import with_children
from agentsys.paper.render import one_by_one
from agentsys.plan.groups import together
from agentsys.plan.order import Orders
from agentsys.plan.prompt_text import fence_of, quoted
from agentsys.plan.rules import measures, needed_by
from agentsys.plan.workspace import ANALYSED

HEAD = """# What this file and others rest on

Interfaces are as the team has agreed on them: these files are written at the same time and held to this."""


_DEFINED = re.compile(r"^\s*(?:@\S+\s+)?(?:(?:async\s+)?def\s+|class\s+)?([A-Za-z_]\w*)", re.MULTILINE)
"""What a line of an interface offers."""


class Needs:
    """What the files of one plan need, and in which order they are told it."""

    def __init__(self, paper: Paper, plan: Plan) -> None:
        self._paper, self._plan = paper, plan
        found = {spec.path: self._pieces(spec) for spec in plan.files}
        analysed = [spec.path for spec in plan.files if spec.kind in ANALYSED]
        shared = together(analysed, found, {path: self._part([path]) for path in analysed})
        alone = [[spec.path] for spec in plan.files if spec.kind not in ANALYSED]
        self._group = {path: tuple(group) for group in (*shared, *alone) for path in group}
        self._told = {
            group: {name: text for path in group for name, text in found[path].items() if name not in group}
            for group in self._group.values()
        }
        self._order = Orders({group[0]: told for group, told in self._told.items()}).best()

    def group(self, spec: FileSpec) -> tuple[str, ...]:
        """Return the paths of the files that questions about a file speak of, the file itself among them."""
        return self._group[spec.path]

    def text(self, spec: FileSpec, more: Iterable[str] = ()) -> str:
        """Return what a file and those of its group need; empty where they need nothing.

        Args:
            more: further places of the paper.
        """
        group = self.group(spec)
        found = self._told[group] | self._words(list(more))
        order = dict.fromkeys([*self._order.get(group[0], ()), *found])
        return "\n\n".join([HEAD, *(found[name] for name in order)]) if found else ""

    def own(self, spec: FileSpec) -> str:
        """Return the part of the plan that belongs to a file and those of its group."""
        return self._part(self.group(spec))

    def _part(self, paths: Sequence[str]) -> str:
        files = [spec for spec in self._plan.files if spec.path in paths]
        carried = {name for spec in files for name in spec.requirements}
        return render(
            "plan/file", files=files, requirements=[row for row in self._plan.requirements if row.id in carried]
        )

    def _pieces(self, spec: FileSpec) -> dict[str, str]:
        """Return texts by a name, the same for every file, in the order of the plan and of the paper."""
        planned = self._interfaces(spec)
        found = {path: f"`{path}` will offer:\n```\n{interface}\n```" for path, interface in planned.items()}
        if measures(self._plan, spec):
            told = {"experiments": self._plan.experiments, "expected": self._plan.expected}
            found["experiments"] = render("plan/experiments", **told).strip()
        if spec.kind in ANALYSED:
            rows = [row.place for row in self._plan.requirements if row.id in spec.requirements]
            found |= self._words([ref for place in rows for ref in (place.section, place.label) if ref])
        return found

    def _interfaces(self, spec: FileSpec) -> dict[str, str]:
        """Return the interfaces of the files that a file is given, and of those behind them of which these speak."""
        behind = needed_by(self._plan.files, spec)
        planned = {row.path: row.interface for row in self._plan.files if row.path in behind and row.interface}
        told, size = {path for path in planned if path in spec.depends_on}, -1
        while len(told) != size:
            size = len(told)
            words = set(re.findall(r"\w+", "\n".join([spec.interface, *(planned[path] for path in told)])))
            told |= {path for path, text in planned.items() if not words.isdisjoint(_DEFINED.findall(text))}
        return {path: text for path, text in planned.items() if path in told}

    def _words(self, refs: list[str]) -> dict[str, str]:
        """Return the sections that `refs` name and the blocks that they cite, by their ids."""
        paper, fence = self._paper, fence_of(self._paper)
        named = {section.id for ref in refs for section in find_sections(paper, ref) if section.kind != "references"}
        blocks = {block.id for ref in refs for block in named_blocks(paper, ref)}
        texts = one_by_one(paper, with_children(paper, named), blocks)
        return {
            name: f"<<{fence} the paper's own words\n{quoted(text, fence)}\n{fence}>>" for name, text in texts.items()
        }
