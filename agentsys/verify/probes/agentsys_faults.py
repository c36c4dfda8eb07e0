"""Runs inside the sandbox: plants faults in the repository's files, one process each, and tells what its tests say.

Usage: `python agentsys_faults.py`, with a JSON object on the standard input:
{"out": path, "root": path, "options": [pytest options], "plugins": [distributions], "preload": [modules],
 "methods": {absolute path: relative}, "texts": {relative: source}, "fork": bool, "parallel": int, "limit": seconds,
 "trials": [{"id", "path", "start", "end", "after", "tests": [node ids], "cpu": seconds, "first": bool}]}.
This process imports pytest and the modules named, never the repository's own, and forks for each trial; with `fork`
false it starts a new Python instead. A trial without a path plants nothing; one that asks for the `first` ends with the
first test that notices. OUT gets a JSON line for each trial, the
standard output a line `ended N`. All outcomes of a trial come through a pipe that only its
process has.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.machinery
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, TextIO

WALL = 6.0  # so many times its CPU seconds a trial may take on the clock: the machine may be busy
POLL = 0.05
ASSERTED = (AssertionError, KeyError, OSError)  # what a test raises that looks at a result


# -- the process of one trial ------------------------------------------------------------------------------------------


def plant(path: str, source: bytes) -> None:
    """From now on the import system reads this source for the file, and never its stored bytecode."""
    loader: Any = importlib.machinery.SourceFileLoader
    get_data, path_stats = loader.get_data, loader.path_stats

    def data(self: Any, name: str) -> bytes:
        return source if os.path.realpath(name) == path else get_data(self, name)

    def stats(self: Any, name: str) -> Any:
        if os.path.realpath(name) == path:
            raise OSError("no stored bytecode")
        return path_stats(self, name)

    loader.get_data, loader.path_stats = data, stats


class Watch:
    """The pytest plugin. The parameters' names are pytest's."""

    def __init__(self, out: TextIO, job: dict[str, Any], trial: dict[str, Any]) -> None:
        self.out = out
        self.wanted = {name: place for place, name in enumerate(trial["tests"])}
        self.methods = set(job["methods"])
        self.root = job["root"] + "/"
        self.words: dict[str, str] = {}
        self.why: dict[str, str] = {}
        self.first = bool(trial.get("first"))
        self.session: Any = None
        self.since = 0.0

    def write(self, line: dict[str, Any]) -> None:
        self.out.write(json.dumps(line) + "\n")
        self.out.flush()

    def pytest_collection_modifyitems(self, session: Any, items: list[Any]) -> None:
        self.session = session
        wanted = [item for item in items if item.nodeid in self.wanted]
        items[:] = sorted(wanted, key=lambda item: self.wanted[item.nodeid]) if self.first else wanted

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.write({"collect": report.nodeid})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.words[nodeid] = "passed"
        self.write({"start": nodeid})
        self.since = time.monotonic()

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        if call.excinfo is not None:
            self.why.setdefault(item.nodeid, self.kind(call.excinfo))

    def kind(self, excinfo: Any) -> str:
        """`asserted` where the test itself looked and found a difference, `crashed` where the code broke."""
        files = [frame.f_code.co_filename for frame in walk(excinfo.tb)]
        own = [os.path.realpath(name) for name in files if os.path.realpath(name).startswith(self.root)]
        if not own or own[-1] in self.methods:
            return "crashed"
        failed = type(excinfo.value).__name__ == "Failed"  # pytest.fail, and pytest.raises where nothing was raised
        return "asserted" if failed or isinstance(excinfo.value, ASSERTED) else "crashed"

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.words[report.nodeid] = self.why.get(report.nodeid, "crashed")
        elif report.skipped and self.words.get(report.nodeid) == "passed":
            self.words[report.nodeid] = "skipped"

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        line: dict[str, Any] = {"done": nodeid, "word": self.words.get(nodeid, "crashed")}
        line["seconds"] = round(time.monotonic() - self.since, 4)
        self.write(line)
        if self.first and line["word"] == "asserted":
            self.session.shouldstop = "noticed"


def walk(tb: Any) -> Any:
    while tb is not None:
        yield tb.tb_frame
        tb = tb.tb_next


def attempt(job: dict[str, Any], trial: dict[str, Any], pipe: int) -> None:
    """Run the tests of one trial in this process, which has nothing else to do."""
    cpu = max(int(trial["cpu"]), 1)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 2))
    if trial["path"]:
        text = job["texts"][trial["path"]].encode()
        changed = text[: trial["start"]] + trial["after"].encode() + text[trial["end"] :]
        plant(os.path.realpath(f"{job['root']}/{trial['path']}"), changed)
    out = os.fdopen(pipe, "w", encoding="utf-8")
    watch = Watch(out, job, trial)
    job["texts"], job["trials"] = {}, []  # the code under test need not find them
    files = sorted({name.partition("::")[0] for name in trial["tests"]})
    import pytest
    from agentsys_pytest import plugin_modules

    plugins = [watch, *plugin_modules(job["plugins"])]
    out.write(json.dumps({"finish": int(pytest.main([*job["options"], *files], plugins=plugins))}) + "\n")
    out.flush()


# -- the process that waits for them -----------------------------------------------------------------------------------


class Child:
    """A trial under way."""

    def __init__(self, job: dict[str, Any], trial: dict[str, Any]) -> None:
        self.trial = trial
        self.since = time.monotonic()
        self.data = b""
        self.late = False
        self.read, write = os.pipe()
        self.pid = fork(job, trial, write) if job["fork"] else start(job, trial, write)
        os.close(write)
        os.set_blocking(self.read, False)

    def take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.read, 1 << 16):
                self.data += piece

    def ended(self) -> bool:
        """True once the process is gone, and all that it started with it."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid and time.monotonic() - self.since > WALL * self.trial["cpu"]:
            self.late = True
        if not pid and not self.late:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if not pid:
            status = os.waitpid(self.pid, 0)[1]
        self.late = self.late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
        self.take()
        os.close(self.read)
        return True

    def line(self) -> dict[str, Any]:
        """What became of it, in one line."""
        tests: dict[str, dict[str, Any]] = {}
        under_way, finish, collect = "", None, False
        for raw in self.data.splitlines():
            try:
                said = json.loads(raw)
            except ValueError:
                continue
            under_way = said.get("start", under_way)
            if "done" in said:
                tests[said.pop("done")], under_way = said, ""
            finish, collect = said.get("finish", finish), collect or "collect" in said
        ended = "time" if self.late else "done" if finish is not None else "died"
        seconds = round(time.monotonic() - self.since, 3)
        found = {"id": self.trial["id"], "ended": ended, "tests": tests, "under_way": under_way, "seconds": seconds}
        return {**found, "collect": collect}


