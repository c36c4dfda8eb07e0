"""Runs inside the sandbox as a pytest plugin: which functions of the method each test executed.

`start` takes the job {"out": ..., "files": {absolute path: relative}, "owners": [relative, ...], "repo": ...,
"checked": {absolute path: SHA-256}}; functions of owners are named first. OUT gets a JSON line for each test that is
started, one for each that is done, one for each module that could not be collected, and one at the end.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import CodeType
from typing import Any, TextIO

import pytest
from agentsys_compiled import Watch

OPTIMIZED = 0x1  # co_flags of functions; modules and class bodies do not have it
TOOL = 4  # of sys.monitoring; 0 to 3 and 5 belong to debuggers, coverage, profilers and optimisers
MOST = 400  # functions named in a line
MEANINGLESS = ("PytestReturnNotNoneWarning", "PytestUnhandledCoroutineWarning")  # the test did not test
ENOUGH = 300_000  # calls; about half a second of tracing


class Recorder:
    """Collects the functions that run between `start` and `stop`, in all threads."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.seen: set[str] = set()

    def note(self, code: CodeType) -> None:
        if code.co_filename in self.files and code.co_flags & OPTIMIZED:
            self.seen.add(f"{self.files[code.co_filename]}:{code.co_qualname}")

    def start(self) -> None:
        self.seen = set()

    def stop(self) -> list[str]:
        return sorted(self.seen)

    def again(self) -> None:
        """Report functions again that were reported since `start`."""


class Tracer(Recorder):
    """Python 3.11: call events; through the profile hook where something else (coverage) already traces.

    After many calls in one test it stops listening, so that the cost of a test is bounded.
    """

    def start(self) -> None:
        super().start()
        self.calls = 0
        self.other = sys.gettrace() is not None
        self.hook(self.on_event)

    def stop(self) -> list[str]:
        self.hook(None)
        return super().stop()

    def hook(self, function: Any) -> None:
        if self.other:
            threading.setprofile(function)
            sys.setprofile(function)
        else:
            threading.settrace(function)
            sys.settrace(function)

    def on_event(self, frame: Any, event: str, argument: object) -> None:
        if event != "call":
            return
        self.note(frame.f_code)
        self.calls += 1
        if self.calls >= ENOUGH:
            self.hook(None)


class Monitor(Recorder):
    """Python 3.12 and later: each function reports its first call, then costs nothing."""

    def __init__(self, files: dict[str, str]) -> None:
        super().__init__(files)
        self.monitoring: Any = getattr(sys, "monitoring")  # noqa: B009 - Python 3.11 has no such attribute
        self.monitoring.use_tool_id(TOOL, "agentsys")
        self.monitoring.register_callback(TOOL, self.monitoring.events.PY_START, self.on_start)

    def start(self) -> None:
        super().start()
        self.monitoring.restart_events()
        self.monitoring.set_events(TOOL, self.monitoring.events.PY_START)

    def stop(self) -> list[str]:
        self.monitoring.set_events(TOOL, 0)
        return super().stop()

    def again(self) -> None:
        self.monitoring.restart_events()

    def on_start(self, code: CodeType, offset: int) -> object:
        self.note(code)
        return self.monitoring.DISABLE


class Probe:
    """The plugin: it watches, and changes nothing. The parameters' names are pytest's."""

    def __init__(self, out: TextIO, files: dict[str, str], owners: list[str]) -> None:
        self.out = out
        self.owners = set(owners)
        self.since = 0.0
        self.recorder = Monitor(files) if hasattr(sys, "monitoring") else Tracer(files)
        self.outcomes: dict[str, str] = {}
        self.reason = ""
        self.collected = 0
        self.item: Any = None
        self.calls: set[str] = set()
        self.fixtures: dict[int, set[str]] = {}
        self.modules: dict[str, set[str]] = {}

    def write(self, line: dict[str, object]) -> None:
        self.out.write(json.dumps(line) + "\n")
        self.out.flush()

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.write({"collect": report.nodeid, "error": str(report.longrepr)[-8000:]})

    def pytest_collection_finish(self, session: Any) -> None:
        self.collected = len(session.items)

    def pytest_deselected(self, items: Any) -> None:
        for item in items:
            self.write({"done": item.nodeid, "outcome": "deselected"})

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        text = str(warning_message.message)
        if nodeid and ("was never awaited" in text or warning_message.category.__name__ in MEANINGLESS):
            self.write({"warned": nodeid, "reason": text[:300]})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.outcomes[nodeid] = "not run"
        self.reason, self.item, self.calls = "", None, set()
        self.write({"start": nodeid})
        self.since = time.monotonic()
        self.recorder.start()

    def pytest_runtest_logreport(self, report: Any) -> None:
        before = self.outcomes.get(report.nodeid)
        if report.failed:
            self.outcomes[report.nodeid] = "failed"
        elif hasattr(report, "wasxfail") and before != "failed":
            self.outcomes[report.nodeid] = "xpassed" if report.passed else "xfailed"
            self.reason = str(report.wasxfail)
        elif report.skipped and before != "failed":
            self.outcomes[report.nodeid] = "skipped"
            place = report.longrepr  # path, line and reason, or a text
            self.reason = str(place[-1] if hasattr(place, "__getitem__") and not isinstance(place, str) else place)
        elif report.when == "call" and before == "not run":
            self.outcomes[report.nodeid] = "passed"

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        functions = set(self.recorder.stop()) | self.shared()
        line: dict[str, object] = {
            "done": nodeid,
            "outcome": self.outcomes.get(nodeid, "failed"),
            "reason": self.reason[:300],
            "seconds": round(time.monotonic() - self.since, 4),
            "count": len(functions),
            "functions": sorted(functions, key=self.rank)[:MOST],
            "calls": sorted(self.calls, key=self.rank)[:MOST],
        }
        self.write(line)

    # -- what a test executes by itself, and what it shares with others ------------------------------------------------

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Any:
        outer = self.apart()
        yield
        self.fixtures[id(fixturedef)] = set(self.recorder.seen)
        self.recorder.seen |= outer

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Any:
        self.item = item
        outer = self.apart()
        yield
        self.calls = set(self.recorder.seen)
        self.recorder.seen |= outer

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector: Any) -> Any:
        self.recorder.start()
        yield
        self.modules[collector.nodeid] = set(self.recorder.stop())

    def apart(self) -> set[str]:
        """Note what follows by itself, and return what was noted so far."""
        outer, self.recorder.seen = self.recorder.seen, set()
        self.recorder.again()
        return outer

    def shared(self) -> set[str]:
        """What fixtures of a wider scope, and the test's module, executed once for all their tests."""
        if self.item is None:
            return set()
        found = set(self.modules.get(self.item.nodeid.partition("::")[0], ()))
        for definitions in self.item._fixtureinfo.name2fixturedefs.values():
            for definition in definitions:
                found |= self.fixtures.get(id(definition), set())
        return found

    def rank(self, name: str) -> tuple[bool, bool, str]:
        """What carries requirements comes first, helpers without a name of their own last."""
        return ("<" in name, name.partition(":")[0] not in self.owners, name)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        counts = dict(Counter(self.outcomes.values()))
        self.write({"finish": int(exitstatus), "collected": self.collected, "counts": counts})


def start(job: dict[str, Any]) -> Probe:
    """Return the plugin, and begin to watch what is executed."""
    out = Path(job["out"]).open("a", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    probe = Probe(out, job["files"], job.get("owners", []))
    Watch(job["repo"], job["checked"], probe.write)
    return probe
