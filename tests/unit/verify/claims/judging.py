"""Contracts and rows in a few words, for the tests of rules and verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.rule import Rule
from agentsys.verify.claims.standalone.frame import Conversions, Sample
from agentsys.verify.claims.standalone.outcome import Outcome
from agentsys.verify.claims.standalone.rows import HEADER, Rows, read_rows
from agentsys.verify.claims.standalone.rules import evaluate_rule

Line = tuple[int, str, str, float | int | str]
"""seed, setting, method, value"""


def rows_of(folder: Path, lines: list[Line], *, quantity: str = "v", unit: str = "") -> Rows:
    file = folder / "rows.csv"
    text = [",".join(HEADER)]
    text += [f"C1,{seed},{setting},{method},{quantity},{value},{unit}" for seed, setting, method, value in lines]
    file.write_text("\n".join(text) + "\n", encoding="utf-8")
    return read_rows([file])


def plain(rule: dict[str, Any]) -> dict[str, Any]:
    adapter: TypeAdapter[Rule] = TypeAdapter(Rule)
    outer = {} if rule["type"] in ("all_of", "fails") else {"quantity": "v"}
    return adapter.validate_python({**outer, **rule}).model_dump(mode="json")


def outcome(
    folder: Path,
    rule: dict[str, Any],
    lines: list[Line],
    *,
    sure: bool = False,
    target: tuple[float, str] | None = None,
    unit: str = "",
    conversions: Conversions | None = None,
) -> Outcome:
    sample = Sample(rows_of(folder, lines, unit=unit), "C1", "", sure, conversions or {}, target)
    return evaluate_rule(sample, plain(rule))


def contract(**more: Any) -> Contract:
    """A comparison of `a` with `b` over five seeds."""
    rule = {"type": "difference", "quantity": "v", "method": "a", "baseline": "b"}
    return Contract.model_validate(
        {
            "claim": "C1",
            "text": "a is larger than b by about one.",
            "place": {"section": "4"},
            "kind": "comparison",
            "seeds": 5,
            "accept": {**rule, "low": 0.5},
            "falsify": {**rule, "high": 0.0},
            "control": {"what": "a runs with its step switched off"},
            "baselines": [{"method": "b", "quantity": "v", "value": None}],
            "toy_below": {"n": 100},
            **more,
        }
    )


def compared(gap: float = 1.0, *, n: int = 100, noise: float = 0.1, control: float = 0.0, seeds: int = 5) -> list[Line]:
    """Rows of `contract`: a beats b by `gap`, in the control by `control`."""
    lines: list[Line] = []
    for seed in range(seeds):
        wobble = noise * (seed - (seeds - 1) / 2)
        lines += [(seed, f"n={n}", "a", 10 + gap + wobble), (seed, f"n={n}", "b", 10.0 - wobble * 0.1)]
        lines += [(seed, "case=control", "a", 10 + control + wobble), (seed, "case=control", "b", 10.0)]
    return lines