def fork(job: dict[str, Any], trial: dict[str, Any], pipe: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        quiet()
        sys.path += job["inside"]
        attempt(job, trial, pipe)
        code = 0
    finally:
        os._exit(code)


def quiet() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)


def start(job: dict[str, Any], trial: dict[str, Any], pipe: int) -> int:
    words = json.dumps({**job, "trials": [trial]}).encode()
    argv = [sys.executable, "-s", __file__, "--one", str(pipe)]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(pipe,),
        start_new_session=True,
    )  # fmt: skip
    with contextlib.suppress(BrokenPipeError):
        assert process.stdin is not None
        process.stdin.write(words)
        process.stdin.close()
    process.returncode = 0  # it is waited for by its number
    return process.pid


def serve(job: dict[str, Any], out: TextIO) -> None:
    """Run all trials, a few at a time."""
    waiting = deque(job["trials"])
    running: list[Child] = []
    ended = 0
    most = job["limit"] * job["parallel"]
    while waiting or running:
        while waiting and len(running) < job["parallel"] and used() < most:
            running.append(Child(job, waiting.popleft()))
        if not running:
            return
        select.select([child.read for child in running], [], [], POLL)
        for child in list(running):
            child.take()
            if child.ended():
                running.remove(child)
                out.write(json.dumps(child.line()) + "\n")
                out.flush()
                ended += 1
                sys.stdout.write(f"ended {ended}\n")
                sys.stdout.flush()


def used() -> float:
    """CPU seconds of the trials that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def outside(root: str) -> list[str]:
    """Take what lies in the repository off the module search path, and return it."""
    inside = [item for item in sys.path if (item + "/").startswith(root + "/")]
    sys.path[:] = [item for item in sys.path if item not in inside]
    return inside


def preload(job: dict[str, Any]) -> None:
    """Import what is not the repository's; what cannot be imported now is imported, or fails, in the trials."""
    from agentsys_pytest import plugin_modules

    config: Any = importlib.import_module("_pytest.config")
    plugin_modules(job["plugins"])
    for name in [*(f"_pytest.{name}" for name in getattr(config, "default_plugins", ())), *job["preload"]]:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def main() -> None:
    job = json.load(sys.stdin)
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    job["inside"] = outside(job["root"])
    if "--one" in sys.argv:
        quiet()
        preload({**job, "preload": []})
        sys.path += job["inside"]
        attempt(job, job["trials"][0], int(sys.argv[2]))
        return
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with Path(job["out"]).open("a", encoding="utf-8") as out:
        if job["fork"]:
            preload(job)
            gc.collect()
            gc.freeze()
        serve(job, out)


if __name__ == "__main__":
    main()
