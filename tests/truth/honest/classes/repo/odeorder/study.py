"""Errors and measured orders (Sections 2, 4 and 5); `python -m odeorder.study` runs a profile."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from odeorder.integrators import METHODS, Integrator


@dataclass(frozen=True)
class Problem:
    """Eq. (1): y' = rate * t * y with y(0) = start, up to t = end."""

    rate: float
    start: float
    end: float

    def slope(self, t: float, y: float) -> float:
        """Right-hand side of Eq. (1)."""
        return self.rate * t * y

    @property
    def solution(self) -> float:
        """y(end) exactly."""
        return self.start * math.exp(self.rate * self.end**2 / 2)

    def error(self, method: type[Integrator], steps: int) -> float:
        """Absolute error at the end."""
        return abs(method(self.slope).integrate(self.start, self.end, steps) - self.solution)


class Study:
    """All methods on one problem."""

    def __init__(self, problem: Problem, steps: int) -> None:
        self.problem = problem
        self.steps = steps

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Study:
        """Take the problem and the number of steps from a profile."""
        problem = Problem(float(config["rate"]), float(config["start"]), float(config["end"]))
        return cls(problem, int(config["steps"]))

    def order(self, method: type[Integrator]) -> float:
        """log2 of the error over the error with half the step (Section 4)."""
        return math.log2(self.problem.error(method, self.steps) / self.problem.error(method, 2 * self.steps))

    def slopes(self, method: type[Integrator]) -> int:
        """Evaluations of the right-hand side."""
        integrator = method(self.problem.slope)
        integrator.integrate(self.problem.start, self.problem.end, self.steps)
        return integrator.calls

    def results(self) -> dict[str, Any]:
        """Table 1 with its signs of health."""
        table: dict[str, Any] = {}
        health: list[dict[str, Any]] = []
        for name, method in METHODS.items():
            coarse = self.problem.error(method, self.steps)
            table[f"{name}_error"] = math.log10(coarse)
            table[f"{name}_order"] = self.order(method)
            errors = [self.problem.error(method, max(1, self.steps // part)) for part in (4, 2, 1)]
            health.append({"experiment": "orders", "quantity": f"error of {name}", "values": errors, "better": "lower"})
        table["rk4_slopes"] = self.slopes(METHODS["rk4"])
        return {**table, "health": health}


def main(argv: list[str] | None = None) -> int:
    """Read a profile, run, write results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("profile", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args(argv)
    config = yaml.safe_load(arguments.profile.read_text(encoding="utf-8"))
    results = {
        "profile": str(config["profile"]),
        "scale": str(config["scale"]),
        **Study.from_config(config).results(),
        "not_attempted": {},
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
