"""Tabulates both sequences (Sections 3 and 4)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tables.sequences import peak, sign_sums, stopping_time


def run(config: dict[str, Any]) -> dict[str, Any]:
    """Measure the numbers of Sections 3 and 4."""
    starts = range(1, int(config["starts"]) + 1)
    sums = sign_sums(int(config["last"]))
    times = [stopping_time(n) for n in starts]
    return {
        "profile": str(config["profile"]),
        "scale": str(config["scale"]),
        "mean_stopping_time": float(np.mean(times)),
        "largest_peak": max(peak(n) for n in starts),
        "smallest_sum": int(sums.min()),
        "not_attempted": {},
        "health": [{"experiment": "tables", "quantity": "longest stopping time", "value": max(times), "above": 0}],
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
