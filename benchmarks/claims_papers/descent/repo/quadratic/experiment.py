"""Measures losses and evaluations (Sections 4 and 5)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from quadratic.descent import averaged_loss, evaluations, final_loss, iterates


def run(config: dict[str, Any]) -> dict[str, Any]:
    """Measure the numbers of Sections 4 and 5, as means over seeds."""
    steps, eta, sigma = int(config["steps"]), float(config["eta"]), float(config["sigma"])
    first = int(config["seed"])
    rngs = [np.random.default_rng(first + number) for number in range(int(config["seeds"]))]
    plain = [iterates(steps, eta, 0.0, sigma, rng) for rng in rngs]
    heavy = [iterates(steps, eta, float(config["beta"]), sigma, rng) for rng in rngs]
    exact = iterates(steps, eta, 0.0, 0.0, np.random.default_rng(first))
    final = float(np.mean([final_loss(path) for path in heavy]))
    averaged = float(np.mean([averaged_loss(path) for path in heavy]))
    level = float(config["level"])
    return {
        "profile": str(config["profile"]),
        "scale": str(config["scale"]),
        "plain_exact": final_loss(exact),
        "heavy_final": final,
        "heavy_averaged": averaged,
        "plain_evaluations": float(np.mean([evaluations(path, level) for path in plain])),
        "not_attempted": {},
        "health": [
            {"experiment": "losses", "quantity": "averaging", "start": final, "end": averaged, "better": "lower"}
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
