"""A failed run once more, watched: which functions it executed, who called them, and where its time went.

Nothing is judged by it. What is watched could write the record itself; names are taken only where the repository has
such a file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from importlib.resources import files as resource_files

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsys.verify.checks.base import Bench, Infrastructure, read_lines
from agentsys.verify.checks.smoke import SCRIPT
from agentsys.verify.checks.table import Seen
from agentsys_sandbox.base import VENV, WORK, SandboxGone, Unavailable

FILE = "watch.json"
SECONDS = 60.0
"""Processor time after which the watched run is stopped: enough to see where a slow one spends it."""
MAX_RECORD = 8 << 20
_FOLDER = f"{WORK}/watch"
_MOST = 4000
"""Functions, and calls, that are kept."""


class Watched(BaseModel):
    """What a watched run executed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float = 0.0
    functions: tuple[str, ...] = ()
    """`path:function`."""
    own: dict[str, float] = {}
    """Seconds in the function itself and in what is not the repository's."""
    total: dict[str, float] = {}
    """Seconds in it and in all that it called."""
    calls: tuple[tuple[str, str], ...] = ()
    """Caller and called."""


class _Line(Watched):
    pid: int = 0


async def watch_failed(bench: Bench, seen: Seen) -> None:
    """Run what failed once more and store `watch.json` beside the logs; nothing where nothing failed that runs."""
    argv = _failed(bench, seen)
    if not argv:
        return
    try:
        await bench.place_run()
        hook = resource_files("agentsys.verify").joinpath("probes", "agentsys_watch.py").read_bytes()
        await bench.sandbox.write_files({"sitecustomize.py": hook}, root=_FOLDER)
        env = {
            "PYTHONPATH": _FOLDER,
            "AGENTSYS_WATCH": f"{_FOLDER}/record.jsonl",
            "AGENTSYS_WATCH_ROOT": bench.root,
        }
        limit = min(SECONDS, bench.job.timeout)
        await bench.run("watch", argv, env=env, cwd=bench.root, timeout=limit)
        data = await bench.sandbox.read_file(f"{_FOLDER}/record.jsonl", max_bytes=MAX_RECORD)
    except (Infrastructure, SandboxGone, Unavailable) as error:
        words = f"the failed run could not be watched: {error}"
        bench.job.events.emit("warning", stage=bench.job.stage, round=bench.job.round, message=words)
        return
    if record := _merged(read_lines(data, _Line), bench.facts.files):
        bench.log(FILE, record.model_dump_json() + "\n")


def _failed(bench: Bench, seen: Seen) -> list[str]:
    """Return the command to watch: the smoke run, or the test in which pytest was stopped."""
    states = {name: found.check for name, found in seen.found.items()}
    if (tests := states.get("pytest")) is not None and tests.outcome == "timeout":
        place = next((row.symbol for row in seen.found["pytest"].diagnostics if row.kind == "timeout"), "")
        name = place.removeprefix("test `").removesuffix("`")
        return [f"{VENV}/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *([name] if "::" in name else [])]
    failed = any(states[name].state == "failed" for name in ("smoke", "results") if name in states)
    return ["bash", SCRIPT, bench.job.profile] if failed and SCRIPT in bench.job.files else []


def _merged(lines: Iterable[_Line], files: Collection[str]) -> Watched | None:
    """Put the last line of each process together; only functions of the repository's own files count."""
    last = {line.pid: line for line in lines}.values()
    own, total = Counter[str](), Counter[str]()
    for line in last:
        own.update({name: value for name, value in line.own.items() if _is_own(name, files)})  # type: ignore[arg-type]
        total.update({name: value for name, value in line.total.items() if _is_own(name, files)})  # type: ignore[arg-type]
    functions = sorted({name for line in last for name in line.functions if _is_own(name, files)})
    calls = sorted({pair for line in last for pair in line.calls if all(_is_own(name, files) for name in pair)})
    if not functions:
        return None
    return Watched(
        seconds=max(line.seconds for line in last),
        functions=tuple(functions[:_MOST]),
        own=dict(own),
        total=dict(total),
        calls=tuple(calls[:_MOST]),
    )


def _is_own(name: str, files: Collection[str]) -> bool:
    return name.partition(":")[0] in files


def read_watched(data: str) -> Watched | None:
    """Read a stored `watch.json`; None where it is none."""
    try:
        return Watched.model_validate(json.loads(data))
    except (ValueError, ValidationError):
        return None


def timing_text(watched: Watched, rows: int = 15) -> str:
    """Return seconds per function, those first in which most of it was spent."""
    order = sorted(watched.total, key=lambda name: (-watched.own.get(name, 0.0), -watched.total[name]))
    lines = [f"{'itself':>8} {'with calls':>10}  function"]
    lines += [f"{watched.own.get(name, 0.0):8.2f} {watched.total[name]:10.2f}  {name}" for name in order[:rows]]
    return "\n".join([f"watched for {watched.seconds:.0f} s, in seconds:", *lines]) if order else ""
