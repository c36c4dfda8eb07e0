"""Runs inside the sandbox: runs a program, and keeps what it writes to one file, which the program itself removes.

Usage: python agentsys_cutoff.py, with a JSON object on the standard input: {"argv": [...], "file": ..., "copy": ...,
"log": ..., "out": ..., "cut": true|false}. The program is killed once it has written a whole line, where "cut" says
so. LOG gets what it prints, OUT a JSON object: {"code": exit code, "cut": whether it was killed}.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

LOOK = 0.005
"""Seconds between two looks."""


def main() -> int:
    job: dict[str, Any] = json.load(sys.stdin)
    file, copy, cut = Path(job["file"]), Path(job["copy"]), False
    with Path(job["log"]).open("wb") as log:
        process = subprocess.Popen(
            job["argv"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        ended = False
        while not ended:
            ended = process.poll() is not None
            hold(file, copy)
            if job["cut"] and not ended and copy.exists() and b"\n" in copy.read_bytes():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                ended = cut = True
            elif not ended:
                time.sleep(LOOK)
    hold(file, copy)
    Path(job["out"]).write_text(json.dumps({"code": process.returncode, "cut": cut}))
    return 0


def hold(file: Path, copy: Path) -> None:
    """Give the file a second name, so that its content stays when the first is removed."""
    with suppress(FileNotFoundError):
        if copy.exists() and copy.samefile(file):
            return
        new = copy.with_suffix(".new")
        os.link(file, new, follow_symlinks=False)
        new.replace(copy)


if __name__ == "__main__":
    sys.exit(main())
