"""The front door: Ctrl-C is answered from the first moment on, also while modules are being loaded."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    """End with 130 after a word; not by KeyboardInterrupt, which would be a traceback, or click's exit code 1."""
    os.write(2, b"\ninterrupted\n")
    sys.exit(130)


def main() -> None:
    """Run the command line as a process of its own; ends with SystemExit."""
    # A SIGINT that is ignored (nohup) stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupted)
    from agentsys.cli.app import main as command_line

    command_line()


if __name__ == "__main__":
    main()
