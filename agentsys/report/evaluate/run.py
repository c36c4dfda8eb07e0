"""One evaluation: reads repository and paper, measures, asks the judge, writes `evaluation.json`."""

from __future__ import annotations

import json
from collections.abc import Callable

from agentsys.core.errors import UsageError
from agentsys.core.events import EventLog
from agentsys.core.files import write_atomic
from agentsys.llm.client import Model
from agentsys.report.evaluate.blind import blind
from agentsys.report.evaluate.execution import Execution, execute
from agentsys.report.evaluate.judge import Bench, judge_score
from agentsys.report.evaluate.leaves import Graded, grade
from agentsys.report.evaluate.measure import measure
from agentsys.report.evaluate.result import Evaluation, Order, as_data
from agentsys.report.evaluate.rubric import Node, prune
from agentsys_sandbox.base import Sandbox

FILE = "evaluation.json"


async def evaluate(
    order: Order, factory: Callable[[], Sandbox] | None, model: Model | None, events: EventLog
) -> Evaluation:
    """Carry out an evaluation and write `evaluation.json`; the judge's answers lie below `llm` and are not asked again.

    Args:
        factory: makes a sandbox; None runs nothing.
        model: the judge, closed by the caller; None asks nobody.

    Raises: SandboxError, ProviderError, LimitReached, UsageError.
    """
    root = _tree(order)
    found = await measure(
        order.subject,
        factory,
        out=order.out / "logs",
        timeout=order.timeout,
        mutants=order.mutants,
        events=events,
        refuses=order.refuses,
    )
    result = Evaluation(order, found)
    if model is not None:
        result = await _judged(result, root, factory, model)
    write_atomic(order.out / FILE, json.dumps(as_data(result), indent=1, ensure_ascii=False) + "\n")
    return result


async def _judged(
    result: Evaluation, root: Node | None, factory: Callable[[], Sandbox] | None, model: Model
) -> Evaluation:
    order = result.order
    kind = order.subject.kind
    gold = blind(order.gold.files) if order.gold else None
    bench = Bench(model, order.paper, blind(order.subject.files), gold)
    free = await judge_score(bench, kind, "free", order.samples)
    based = await judge_score(bench, kind, "based", order.samples) if gold else None
    execution: Execution | None = None
    graded: Graded | None = None
    if root is not None:
        needs_run = kind == "code" and any(leaf.category != "Code Development" for leaf in root.leaves())
        execution = (
            await execute(order.subject.files, factory, order.timeout, order.refuses) if needs_run else Execution(False)
        )
        graded = await grade(bench, kind, root, execution)
    usage: dict[str, object] = {
        "calls": model.calls,
        "prompt": model.usage.prompt,
        "cached": model.usage.cached,
        "completion": model.usage.completion,
        "cost": model.cost,
    }
    return Evaluation(order, result.measured, execution, free, based, graded, usage)


def _tree(order: Order) -> Node | None:
    if order.rubric is None or not order.code_only:
        return order.rubric
    pruned = prune(order.rubric, ("Code Development",))
    if pruned is None:
        raise UsageError("the rubric has no leaf of the category `Code Development`", "leave `--code-only` out")
    return pruned
