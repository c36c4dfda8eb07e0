"""Repeats the estimators with independent random numbers and writes results.json (Sections 4 and 5)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from variates.estimators import FloatArray, antithetic, control, plain

ESTIMATORS: dict[str, tuple[Callable[[FloatArray], float], int]] = {
    "plain": (plain, 1),
    "antithetic": (antithetic, 2),
    "control": (control, 1),
}
"""Name -> the estimator, and the evaluations that one uniform number costs."""


def repeat(name: str, evaluations: int, repetitions: int, rng: np.random.Generator) -> FloatArray:
    """Return independent estimates, shape (repetitions,)."""
    estimator, cost = ESTIMATORS[name]
    if evaluations % cost:
        raise ValueError(f"{evaluations} evaluations do not divide into groups of {cost}")
    return np.array([estimator(rng.random(evaluations // cost)) for _ in range(repetitions)], dtype=np.float64)


def run(config: dict[str, Any]) -> dict[str, Any]:
    """Measure Table 1."""
    streams = np.random.SeedSequence(int(config["seed"])).spawn(len(ESTIMATORS))
    results: dict[str, Any] = {"profile": str(config["profile"]), "scale": str(config["scale"])}
    spreads: dict[str, float] = {}
    for name, stream in zip(ESTIMATORS, streams, strict=True):
        rng = np.random.default_rng(stream)
        estimates = repeat(name, int(config["evaluations"]), int(config["repetitions"]), rng)
        spreads[name] = float(estimates.std(ddof=1))
        results[f"{name}_mean"] = float(estimates.mean())
        results[f"{name}_spread"] = spreads[name]
    for name in ("antithetic", "control"):
        results[f"{name}_reduction"] = (spreads["plain"] / spreads[name]) ** 2
    results["not_attempted"] = {}
    results["health"] = [
        {"experiment": "table1", "quantity": f"spread of {name} against plain", "start": spreads["plain"],
         "end": spreads[name], "better": "lower"}
        for name in ("antithetic", "control")
    ]
    return results


def main(argv: list[str] | None = None) -> int:
    """Read a profile, run, write results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args(argv)
    results = run(yaml.safe_load(arguments.config.read_text(encoding="utf-8")))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
