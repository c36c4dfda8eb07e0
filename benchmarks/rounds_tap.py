"""Run one build's `agentsys` on the example's recording and time repair rounds, for `benchmarks.rounds`.

    PYTHONPATH=BUILD:... python benchmarks/rounds_tap.py FILE ARGUMENTS OF agentsys...

When a verification has passed, each change of `CHANGES` is made to the files by itself and they are verified again, as
the next round would: same run directory, same kind of sandbox, same evidence of earlier rounds. A line is written for
each, and the run ends there. It knows of a build where its verifier calls `verify`, and that events have an `emit`.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

CHANGES = (
    ("a test", "tests/test_newton.py", "rel=0.0, abs=1e-12", "rel=0.0, abs=1e-11"),
    ("the method, wrongly", "dcsvrg/newton.py", "direction = -np.asarray(", "direction = np.asarray("),
    ("the method, rightly", "dcsvrg/newton.py", "step *= 0.5", "step = 0.5 * step"),
)
"""What is changed, the file, what stands there and what takes its place."""
LATE = ("faults", "dependence")
"""Checks that the earlier build did not have; they run where all others have passed."""
FIRST_NUMBER = 71

_Round = Callable[[int, str, bytes], Awaitable[Any]]


class _Clock:
    """When the late checks began, by the events."""

    late = 0.0

    def watch(self) -> None:
        """Have each event looked at."""
        events = _first("agentsys.core.events", "agentsys.events")
        emit = events.EventLog.emit

        def emitted(log: object, event: str, /, *args: object, **fields: object) -> object:
            if event == "check.started" and fields.get("check") in LATE and not self.late:
                self.late = time.monotonic()
            return emit(log, event, *args, **fields)

        events.EventLog.emit = emitted


def _first(*names: str) -> Any:
    """Import the first of these modules that the build has."""
    for name in names:
        with suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    raise SystemExit(f"the build has none of {', '.join(names)}")


def tap(file: Path) -> None:
    """Have rounds timed after the first verification that passes."""
    clock = _Clock()
    clock.watch()
    verifier = _first("agentsys.verify.verifier", "agentsys.agents.verifier")
    real = verifier.verify
    old = "repo" in inspect.signature(real).parameters

    async def verified(first: Any, factory: Any, *rest: Any, **fields: Any) -> Any:
        verdict = await real(first, factory, *rest, **fields)
        if verdict.passed:
            again = _old_round(real, first, factory, fields) if old else _new_round(real, first, factory, rest)
            await measure(again, fields["out"].parent if old else first.out.parent, file, clock)
            sys.stdout.flush()
            os._exit(0)  # what the run would do from here on is of no interest
        return verdict

    verifier.verify = verified


def _old_round(real: Any, repo: Path, factory: Any, fields: dict[str, Any]) -> _Round:
    async def again(number: int, path: str, data: bytes) -> Any:
        before = (repo / path).read_bytes()
        (repo / path).write_bytes(data)
        try:
            out = fields["out"].parent / f"{number:02d}"
            return await real(repo, factory, **{**fields, "round": number, "out": out, "tree": ""})
        finally:
            (repo / path).write_bytes(before)

    return again


def _new_round(real: Any, job: Any, factory: Any, rest: tuple[Any, ...]) -> _Round:
    async def again(number: int, path: str, data: bytes) -> Any:
        out = job.out.parent / f"{number:02d}"
        return await real(replace(job, round=number, out=out, tree="", files={**job.files, path: data}), factory, *rest)

    return again


async def measure(again: _Round, rounds: Path, file: Path, clock: _Clock) -> None:
    """Make each change by itself and write how long its verification took."""
    kept = rounds.with_name("rounds-kept")
    shutil.copytree(rounds, kept)
    for number, (name, path, old, new) in enumerate(CHANGES, FIRST_NUMBER):
        text = (rounds.parent / "repo" / path).read_text(encoding="utf-8")
        if old not in text:
            raise SystemExit(f"`{old}` does not stand in {path}")
        clock.late, start = 0.0, time.monotonic()
        verdict = await again(number, path, text.replace(old, new, 1).encode())
        end = time.monotonic()
        row = {
            "change": name,
            "seconds": end - start,
            "common": (clock.late or end) - start,
            "passed": verdict.passed,
            "checks": {check.name: [check.state, check.seconds, check.note] for check in verdict.checks},
        }
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        shutil.rmtree(rounds)
        shutil.copytree(kept, rounds)
        await asyncio.sleep(0)


def main() -> None:
    """Take the first argument, and hand the others to agentsys."""
    file, *arguments = sys.argv[1:]
    tap(Path(file))
    from agentsys.cli.app import main as agentsys

    sys.argv = ["agentsys", *arguments]
    agentsys()


if __name__ == "__main__":
    main()
