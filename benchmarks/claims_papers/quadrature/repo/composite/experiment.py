"""Measures the rules on the integrands (Section 4)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml

from composite.rules import INTEGRANDS, midpoint, simpson, trapezoid

RULES = {"midpoint": midpoint, "trapezoid": trapezoid, "simpson": simpson}
"""Name -> the rule."""


def error(rule: str, integrand: str, n: int) -> float:
    """Return the absolute error of a rule with n cells."""
    f, exact = INTEGRANDS[integrand]
    return abs(RULES[rule](f, n) - exact)


def run(config: dict[str, Any]) -> dict[str, Any]:
    """Measure the numbers of Section 4."""
    cells = [int(n) for n in config["cells"]]
    errors = [error("midpoint", "exp", n) for n in cells]
    return {
        "profile": str(config["profile"]),
        "scale": str(config["scale"]),
        "trapezoid_exp": trapezoid(INTEGRANDS["exp"][0], int(config["small"])),
        "midpoint_error_first": errors[0],
        "midpoint_error_last": errors[-1],
        "not_attempted": {},
        "health": [{"experiment": "rates", "quantity": "midpoint error", "values": errors, "better": "lower"}],
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
