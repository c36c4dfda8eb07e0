"""Measures discrepancy and integration error (Sections 4 and 5)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from evenly.points import error, random_points, star_discrepancy, stratified_points, van_der_corput

SETS = {"random": random_points, "stratified": stratified_points}
"""Name -> the point set with chance in it."""


def rms_error(name: str, integrand: str, n: int, sets: int, rng: np.random.Generator) -> float:
    """Return the root of the mean squared error over so many independent point sets."""
    errors = [error(integrand, SETS[name](n, rng)) for _ in range(sets)]
    return float(np.sqrt(np.mean(np.square(errors))))


def run(config: dict[str, Any]) -> dict[str, Any]:
    """Measure the numbers of Sections 4 and 5."""
    rng = np.random.default_rng(int(config["seed"]))
    n, sets = int(config["n"]), int(config["sets"])
    random, stratified = (rms_error(name, "exp", n, sets, rng) for name in SETS)
    return {
        "profile": str(config["profile"]),
        "scale": str(config["scale"]),
        "discrepancy_product": n * star_discrepancy(van_der_corput(n)),
        "random_discrepancy": float(np.mean([star_discrepancy(random_points(n, rng)) for _ in range(sets)])),
        "random_rms": random,
        "stratified_rms": stratified,
        "not_attempted": {},
        "health": [
            {"experiment": "errors", "quantity": "RMS error", "start": random, "end": stratified, "better": "lower"}
        ],
    }


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
