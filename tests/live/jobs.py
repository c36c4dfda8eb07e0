"""What the tests of jobs on real engines share: a profile that goes on from its rows, and what a job has left."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from agentsys.core.rundir import RunDir

SANDBOX = ("--sandbox", "bwrap", "--set", "allow_weak_sandbox=true", "--cpus", "1", "--memory", "1G")
RESUMING = '''\
import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Add up a number a second; goes on from the rows that an earlier run has left."""
    profile, steps = sys.argv[1], Path("results/steps.csv")
    steps.parent.mkdir(exist_ok=True)
    known = len(steps.read_text().splitlines()) if steps.is_file() else 0
    print(f"going on from row {known}", flush=True)
    for step in range(known, 12 if profile == "full" else 1):
        time.sleep(1)
        with steps.open("a") as file:
            file.write(f"{step}\\n")
    rows = [float(line) for line in steps.read_text().splitlines()]
    mean = sum(rows) / len(rows)
    health = [{"experiment": "mean", "quantity": "mean", "value": mean, "above": -1}]
    data = {"mean": mean, "large": max(rows), "scale": f"{len(rows)} numbers", "health": health}
    Path("results/results.json").write_text(json.dumps(data))


if __name__ == "__main__":
    main()
'''


def cells(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in folder.glob("parts/*/cells.jsonl"))


def executed(folder: Path) -> Counter[str]:
    """How often each cell was begun, by its command, on whichever machine."""
    found: Counter[str] = Counter()
    for file in folder.glob("parts/*/events.jsonl"):
        for line in file.read_text().splitlines():
            event = json.loads(line)
            if event["type"] == "sandbox.exec" and event["data"]["check"].startswith("claim "):
                found[event["data"]["command"]] += 1
    return found


def rows(run: RunDir) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (run.repo / "claims" / "rows").glob("*.csv")}


def verdicts(run: RunDir) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((run.repo / "claims" / "verdicts.json").read_text())["verdicts"]
    return found


def logged(run: RunDir) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.claims / "cells.jsonl").read_text().splitlines()]
