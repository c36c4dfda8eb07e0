"""What is evaluated, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentsys.paper.model import Paper
from agentsys.report.evaluate.execution import Execution
from agentsys.report.evaluate.leaves import Graded
from agentsys.report.evaluate.parts import Measured
from agentsys.report.evaluate.rubric import Node
from agentsys.report.evaluate.scores import Judged
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
