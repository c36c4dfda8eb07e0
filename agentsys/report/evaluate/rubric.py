"""Rubrics as trees of weighted requirements, in the form of PaperBench, and their exact arithmetic.

A leaf is met or not (1 or 0). An inner node's score is the mean of its children's scores, weighted; children of total
weight zero give 0. Leaving out leaves of other categories needs no new weights: they renormalise by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast, get_args

from agentsys.core.errors import UsageError

Category = Literal["Code Development", "Code Execution", "Result Analysis"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
MAX_NODES = 20_000
_MAX_DEPTH = 60
_CHILDREN = ("sub_tasks", "children", "subtasks")


@dataclass(frozen=True)
class Node:
    """One requirement. A leaf has a category, an inner node has children."""

    id: str
    requirements: str
    weight: Fraction
    children: tuple[Node, ...] = ()
    category: Category | None = None
    detail: str = ""
    """The finer category, as the rubric writes it."""

    def leaves(self) -> Iterator[Node]:
        """Yield the leaves in order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def paths(self, above: tuple[Node, ...] = ()) -> Iterator[tuple[Node, ...]]:
        """Yield each leaf with its ancestors, the root first."""
        if not self.children:
            yield (*above, self)
        for child in self.children:
            yield from child.paths((*above, self))


def score(node: Node, grades: Mapping[str, int]) -> Fraction:
    """Return the exact score of a node, from 0 to 1; a leaf without a grade counts 0."""
    if not node.children:
        return Fraction(int(grades.get(node.id, 0) == 1))
    total = sum((child.weight for child in node.children), Fraction(0))
    if not total:
        return Fraction(0)
    return sum((child.weight * score(child, grades) for child in node.children), Fraction(0)) / total


def prune(node: Node, categories: Collection[Category]) -> Node | None:
    """Return the tree with the leaves of these categories alone, or None if there is none; code-only is one of them."""
    if not node.children:
        return node if node.category in categories else None
    kept = tuple(child for child in (prune(child, categories) for child in node.children) if child is not None)
    return replace(node, children=kept) if kept else None


def by_category(node: Node, grades: Mapping[str, int]) -> dict[Category, Fraction]:
    """Return the score of each category's own tree, for those that have leaves."""
    trees: dict[Category, Node | None] = {name: prune(node, (name,)) for name in CATEGORIES}
    return {name: score(tree, grades) for name, tree in trees.items() if tree is not None}


def read_rubric(path: Path) -> Node:
    """Read a rubric, tolerantly: ids may be missing or given twice, weights be fractions, names differ a little.

    Raises: UsageError if it is no tree of requirements.
    """
    try:
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read rubric `{path}`: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"rubric `{path}` is not JSON: {error}") from error
    if isinstance(data, dict):
        fields = cast("dict[str, object]", data)
        data = fields["rubric"] if "rubric" in fields and "requirements" not in fields else fields
    return _Reader(str(path)).node(data, "1", 0)


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._ids: set[str] = set()

    def node(self, data: object, place: str, depth: int) -> Node:
        if not isinstance(data, dict):
            raise self._wrong(place, "is not an object")
        if depth > _MAX_DEPTH or len(self._ids) >= MAX_NODES:
            raise self._wrong(place, f"is nested too deeply, or there are more than {MAX_NODES} nodes")
        fields = cast("dict[str, object]", data)
        text = str(fields.get("requirements") or fields.get("requirement") or "").strip()
        if not text:
            raise self._wrong(place, "has no `requirements`")
        own = self._id(str(fields.get("id") or place), place)
        below: object = next((fields[name] for name in _CHILDREN if fields.get(name)), None) or list[object]()
        if not isinstance(below, list):
            raise self._wrong(place, "has `sub_tasks` that are not a list")
        children = tuple(
            self.node(item, f"{place}.{at}", depth + 1) for at, item in enumerate(cast("list[object]", below), 1)
        )
        category = None if children else self._category(fields.get("task_category"), place)
        detail = str(fields.get("finegrained_task_category") or "")
        return Node(own, text, self._weight(fields.get("weight", 1), place), children, category, detail)

    def _id(self, wanted: str, place: str) -> str:
        own = wanted if wanted not in self._ids else f"{wanted}@{place}"
        self._ids.add(own)
        return own

    def _weight(self, value: object, place: str) -> Fraction:
        if value is None:
            return Fraction(1)
        try:
            weight = Fraction(str(value).strip())
        except (ValueError, ZeroDivisionError) as error:
            raise self._wrong(place, f"has the weight `{value}`, which is no number") from error
        if weight < 0:
            raise self._wrong(place, "has a negative weight")
        return weight

    def _category(self, value: object, place: str) -> Category:
        """A leaf without a category asks for code, as the rubrics of the code-only variant do."""
        if not value:
            return "Code Development"
        plain = str(value).lower().replace("_", " ").replace("-", " ").strip()
        for name in CATEGORIES:
            if plain == name.lower():
                return name
        raise self._wrong(place, f"has the category `{value}`; known are {', '.join(CATEGORIES)}")

    def _wrong(self, place: str, what: str) -> UsageError:
        return UsageError(
            f"rubric `{self._name}`: node {place} {what}",
            "each node has `id`, `requirements`, `weight`, and `sub_tasks` or `task_category`",
        )
