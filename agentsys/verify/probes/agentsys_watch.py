"""Runs inside the sandbox as `sitecustomize`: what of the repository a run executed, and where its time went.

AGENTSYS_WATCH names the file of the record, AGENTSYS_WATCH_ROOT the repository. A process adds a JSON line after 1, 2,
4, ... seconds and one at its end, so that a run that is stopped leaves something. What is watched can write into the
same file: the record is a hint for whoever looks for a fault, and no check reads it.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

EVERY = 0.01
ENOUGH = 2_000_000  # calls; about two seconds of tracing
DEEPEST = 60
TOOL = 4  # of sys.monitoring, see agentsys_probe


class Watch:
    def __init__(self, record: str, root: str) -> None:
        self.record = record
        self.root = root.rstrip("/") + "/"
        self.names: dict[CodeType, str] = {}
        self.calls: set[tuple[str, str]] = set()
        self.own: Counter[str] = Counter()
        self.total: Counter[str] = Counter()
        self.events = 0
        self.began = time.monotonic()

    def name(self, code: CodeType) -> str:
        """Return `path:function` of the repository's own code, or nothing."""
        found = self.names.get(code)
        if found is None:
            inside = code.co_filename.startswith(self.root)
            label = getattr(code, "co_qualname", code.co_name)
            found = f"{code.co_filename[len(self.root) :]}:{label}" if inside else ""
            self.names[code] = found
        return found

    def started(self, frame: FrameType | None) -> None:
        if frame is None or frame.f_code in self.names:
            return
        if (name := self.name(frame.f_code)) and (caller := self.caller(frame.f_back)):
            self.calls.add((caller, name))

    def caller(self, frame: FrameType | None) -> str:
        for _ in range(DEEPEST):
            if frame is None:
                return ""
            if name := self.name(frame.f_code):
                return name
            frame = frame.f_back
        return ""

    def on_event(self, frame: FrameType, event: str, argument: object) -> None:
        self.started(frame)
        self.events += 1
        if self.events >= ENOUGH:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]

    def listen(self) -> None:
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is None:
            threading.settrace(self.on_event)  # type: ignore[arg-type]
            sys.settrace(self.on_event)  # type: ignore[arg-type]
            return

        def on_start(code: CodeType, offset: int) -> object:
            self.started(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
            return monitoring.DISABLE

        monitoring.use_tool_id(TOOL, "agentsys")
        monitoring.register_callback(TOOL, monitoring.events.PY_START, on_start)
        monitoring.set_events(TOOL, monitoring.events.PY_START)

    def sample(self) -> None:
        """Look at every thread's stack, again and again; the time since the last look is what it spent there."""
        me, last, due = threading.get_ident(), time.monotonic(), 1.0
        while True:
            time.sleep(EVERY)
            now = time.monotonic()
            for ident, frame in sys._current_frames().items():  # pyright: ignore[reportPrivateUsage]
                if ident != me:
                    self.note(frame, now - last)
            last = now
            if now - self.began >= due:
                due *= 2
                self.write()

    def note(self, frame: FrameType | None, seconds: float) -> None:
        stack: list[str] = []
        while frame is not None and len(stack) < DEEPEST:
            if name := self.name(frame.f_code):
                stack.append(name)
            frame = frame.f_back
        if stack:
            self.own[stack[0]] += seconds  # type: ignore[assignment]
            for name in set(stack):
                self.total[name] += seconds  # type: ignore[assignment]
            self.calls.update((caller, name) for name, caller in pairwise(stack))

    def write(self) -> None:
        line = {
            "pid": os.getpid(),
            "seconds": round(time.monotonic() - self.began, 2),
            "functions": sorted(name for name in list(self.names.values()) if name),
            "own": {name: round(value, 2) for name, value in list(self.own.items())},
            "total": {name: round(value, 2) for name, value in list(self.total.items())},
            "calls": sorted(pair for pair in list(self.calls) if pair[0] != pair[1]),
        }
        with Path(self.record).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def start() -> None:
    record, root = os.environ.get("AGENTSYS_WATCH"), os.environ.get("AGENTSYS_WATCH_ROOT")
    if not record or not root:
        return
    watch = Watch(record, root)
    watch.listen()
    threading.Thread(target=watch.sample, daemon=True).start()
    atexit.register(watch.write)


if __name__ == "sitecustomize":
    start()
