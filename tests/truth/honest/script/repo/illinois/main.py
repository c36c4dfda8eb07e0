"""Bisection and the Illinois rule on the cubic of Wallis; one script (Sections 2 to 5)."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

LONGEST = 500


def polynomial(coefficients: Sequence[float], x: float) -> float:
    """f(x) of Eq. (1) by Horner's rule, coefficients from the highest power."""
    value = 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def bisection(coefficients: Sequence[float], a: float, b: float, tolerance: float) -> list[tuple[float, float]]:
    """Points c of bisection with |f(c)|, up to the first with |f(c)| <= tolerance (Section 3)."""
    at_b = polynomial(coefficients, b)
    points: list[tuple[float, float]] = []
    for _ in range(LONGEST):
        c = (a + b) / 2
        at_c = polynomial(coefficients, c)
        points.append((c, abs(at_c)))
        if abs(at_c) <= tolerance:
            return points
        if (at_c > 0) == (at_b > 0):
            b, at_b = c, at_c
        else:
            a = c
    raise ValueError("bisection does not reach the tolerance")


def illinois(coefficients: Sequence[float], a: float, b: float, tolerance: float) -> list[tuple[float, float]]:
    """Points c of the Illinois rule with |f(c)|, up to the first with |f(c)| <= tolerance (Section 3)."""
    at_a, at_b = polynomial(coefficients, a), polynomial(coefficients, b)
    points: list[tuple[float, float]] = []
    for _ in range(LONGEST):
        c = (a * at_b - b * at_a) / (at_b - at_a)
        at_c = polynomial(coefficients, c)
        points.append((c, abs(at_c)))
        if abs(at_c) <= tolerance:
            return points
        if (at_c > 0) != (at_b > 0):
            a, at_a = b, at_b
        else:
            at_a = at_a / 2
        b, at_b = c, at_c
    raise ValueError("the Illinois rule does not reach the tolerance")


def evaluations(points: Sequence[tuple[float, float]]) -> int:
    """Evaluations of f: one for each point and one for each end of the bracket (Section 4)."""
    return len(points) + 2


def measure(config: dict[str, Any]) -> dict[str, Any]:
    """Everything that Section 5 reports."""
    problem = (config["coefficients"], float(config["left"]), float(config["right"]), float(config["tolerance"]))
    halves, weights = bisection(*problem), illinois(*problem)
    return {
        "profile": str(config["profile"]),
        "scale": str(config["scale"]),
        "bisection_evaluations": evaluations(halves),
        "illinois_evaluations": evaluations(weights),
        "root": weights[-1][0],
        "ratio": evaluations(halves) / evaluations(weights),
        "fifth": math.log10(weights[4][1]),
        "not_attempted": {},
        "health": [
            {"experiment": "wallis", "quantity": "bisection's residual", "start": halves[0][1], "end": halves[-1][1],
             "better": "lower"},
            {"experiment": "wallis", "quantity": "Illinois' residual", "start": weights[0][1], "end": weights[-1][1],
             "better": "lower"},
        ],
    }


def main() -> None:
    """Read a profile, run, write results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    results = measure(yaml.safe_load(arguments.config.read_text(encoding="utf-8")))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
