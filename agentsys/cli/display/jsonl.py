"""Events as JSON lines on standard output, which nothing else may then write to."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TextIO

from agentsys.core.events import Event, utc_now


@contextmanager
def own_stdout() -> Generator[TextIO]:
    """Take standard output away from everybody else, down to file descriptor 1, and yield it.

    Whatever a library or a child process prints then goes to standard error.
    """
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        os.dup2(2, 1)
        with os.fdopen(os.dup(saved), "w", encoding="utf-8", errors="backslashreplace") as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


class JsonDisplay(AbstractContextManager["JsonDisplay", None]):
    """Writes each event as it is stored, and makes sure that a stream ends with `run.finished`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._seq = 0
        self._run = ""
        self._seen: set[str] = set()

    def __exit__(self, *_: object) -> None:
        return None

    def paused(self) -> AbstractContextManager[object]:
        """Nothing is drawn."""
        return nullcontext()

    def stopping(self) -> bool:
        return False

    def __call__(self, event: Event) -> None:
        self._seq = int(str(event.get("seq", self._seq + 1)))
        self._run = str(event.get("run", self._run))
        self._seen.add(str(event.get("type")))
        print(json.dumps(dict(event), ensure_ascii=False, default=str), file=self._stream, flush=True)

    def failed(self, problem: Mapping[str, object], status: str, exit_code: int) -> None:
        """Complete the stream of a run that ended with an error before it could say so itself."""
        if "run.started" not in self._seen:
            self._emit("run.started", {})
        if "error" not in self._seen:
            self._emit("error", dict(problem))
        if "run.finished" not in self._seen:
            self._emit("run.finished", {"status": status, "exit_code": exit_code, "paths": {}})

    def _emit(self, type: str, data: dict[str, object]) -> None:
        now = utc_now("milliseconds")
        self({"v": 1, "seq": self._seq + 1, "ts": now, "run": self._run, "type": type, "data": data})
