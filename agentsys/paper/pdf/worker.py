"""The child process that opens a hostile PDF. It prints JSON lines and may die at any time.

Job (one JSON argument): `{"task": "read" | "crop", ...}`; the file itself comes on standard input. Nothing here is
trusted by the parent: see `wire.py`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

MEMORY = 640 * 2**20
"""Address space of the child, in bytes: what a bomb fills before it bursts; a paper needs a third of it."""
CPU_SECONDS = 60
"""Processor time of the child."""


def main() -> None:
    """Do the job named on the command line."""
    job: dict[str, Any] = json.loads(sys.argv[1])
    _limit(int(job.get("memory", MEMORY)), int(job.get("cpu", CPU_SECONDS)))
    # PDFium may write to stdout; the protocol gets a descriptor of its own.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    data = sys.stdin.buffer.read()
    if job["task"] == "crop":
        from agentsys.paper.pdf import crop as work
    else:
        from agentsys.paper.pdf import extract as work

    def emit(record: dict[str, Any]) -> None:
        out.write(json.dumps(record, ensure_ascii=True, separators=(",", ":"), allow_nan=False) + "\n")
        out.flush()

    try:
        work.run(data, job, emit)
        emit({"kind": "end"})
    except MemoryError:
        emit({"kind": "error", "reason": "memory"})


def _limit(memory: int, cpu: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
