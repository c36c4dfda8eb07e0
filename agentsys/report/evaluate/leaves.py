"""Judges the leaves of a rubric, each met or not, and hands the grades to the tree's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

from agentsys.core.errors import ProviderError
from agentsys.core.prompts import render
from agentsys.llm.types import Part, Prompt
from agentsys.report.evaluate.execution import Execution
from agentsys.report.evaluate.judge import Bench, Grade, first_then_all
from agentsys.report.evaluate.material import (
    CODE_CHARS,
    LEAF_CODE_CHARS,
    LEAF_PAPER_CHARS,
    PAPER_CHARS,
    fits,
    paper_text,
)
from agentsys.report.evaluate.rubric import Category, Node, by_category, score
from agentsys.report.evaluate.subject import Kind


@dataclass(frozen=True)
class LeafGrade:
    """One leaf: its grade, and why. `valid` is False where the judge gave no usable answer: it counts 0 then."""

    id: str
    met: int
    reality: str = ""
    valid: bool = True
    judged: bool = True
    """False where it was decided without a model."""


@dataclass(frozen=True)
class Graded:
    """A graded rubric."""

    root: Node
    leaves: tuple[LeafGrade, ...] = field(default=())

    @property
    def grades(self) -> dict[str, int]:
        return {leaf.id: leaf.met for leaf in self.leaves}

    @property
    def score(self) -> Fraction:
        return score(self.root, self.grades)

    @property
    def by_category(self) -> dict[Category, Fraction]:
        return by_category(self.root, self.grades)


async def grade(bench: Bench, kind: Kind, root: Node, execution: Execution) -> Graded:
    """Judge every leaf of a rubric.

    What needs no judge is decided first: nothing is met by a repository without code, and what was not run was neither
    executed nor measured.

    Raises: ProviderError, LimitReached, as `Model.ask`.
    """
    decided: dict[str, LeafGrade] = {}
    open_paths: list[tuple[Node, ...]] = []
    for path in root.paths():
        why = _without_judge(path[-1], kind, execution)
        if why:
            decided[path[-1].id] = LeafGrade(path[-1].id, 0, why, judged=False)
        else:
            open_paths.append(path)
    jobs = [partial(_judge, bench, path, execution) for path in open_paths]
    answers = await first_then_all(jobs)
    for path, answer in zip(open_paths, answers, strict=True):
        leaf = path[-1].id
        if isinstance(answer, ProviderError):
            decided[leaf] = LeafGrade(leaf, 0, answer.message, valid=False)
        else:
            decided[leaf] = LeafGrade(leaf, answer.score, answer.reality)
    return Graded(root, tuple(decided[leaf.id] for leaf in root.leaves()))


def _without_judge(leaf: Node, kind: Kind, execution: Execution) -> str:
    if kind != "code":
        return "the repository holds no code"
    if leaf.category != "Code Development" and not execution.ran:
        return f"nothing was executed: {execution.because}"
    if leaf.category == "Result Analysis" and not execution.outputs:
        return "the run wrote no file"
    return ""


async def _judge(bench: Bench, path: Sequence[Node], execution: Execution) -> Grade:
    leaf, above = path[-1], path[:-1]
    question = "\n".join(node.requirements for node in path[-2:])
    executed = leaf.category != "Code Development"
    task = render(
        "report/evaluate/judge_leaf",
        marker=bench.marker,
        above=[bench.quote(node.requirements) for node in above],
        requirement=bench.quote(leaf.requirements),
        category=leaf.category,
        log=bench.quote(execution.log) if executed else "",
        outputs=bench.quote(execution.outputs) if leaf.category == "Result Analysis" else "",
    )
    # What fits whole is the same for all leaves, stands first, and is read from the provider's cache.
    shared: list[Part] = [bench.rules()]
    own: list[Part] = []
    whole_paper = len(paper_text(bench.paper, limit=PAPER_CHARS + 1)) <= PAPER_CHARS
    (shared if whole_paper else own).append(
        bench.paper_part() if whole_paper else bench.paper_part(question, LEAF_PAPER_CHARS)
    )
    whole_code = fits(bench.seen.texts, CODE_CHARS)
    (shared if whole_code else own).append(
        bench.code_part(bench.seen, "repository", question, CODE_CHARS if whole_code else LEAF_CODE_CHARS)
    )
    prompt = Prompt(prefix=tuple(shared), body=(*own, Part("task", task)))
    return await bench.ask(f"leaf/{leaf.id}", prompt, Grade)
