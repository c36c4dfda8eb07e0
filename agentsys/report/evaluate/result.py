"""What is evaluated, and what came of it: as values, as data and as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentsys.paper.model import Paper
from agentsys.report.evaluate.execution import Execution, Refuses
from agentsys.report.evaluate.judge import Judged
from agentsys.report.evaluate.leaves import Graded
from agentsys.report.evaluate.parts import SCALED, Measured
from agentsys.report.evaluate.rubric import Node, score
from agentsys.report.evaluate.subject import Subject


@dataclass(frozen=True)
class Order:
    """What is evaluated, and how."""

    subject: Subject
    paper: Paper
    out: Path
    rubric: Node | None = None
    code_only: bool = False
    gold: Subject | None = None
    samples: int = 3
    mutants: int = 20
    timeout: float = 1200.0
    judged: bool = False
    """Whether a judge is asked at all."""
    refuses: Refuses = lambda _: ""


@dataclass(frozen=True)
class Evaluation:
    """All that was found."""

    order: Order
    measured: Measured
    execution: Execution | None = None
    free: Judged | None = None
    based: Judged | None = None
    rubric: Graded | None = None
    usage: dict[str, object] | None = None


def as_data(result: Evaluation) -> dict[str, object]:
    """Return the content of `evaluation.json`. Scores of rubrics are exact fractions beside their decimals."""
    order = result.order
    return {
        "version": 1,
        "repository": {"name": order.subject.name, "tree": order.subject.tree, "kind": order.subject.kind},
        "paper": {"title": order.paper.title, "sha256": order.paper.sha256},
        "measured": _measured(result.measured),
        "reference_free": _judged(result.free),
        "reference_based": _judged(result.based),
        "rubric": _graded(result),
        "judge": result.usage,
    }


def _measured(found: Measured) -> dict[str, object]:
    parts = [
        {
            "name": part.name,
            "weight": part.weight,
            "value": None if part.value is None else round(part.value, 4),
            "points": round(found.points(part), 2),
            "note": part.note,
            "not_measured_because": part.because,
        }
        for part in found.parts
    ]
    return {
        "total": round(found.total, 2),
        "out_of": 100,
        "weight_measured": found.weight_measured,
        "backend": found.backend,
        "weak_sandbox": found.weak,
        "parts": parts,
    }


def _judged(found: Judged | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {
        "score": round(found.score, 4),
        "out_of": 5,
        "valid": len(found.samples),
        "asked": found.asked,
        "decided_without_judge": found.decided,
        "samples": [sample.model_dump(mode="json", exclude={"marker"}) for sample in found.samples],
    }


def _graded(result: Evaluation) -> dict[str, object] | None:
    found = result.rubric
    if found is None:
        return None
    shares = {name: {"score": float(value), "exact": str(value)} for name, value in found.by_category.items()}
    return {
        "score": float(found.score),
        "exact": str(found.score),
        "variant": "code only" if result.order.code_only else "full",
        "by_category": shares,
        "leaves": len(found.leaves),
        "met": sum(leaf.met for leaf in found.leaves),
        "invalid": sum(not leaf.valid for leaf in found.leaves),
        "executed": bool(result.execution and result.execution.ran),
        "not_executed_because": result.execution.because if result.execution else "",
        "tree": _node(found.root, found),
    }


def _node(node: Node, found: Graded) -> dict[str, object]:
    data: dict[str, object] = {"id": node.id, "requirements": node.requirements, "weight": float(node.weight)}
    data["score"] = float(score(node, found.grades))
    if node.children:
        data["sub_tasks"] = [_node(child, found) for child in node.children]
        return data
    leaf = next(item for item in found.leaves if item.id == node.id)
    reason = {"reality": leaf.reality, "valid": leaf.valid, "judged": leaf.judged}
    return data | {"task_category": node.category, "finegrained_task_category": node.detail} | reason


def lines(result: Evaluation) -> Iterator[str]:
    """Yield the evaluation for people."""
    found = result.measured
    place = f"{found.backend}{': WEAK, it isolates less than Docker does' if found.weak else ''}"
    yield f"measured: {found.total:.1f} of 100" + (f" ({place})" if place else "")
    for part in found.parts:
        value = "not measured" if part.value is None else f"{part.value:.2f}"
        why = f"because {part.because}" if part.value is None else part.note
        yield f"  {part.name:9} {found.points(part):5.1f} of {part.weight:2}  {value:12} {why}"
    if found.implemented < 1:
        names = ", ".join(name for name in (part.name for part in found.parts) if name in SCALED)
        yield f"  {names} count {found.implemented:.0%}: the share of functions that are implemented"
    yield from _score_lines("reference-free score", result.free)
    yield from _score_lines("reference-based score", result.based)
    if result.rubric is not None:
        yield from _rubric_lines(result, result.rubric)
    if result.usage is not None:
        cost = result.usage["cost"]
        price = f"US$ {cost:.2f}" if isinstance(cost, float) else "price unknown"
        yield f"judge: {result.usage['calls']} calls, {price}"


def _score_lines(name: str, found: Judged | None) -> Iterator[str]:
    if found is None:
        return
    if found.decided:
        yield f"{name}: {found.score:.2f} of 5, without a judge: {found.decided}"
        return
    yield f"{name}: {found.score:.2f} of 5, mean of {len(found.samples)} of {found.asked} samples"
    gaps = [item for sample in found.samples for item in sample.critiques]
    for severity in ("high", "medium"):
        for gap in [item for item in gaps if item.severity == severity][:5]:
            place = ":".join(part for part in (gap.file, gap.function) if part)
            yield f"  {severity:6} {' '.join(place.split())}  {' '.join(gap.text.split())}"


def _rubric_lines(result: Evaluation, found: Graded) -> Iterator[str]:
    met = sum(leaf.met for leaf in found.leaves)
    variant = ", code only" if result.order.code_only else ""
    yield f"rubric{variant}: {float(found.score):.1%} ({met} of {len(found.leaves)} leaves met)"
    for name, value in found.by_category.items():
        yield f"  {name}: {float(value):.1%}"
    if result.execution is not None and result.execution.because:
        yield f"  nothing was executed: {result.execution.because}"
    invalid = sum(not leaf.valid for leaf in found.leaves)
    if invalid:
        yield f"  {invalid} leaves got no usable answer and count 0"
