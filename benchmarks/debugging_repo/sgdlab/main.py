"""Runs the experiments of a profile and writes results/results.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sgdlab.config import load
from sgdlab.experiments import compare
from sgdlab.report import results


def main(path: str) -> None:
    """Run one profile."""
    config = load(path)
    written = results(config, compare(config))
    Path("results").mkdir(exist_ok=True)
    Path("results/results.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
