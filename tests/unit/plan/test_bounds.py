"""A number of the paper is a bound only where its words say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.artifacts import ExpectedResult
from agentsys.paper import read_paper
from agentsys.plan.bounds import stated

TEXT = """# T

## Abstract

The error is at most 2.5 % on every problem. The method stops as soon as the residual is at most 1e-10.

## 1 Results

CG needs 12 steps.
"""


@pytest.mark.parametrize(
    ("quote", "value", "relation"),
    [
        ("The error is at most 2.5 % on every problem", 2.5, "at_most"),
        ("The error is at most 2.5 % on every problem", 0.025, "at_most"),
        ("CG needs 12 steps", 12.0, "equal"),
        ("stops as soon as the residual is at most 1e-10", 12.0, "equal"),
        ("CG needs at least 12 steps", 12.0, "equal"),
        ("", 12.0, "equal"),
    ],
)
def test_a_plan_cannot_turn_a_number_of_the_paper_into_a_bound(
    tmp_path: Path, quote: str, value: float, relation: str
) -> None:
    (tmp_path / "p.md").write_text(TEXT)
    planned = ExpectedResult.model_validate(
        {"id": "E1", "experiment": "x", "metric": "m", "value": value, "relation": "at_most"}
        | {"place": {"section": "1", "quote": quote}}
    )
    (row,) = stated([planned], read_paper(tmp_path / "p.md"))
    assert row.relation == relation
