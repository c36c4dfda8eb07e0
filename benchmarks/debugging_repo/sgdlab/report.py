"""The results file."""

from __future__ import annotations

from typing import Any

from sgdlab.config import Config
from sgdlab.experiments import Outcome


def results(config: Config, outcome: Outcome) -> dict[str, Any]:
    """Return what results.json holds."""
    return {
        "profile": config.profile,
        "scale": f"{config.optim.steps} steps",
        "final_gap": outcome.losses[-1] - outcome.best,
        "held_out_error": outcome.error,
        "not_attempted": {},
        "health": [
            {
                "experiment": "compare",
                "quantity": "gap to the minimum",
                "values": [value - outcome.best for value in outcome.losses],
                "better": "lower",
            },
            {
                "experiment": "compare",
                "quantity": "final gap",
                "value": outcome.losses[-1] - outcome.best,
                "above": -1e-12,
                "below": 0.002,
            },
            {
                "experiment": "compare",
                "quantity": "held-out error against that of the minimiser",
                "value": outcome.error,
                "below": 1.2 * outcome.error_best,
            },
            {
                "experiment": "compare",
                "quantity": "explained variance",
                "value": outcome.explained,
                "above": 0.97,
                "below": 1.0,
            },
        ],
    }
