"""Runs a profile and writes results.json (Sections 4 and 5)."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from exactcg.solvers import conjugate_gradients, matrix, steepest_descent, steps_to


def table(config: dict[str, Any]) -> dict[str, Any]:
    """Measure Table 1 and the mean component."""
    a = matrix(int(config["d"]), float(config["spacing"]))
    b = np.ones(int(config["d"]))
    tolerance, most, early = float(config["tolerance"]), int(config["most_steps"]), int(config["early"])
    _, slow = steepest_descent(a, b, tolerance, most)
    solution, fast = conjugate_gradients(a, b, tolerance, most)
    return {
        "sd_steps": steps_to(slow, tolerance),
        "cg_steps": steps_to(fast, tolerance),
        "sd_early": math.log10(slow[early]),
        "cg_early": math.log10(fast[early]),
        "mean_component": float(solution.mean()),
        "health": [
            {"experiment": "steps", "quantity": "residual of SD", "start": slow[0], "end": slow[-1], "better": "lower"},
            {"experiment": "steps", "quantity": "residual of CG", "start": fast[0], "end": fast[-1], "better": "lower"},
        ],
    }


def main(config_file: str, out: str) -> None:
    """Write OUT/results.json."""
    config = yaml.safe_load(Path(config_file).read_text(encoding="utf-8"))
    results = {"profile": config["profile"], "scale": config["scale"], **table(config), "not_attempted": {}}
    Path(out).mkdir(parents=True, exist_ok=True)
    (Path(out) / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
