"""Whether a run that was cut off goes on: a part of the check `results`, for what is made for long runs.

The smoke profile is killed once it has finished a part, and started again where a job would start it: in a fresh
repository with what it has left in `results/`. It must come to the same results, and once everything is finished do
nothing again. Where the configuration has `parts`, one is left out.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from agentsys.core.artifacts import Diagnostic
from agentsys.core.numbers import plural
from agentsys.core.text import cut as cut_text
from agentsys.plan.rules import LONG_MINUTES, PARTIAL, PARTS
from agentsys.verify.checks.base import Bench, Infrastructure
from agentsys.verify.checks.smoke import MAX_RESULTS, RESULTS_FILE, SCRIPT, SMOKE_CONFIG, time_limit, used_seconds
from agentsys.verify.dependence.scale import is_time
from agentsys.verify.dependence.variants import measured
from agentsys.verify.replay import TOLERANCE, agrees
from agentsys.verify.results_file import Results, ResultsError, judge_results, parse_results
from agentsys_sandbox.base import REPO, WORK

CHECK_NAME = "results"
REPEATED = 0.8
"""Share of the whole run's seconds from which on a run with nothing left to do has done the work again."""
MEASURABLE = 5.0
"""Seconds of the whole run below which that cannot be told: starting takes most of them."""
_KEPT = "cutoff"


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code (None: it was cut off), the lines of PARTIAL, the results, what it printed."""

    code: int | None
    lines: tuple[bytes, ...]
    results: bytes | None
    said: str
    seconds: float


def planned_minutes(bench: Bench) -> float:
    """Return how long the plan thinks its full profile takes; 0 where it does not say."""
    return sum(item.minutes for item in bench.job.plan.experiments)


def writes_parts(bench: Bench) -> str:
    """Return the file whose code writes finished parts down; empty where none does."""
    name = Path(PARTIAL).name.encode()
    return next((path for path in sorted(bench.job.files) if path.endswith(".py") and _carries(bench, path, name)), "")


def _carries(bench: Bench, path: str, name: bytes) -> bool:
    return not path.startswith("tests/") and name in bench.job.files[path]


async def judge_cutoff(bench: Bench, whole: Results) -> tuple[list[Diagnostic], str]:
    """Return what speaks against a long run of this code, and a note; nothing where none is to be expected.

    Args:
        whole: what the run that was not cut off has measured.

    Raises: Infrastructure where the sandbox failed.
    """
    if bench.job.profile != "smoke" or bench.job.stage != "verify" or bench.job.earlier is not None:
        return [], ""
    path, minutes = writes_parts(bench), planned_minutes(bench)
    if not path:
        if minutes <= LONG_MINUTES:
            return [], ""
        words = f"the full profile takes about {minutes:.0f} minutes by the plan, and no code writes `{PARTIAL}`"
        return [_fault(f"{words}: what it has finished is lost where it is cut off", SCRIPT)], ""
    said, note = await _going_on(bench, whole)
    said = said or await _left_out(bench)
    return [_fault(words, path, detail) for words, detail in said], note


async def _going_on(bench: Bench, whole: Results) -> tuple[list[tuple[str, str]], str]:
    """Cut the run off, let it go on, and start it once more with nothing left to do."""
    first = await _run(bench, {}, cut=True)
    if not first.lines:
        return [(f"the smoke profile wrote no line of `{PARTIAL}` while it ran", first.said)], ""
    kept = first.lines if first.code is None else first.lines[: max(1, len(first.lines) // 2)]
    before = await _left_behind(bench) if first.code is None else {}
    second = await _run(bench, {**before, PARTIAL: b"".join(kept)})
    if fault := _differs(bench, whole, second, f"cut off after {len(kept)} finished parts and started again"):
        return [fault], ""
    marked = _marked(second.lines)
    third = await _run(bench, {PARTIAL: b"".join(marked)})
    if fault := _differs(bench, whole, third, "started again with every part finished"):
        return [fault], ""
    again = f"started again with every part finished, it did {{}} again: what `{PARTIAL}` has is taken over"
    if (more := len(third.lines) - len(marked)) > 0:
        return [(again.format(plural(more, "part")), third.said)], ""
    rewritten = third.lines[: len(marked)] != marked
    if rewritten and bench.run_seconds >= MEASURABLE and third.seconds >= REPEATED * bench.run_seconds:
        return [(again.format("all of them"), third.said)], ""
    how = "; whether finished parts are done again cannot be told" if rewritten else ", and finished parts not again"
    return [], f"cut off after {len(kept)} of {len(marked)} parts it goes on to the same numbers{how}"


async def _left_out(bench: Bench) -> list[tuple[str, str]]:
    """Leave out the last part that the configuration names; every key needs a number or a reason."""
    data: object = yaml.safe_load(bench.text(SMOKE_CONFIG)) if SMOKE_CONFIG in bench.job.files else None
    config = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    parts = config.get(PARTS)
    if not isinstance(parts, list) or len(cast("list[object]", parts)) < 2:
        return []
    names = cast("list[object]", parts)
    text = yaml.safe_dump({**config, PARTS: names[:-1]}, sort_keys=False, allow_unicode=True)
    ended = await _run(bench, {SMOKE_CONFIG: text.encode()})
    what = f"with `{names[-1]}` taken off `{PARTS}` in {SMOKE_CONFIG}"
    if ended.code or ended.results is None:
        return [(f"{what}, the smoke profile ended with exit code {ended.code}", ended.said)]
    try:
        faults = judge_results(parse_results(ended.results), bench.job.plan)
    except ResultsError as error:
        return [(f"{what}, {RESULTS_FILE}: {error}", ended.said)]
    return [(f"{what}, {words}", ended.said) for _, words in faults[:1]]


async def _run(bench: Bench, more: Mapping[str, bytes], *, cut: bool = False) -> Ended:
    """Run the smoke profile in a fresh repository, with more files in it."""
    await bench.place_repo()
    await bench.sandbox.write_files(more)
    copy, log, out = (f"{bench.inside}/{name}" for name in ("parts.jsonl", "output.txt", "how.json"))
    files = {"file": f"{REPO}/{PARTIAL}", "copy": copy, "log": log, "out": out}
    job = {"argv": ["bash", SCRIPT, "smoke"], "cut": cut, **files}
    done = await bench.run_probe(CHECK_NAME, "agentsys_cutoff.py", job, timeout=time_limit(bench))
    said = await bench.sandbox.read_file(log, max_bytes=MAX_RESULTS) or b""
    raw = await bench.sandbox.read_file(copy, max_bytes=MAX_RESULTS) or b""
    lines = tuple(line for line in raw.splitlines(keepends=True) if line.endswith(b"\n"))
    results = await bench.sandbox.read_file(f"{REPO}/{RESULTS_FILE}", max_bytes=MAX_RESULTS)
    text = cut_text(said.decode("utf-8", "replace").strip(), 3000)
    if not done.ok:
        return Ended(done.exit_code or 1, lines, None, f"{text}\n{done.message}", used_seconds(done))
    try:
        how = cast("dict[str, object]", json.loads(await bench.sandbox.read_file(out) or b""))
        code = None if how["cut"] else int(str(how["code"]))
    except (ValueError, KeyError, TypeError) as error:
        raise Infrastructure(f"{CHECK_NAME}: our own program did not say how the run ended") from error
    return Ended(code, lines, results, text, used_seconds(done))


async def _left_behind(bench: Bench) -> dict[str, bytes]:
    """Return what the run that was cut off has left in its folder of results, save a finished results file."""
    target = bench.job.out / _KEPT
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    await bench.sandbox.export([f"{REPO}/results"], target)
    base = target / REPO.removeprefix(f"{WORK}/")
    files = {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}
    shutil.rmtree(target)
    return {path: data for path, data in files.items() if path != RESULTS_FILE}


def _marked(lines: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the lines with a space before each line's end: the same JSON, and not what the code itself would write."""
    return tuple(line[:-1] + b" \n" for line in lines)


def _differs(bench: Bench, whole: Results, ended: Ended, what: str) -> tuple[str, str] | None:
    if ended.code or ended.results is None:
        ending = f"ended with exit code {ended.code}" if ended.code else f"wrote no {RESULTS_FILE}"
        return f"{what}, the smoke profile {ending}", ended.said
    try:
        now = measured(parse_results(ended.results), bench.job.plan)
    except ResultsError as error:
        return f"{what}, {RESULTS_FILE}: {error}", ended.said
    before = measured(whole, bench.job.plan)
    clocks = {row.result_key for row in bench.job.plan.expected if is_time(row)}
    for key in dict.fromkeys([*before, *now]):
        if key not in clocks and not agrees(before.get(key), now.get(key), TOLERANCE):
            return f"{what}, `{key}` is {now.get(key)} and was {before.get(key)} in a run without a break", ended.said
    return None


def _fault(message: str, path: str, detail: str = "") -> Diagnostic:
    return Diagnostic(kind="result", check=CHECK_NAME, message=message, path=path, symbol=PARTIAL, detail=detail)
