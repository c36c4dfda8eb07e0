"""Time and memory of 1,000 rules of all kinds over a million raw rows, read from CSV.

    python -m benchmarks.claims_rules

Prints one line each for rows spread over 100 claims (3,000 rows a rule) and over 4 claims (80,000 rows a rule).
Exit code 1 where either takes 10 s of CPU, which other work on the machine does not change, or 500 MB.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from agentsys.plan.claims.rule import Rule
from agentsys.verify.claims.standalone.frame import Sample
from agentsys.verify.claims.standalone.rows import HEADER, read_rows
from agentsys.verify.claims.standalone.rules import evaluate_rule

ROWS, RULES = 1_000_000, 1000
SECONDS, MEGABYTES = 10.0, 500.0
SEEDS, METHODS = 10, ("a", "b")
_PAIR = {"method": "a", "baseline": "b", "quantity": "noisy"}
KINDS: tuple[dict[str, Any], ...] = (
    {"type": "mean", "method": "a", "quantity": "noisy", "low": 0.0},
    {"type": "difference", "low": 0.0, **_PAIR},
    {"type": "difference", "low": 0.0, "interval": "bootstrap", **_PAIR},
    {"type": "ratio", "low": 0.5, **_PAIR},
    {"type": "test", "test": "wilcoxon", "alternative": "greater", "p": 0.05, "quote": "a Wilcoxon test", **_PAIR},
    {"type": "slope", "method": "a", "quantity": "curve", "axis": "n", "low": -1.1, "high": -0.9, "settle": 0.2},
    {"type": "limit", "method": "a", "quantity": "curve", "axis": "n", "low": -0.1, "high": 0.1, "settle": 0.1},
    {"type": "trend", "method": "a", "quantity": "curve", "axis": "n", "direction": "decreasing", "min_tau": 0.5},
    {"type": "max_error", "method": "a", "reference": "b", "quantity": "noisy", "at_most": 9.0},
    {"type": "no_counterexample", "method": "a", "quantity": "whole", "relation": "at_most", "bound": 1e6, "tried": 9},
    {"type": "witness", "method": "a", "quantity": "whole", "relation": "above", "bound": 1e6, "tried": 9},
    {"type": "exact", "method": "a", "reference": "b", "quantity": "whole"},
)


def lines(claims: int) -> Iterator[str]:
    """Yield the file: for each claim and quantity all methods, seeds and settings."""
    yield ",".join(HEADER)
    settings = -(-ROWS // (claims * 3 * len(METHODS) * SEEDS))
    chance = np.random.default_rng(1)
    for claim in range(1, claims + 1):
        for method in METHODS:
            for seed in range(SEEDS):
                noise: list[float] = chance.normal(size=settings).tolist()
                for n in range(1, settings + 1):
                    start = f"C{claim},{seed},n={n},{method},"
                    yield f"{start}noisy,{1.0 + noise[n - 1]!r},s"
                    yield f"{start}curve,{(1 + 0.001 * noise[n - 1]) / n!r},1"
                    yield f"{start}whole,{n * seed},1"


def measure(file: Path) -> None:
    """Read and evaluate, and print seconds and megabytes: the work of one process."""
    begin = time.perf_counter()
    rows = read_rows([file])
    read = time.perf_counter() - begin
    valid: TypeAdapter[Rule] = TypeAdapter(Rule)
    units = {"noisy": "s", "curve": "1", "whole": "1"}
    states: Counter[str] = Counter()
    for number in range(RULES):
        plain = {**KINDS[number % len(KINDS)]}
        rule = valid.dump_python(valid.validate_python({**plain, "unit": units[plain["quantity"]]}))
        sample = Sample(rows, f"C{number % len(rows.claims) + 1}", "", False, {})
        states[evaluate_rule(sample, rule).state] += 1
    whole = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu = time.process_time()
    print(
        f"{len(rows):,} rows, {len(rows.claims)} claims, {RULES:,} rules: {whole:.1f} s ({read:.1f} s to read, "
        f"{cpu:.1f} s of CPU with start-up), {memory:.0f} MB; {dict(sorted(states.items()))}"
    )
    if cpu >= SECONDS or memory >= MEGABYTES:
        raise SystemExit(1)


def main() -> int:
    """Measure each layout in a process of its own."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for claims in (100, 4):
            file = Path(folder) / f"{claims}.csv"
            with file.open("w", encoding="utf-8") as stream:
                stream.writelines(f"{line}\n" for line in lines(claims))
            command = [sys.executable, "-m", "benchmarks.claims_rules", str(file)]
            failed |= subprocess.run(command, check=False).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main() if len(sys.argv) == 1 else measure(Path(sys.argv[1])))
