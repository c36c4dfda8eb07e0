"""Many papers and many cells: what our own work adds to the model's and the programs'.

Papers: 25 for each worker (100 for four), each the scripted paper of the tests with scripted answers, from one endpoint
on loopback with a fixed latency; `agentsys batch` takes them up to the last file of code, with 1, 2 and 4 workers.

- efficiency: seconds a paper with one worker, over seconds a paper times workers: 1 where none waits for another;
- model's share: latencies on the longest chain of a paper's questions, over what one worker took for it;
- own CPU: processor seconds a paper of the command and its workers, starts of processes included;
- memory: most that a worker's process held.

Cells: a claim with 10,000 cells whose program ends at once: what is left is ours (the order of cells, their rows read
and held to what was asked, both on the disk before the next begins).

    python benchmarks/scale.py [--on local|ray] [--workers 1 2 4] [--each 25] [--wait 0.7] [--cells 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from agentsys.core.artifacts import Plan
from agentsys.core.events import EventLog
from agentsys.plan.claims.contract import Contract
from agentsys.verify.checks.base import Bench, Job
from agentsys.verify.claims.celllog import CellLog
from agentsys.verify.claims.cells import climb
from agentsys.verify.claims.running import Cells, Trial
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.spec import ExecResult, Outcome

TESTS = Path(__file__).resolve().parent.parent / "tests"
CHAIN = 8
"""Questions of one paper that wait for one another: purpose, ledger, second look, what is open, design, configuration,
analyses, code."""


class Measured:
    """One command's papers."""

    def __init__(self, record: Mapping[str, Any], seconds: float, cpu: float) -> None:
        rows = record["rows"]
        self.papers = len(rows)
        self.seconds, self.cpu = seconds, cpu
        self.peak = max(row["peak_mb"] for row in rows)
        self.workers = int(record["workers"])


def run_batch(folder: Path, url: str, on: str, workers: int) -> Measured:
    """Run the command over the papers of a folder; end where one of them did not come to the end of its code."""
    environ = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
    argv = [sys.executable, "-m", "agentsys", "batch", str(folder / "papers"), "--on", on, "--workers", str(workers)]
    argv += ["--model", "scripted", "--stop-after", "code", "--set", "claims=off", "--set", "concurrency=16"]
    argv += ["--runs-dir", str(folder / "runs"), "--quiet", "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = subprocess.run(argv, env=environ, stdout=subprocess.PIPE, check=False)
    seconds = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    record = json.loads(done.stdout)
    if any(row["code"] != "stopped" for row in record["rows"]):
        raise SystemExit(f"not every paper came to the end of its code: {record['repeated']}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(record, seconds, cpu)


def papers(on: str, workers: Sequence[int], each: int, wait: float) -> None:
    """Measure and print papers."""
    sys.path.insert(0, str(TESTS))
    from scripted.endpoint import Endpoint
    from scripted.endpoint import papers as write

    print(f"{each} papers a worker, {wait:g} s each answer, on {on}, {len(os.sched_getaffinity(0))} processors")
    print(f"{'workers':>8}{'papers':>8}{'s':>8}{'s a paper':>11}{'efficiency':>12}{'own CPU, s':>12}{'MB':>7}")
    one = 0.0
    for number in workers:
        with Endpoint(wait=wait) as endpoint, tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder / "papers", *(f"N{index:03d}" for index in range(each * number)))
            found = run_batch(folder, endpoint.url, on, number)
            if endpoint.seen.unknown or endpoint.seen.twice:
                raise SystemExit(f"asked what it should not: {endpoint.seen.unknown[:1] or endpoint.seen.twice[:1]}")
        share = found.seconds * number / found.papers
        one = one or share
        line = f"{number:8}{found.papers:8}{found.seconds:8.1f}{found.seconds / found.papers:11.2f}{one / share:12.3f}"
        print(f"{line}{found.cpu / found.papers:12.2f}{found.peak:7.0f}", flush=True)
    print(f"{'bar':>8}{'':27}{'>= 0.9 at 4':>12}{'':12}{'< 250':>7}")
    print(f"the model's share of one worker's time: {CHAIN * wait / one:.2f}\n")


class Instant:
    """A sandbox whose programs have ended before they began, with rows as they were asked for."""

    def __init__(self) -> None:
        self._rows = b""

    async def clear(self) -> None:
        """Nothing is in it."""

    async def write_files(self, *_: object, **__: object) -> None:
        """Forget them."""

    async def read_file(self, *_: object, **__: object) -> bytes:
        """Return the rows of the last command."""
        return self._rows

    async def exec(self, argv: Sequence[str], **_: object) -> ExecResult:
        """Take a cell's command for done."""
        options = list(pairwise(argv))
        named = dict(options)
        settings = [value for word, value in options if word == "--setting"]
        setting = ";".join(([] if named["--case"] == "main" else [f"case={named['--case']}"]) + settings)
        head = "claim,seed,setting,method,quantity,value,unit"
        self._rows = f"{head}\nC1,{named['--seed']},{setting},ours,error,0.5,\n".encode()
        return ExecResult(Outcome.OK, 0, b"", b"", 0.0, cpu_seconds=0.0)


def contract(cells: int) -> Contract:
    """A claim of so many cells: half of them its own, half its control's, in ten settings."""
    rule = {"type": "mean", "method": "ours", "quantity": "error"}
    grid = {"b": [f"0.{digit}" for digit in range(10)]}
    return Contract.model_validate(
        {
            "claim": "C1",
            "kind": "bound",
            "domain": "for each b below one",
            "toy_below": {"seeds": 2},
            "text": "The error is below one.",
            "place": {"section": "1"},
            "grid": grid,
            "seeds": cells // 20,
            "accept": {**rule, "high": 1.0},
            "falsify": {"type": "fails", "rule": {**rule, "high": 2.0}},
            "control": {"what": "the same without the method"},
        }
    )


def cells(number: int) -> None:
    """Measure and print cells."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        trial = Trial(contract(number), climb(contract(number)), "stamp" * 8)
        planned = time.perf_counter()
        job = Job(files={}, out=folder, plan=Plan.model_construct(), events=EventLog(None, "x"), timeout=60.0)
        bench = Bench(cast(Sandbox, Instant()), job)
        log = CellLog(folder)
        asyncio.run(Cells([bench], log, 1e9, 2.0).climb([trial]))
        ran = time.perf_counter()
        if trial.fault or sum(map(len, trial.climb.levels)) != number:
            raise SystemExit(f"the cells did not run: {trial.fault}")
        again = CellLog(folder)
        asyncio.run(Cells([bench], again, 1e9, 2.0).climb([Trial(trial.contract, trial.climb, trial.stamp)]))
        resumed = time.perf_counter()
    print(f"{number:,} cells: {1000 * (planned - started) / number:.3f} ms each to plan")
    print(f"  {1000 * (ran - planned) / number:.2f} ms each to schedule, check and write (bar: < 5)")
    print(f"  {1000 * (resumed - ran) / number:.2f} ms each to find done when a run is resumed")


def main() -> int:
    """Measure and print; the bars are printed beside the values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", choices=("local", "ray"), default="local")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4], help="the first one is compared with")
    parser.add_argument("--each", type=int, default=25, help="papers a worker")
    parser.add_argument("--wait", type=float, default=0.7, help="seconds of an answer")
    parser.add_argument("--cells", type=int, default=10_000)
    options = parser.parse_args()
    if options.workers:
        papers(options.on, options.workers, options.each, options.wait)
    if options.cells:
        cells(options.cells)
    return 0


if __name__ == "__main__":
    sys.exit(main())
