"""Numbers of a paper in a repository: what the code gate says of planted forms and of honest repositories."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any, cast

import yaml

from agentsys_policies.engine import Policy
from agentsys_policies.scan.numbers.reported import Reported, Result
from agentsys_policies.scan.numbers.scanner import FOUND
from agentsys_policies.schema import Finding

LEFT_OUT = frozenset({"results/", "PAPER_MAP.md"})
"""What the program's own audit leaves out as well: it is not there while the repository is run."""
ROWS = 2000
"""Lines of a table that a case asks for by `MANY n digits`."""


def read_number_cases(file: Path) -> tuple[Reported, dict[str, list[dict[str, str]]]]:
    """Return what is looked for, and the repositories under `found` and `passed`."""
    data = cast("dict[str, Any]", yaml.safe_load(file.read_text(encoding="utf-8")))
    results = tuple(Result(float(value), key) for key, value in data["results"].items())
    settings = frozenset(abs(float(value)) for value in data["settings"])
    return Reported(results, settings, LEFT_OUT), {kind: data[kind] for kind in ("found", "passed")}


def reported_findings(policy: Policy, files: dict[str, str], reported: Reported) -> list[Finding]:
    """Return the findings on reported numbers that keep a repository from being verified."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_table(text) if text.startswith("MANY ") else text, encoding="utf-8")
        decision = policy.audit_code(Path(folder), reported=reported)
    return [row for row in decision.findings if row.rule == FOUND and row.severity not in {"info", "low"}]


def _table(order: str) -> str:
    """A table of numbers that have nothing to do with a paper, always the same."""
    digits, chance = int(order.split()[1]), random.Random(7)
    rows = ([f"{chance.uniform(0, 10):.{digits}g}" for _ in range(5)] for _ in range(ROWS))
    return "".join(f"{', '.join(row)}\n" for row in rows)
