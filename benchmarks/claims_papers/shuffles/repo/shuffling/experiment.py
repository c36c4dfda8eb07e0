"""Measures the statistics of the shuffles (Section 4)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from shuffling.shuffles import SHUFFLES, fixed_points, longest_increasing, records


def means(shuffle: str, n: int, repetitions: int, rng: np.random.Generator) -> dict[str, float]:
    """Return the mean of each statistic over so many permutations of n numbers."""
    drawn = [SHUFFLES[shuffle](n, rng) for _ in range(repetitions)]
    return {
        "records": float(np.mean([records(p) for p in drawn])),
        "fixed_points": float(np.mean([fixed_points(p) for p in drawn])),
        "fixed_points_squared": float(np.mean([fixed_points(p) ** 2 for p in drawn])),
        "longest_increasing": float(np.mean([longest_increasing(p) for p in drawn])),
    }


def run(config: dict[str, Any]) -> dict[str, Any]:
    """Measure the numbers of Section 4."""
    rng = np.random.default_rng(int(config["seed"]))
    large = means("fisher_yates", int(config["large"]), int(config["repetitions"]), rng)
    small = {name: means(name, int(config["small"]), int(config["repetitions"]), rng) for name in SHUFFLES}
    gap = small["fisher_yates"]["fixed_points"] - small["sattolo"]["fixed_points"]
    return {
        "profile": str(config["profile"]),
        "scale": str(config["scale"]),
        "records": large["records"],
        "sattolo_gap": gap,
        "length": small["fisher_yates"]["longest_increasing"],
        "not_attempted": {},
        "health": [{"experiment": "statistics", "quantity": "records", "value": large["records"], "above": 1}],
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
