"""A failed run once more under a watch: who called whom, within a limit, and nothing is judged by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files as resource_files
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import Check, Diagnostic
from agentsys.core.events import EventLog
from agentsys.verify.checks.base import Bench, Found
from agentsys.verify.checks.table import Seen
from agentsys.verify.watching import FILE, read_watched, timing_text, watch_failed
from agentsys_sandbox.fake import Call, Files, Script, passed
from unit.verify.scripted import gone
from unit.verify.test_probing import Timed
from unit.verify.tiny import GREEN, job, write_repo

FAILED = Found(Check(name="smoke", state="failed"))
PASSED = Found(Check(name="smoke", state="passed"))


def test_the_probe_writes_the_functions_of_the_repository_and_their_callers(tmp_path: Path) -> None:
    repo = write_repo(tmp_path / "repo", GREEN)
    hook = tmp_path / "hook"
    hook.mkdir()
    probe = resource_files("agentsys.verify").joinpath("probes", "agentsys_watch.py").read_text()
    (hook / "sitecustomize.py").write_text(probe)
    record = tmp_path / "record.jsonl"
    env = {**os.environ, "PYTHONPATH": str(hook), "AGENTSYS_WATCH": str(record), "AGENTSYS_WATCH_ROOT": str(repo)}
    subprocess.run([sys.executable, "-m", "tiny.run"], cwd=repo, env=env, check=True)
    [line] = [json.loads(text) for text in record.read_text().splitlines()]
    assert {"tiny/run.py:main", "tiny/model.py:mean"} <= set(line["functions"])
    assert ["tiny/run.py:main", "tiny/model.py:mean"] in line["calls"]
    assert all(name.startswith("tiny/") for name in line["functions"])


class Bed:
    """A verification of which something failed."""

    def __init__(self, root: Path) -> None:
        self.out = root / "rounds" / "01"
        self.events: list[Any] = []
        log = EventLog(None, "x")
        log.subscribe(self.events.append)
        self.job = job(write_repo(root / "repo", GREEN), self.out, events=log, timeout=600)

    async def watch(self, seen: Seen, answer: Any) -> Timed:
        sandbox = Timed(Script(default=answer))
        async with sandbox:
            await watch_failed(Bench(sandbox, self.job), seen)
        return sandbox


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def writes(*lines: dict[str, object]) -> Any:
    def answer(call: Call, files: Files) -> Any:
        files[call.env["AGENTSYS_WATCH"]] = "".join(json.dumps(line) + "\n" for line in lines).encode()
        return passed()

    return answer


async def test_a_failed_run_is_watched_for_a_minute_at_most_and_what_is_no_file_of_it_is_dropped(bed: Bed) -> None:
    functions = ["tiny/run.py:main", "tiny/model.py:mean", "../../etc/passwd:x", "made/up.py:f"]
    calls = [["tiny/run.py:main", "tiny/model.py:mean"], ["made/up.py:f", "tiny/model.py:mean"]]
    line = {"pid": 1, "seconds": 2.0, "functions": functions, "calls": calls, "total": {"tiny/model.py:mean": 1.5}}
    sandbox = await bed.watch(Seen(found={"smoke": FAILED}), writes({**line, "seconds": 1.0}, line))
    watched = read_watched((bed.out / FILE).read_text())
    assert watched is not None and watched.functions == ("tiny/model.py:mean", "tiny/run.py:main")
    assert watched.calls == (("tiny/run.py:main", "tiny/model.py:mean"),) and watched.seconds == 2.0
    assert "1.50  tiny/model.py:mean" in timing_text(watched)
    assert sandbox.budgets == [60.0] and sandbox.calls[-1].argv[:2] == ("bash", "reproduce.sh")


async def test_of_tests_that_were_stopped_the_one_under_way_is_watched(bed: Bed) -> None:
    row = Diagnostic(kind="timeout", check="pytest", message="slow", symbol="test `tests/test_model.py::test_mean`")
    stopped = Found(Check(name="pytest", state="failed", outcome="timeout"), (row,))
    sandbox = await bed.watch(Seen(found={"pytest": stopped, "smoke": PASSED}), writes({"functions": []}))
    assert sandbox.calls[-1].argv[-1] == "tests/test_model.py::test_mean"
    assert not (bed.out / FILE).exists()


async def test_where_nothing_failed_nothing_runs_again(bed: Bed) -> None:
    sandbox = await bed.watch(Seen(found={"smoke": PASSED}), writes())
    assert not sandbox.calls and not (bed.out / FILE).exists()


async def test_a_sandbox_that_dies_while_it_watches_is_a_warning_and_no_more(bed: Bed) -> None:
    await bed.watch(Seen(found={"smoke": FAILED}), gone)
    assert [event for event in bed.events if event["type"] == "warning"] and not (bed.out / FILE).exists()


@pytest.mark.parametrize("text", ["", "{", '{"calls": 3}', "[1]"])
def test_a_record_that_is_none_is_nothing(text: str) -> None:
    assert read_watched(text) is None
