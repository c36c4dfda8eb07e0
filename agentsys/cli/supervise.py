"""Runs a pipeline to its end under signals: the first one stops it in order, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

from agentsys.core.errors import Interrupted

T = TypeVar("T")
EXIT_OF_SIGNAL: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
_FIRST = "\nstopping: the run is brought to a safe end; once more stops at once\n"
_SECOND = "\nstopped at once; `agentsys sandbox clean` removes what the sandbox left behind\n"


class Stop:
    """Which signal asked to stop; 0 as long as none did."""

    def __init__(self) -> None:
        self.signal = 0

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for SIGTERM; 130 where no signal is known."""
        return EXIT_OF_SIGNAL.get(self.signal, 130)


def supervise(
    work: Callable[[], Coroutine[Any, Any, T]], stop: Stop, stopping: Callable[[], bool] = lambda: False
) -> T:
    """Run `work` in an event loop of its own.

    Args:
        stopping: called in the signal's handler; returns whether the display itself says that the run is being
            stopped. A line is written to standard error where it does not.

    The first signal cancels it, with the signal's name as the message of the CancelledError, so that it can write
    down where it stands. Raises: Interrupted if it was cancelled and did not turn that into a result itself.
    """

    async def watched() -> T:
        task = asyncio.current_task()
        assert task is not None
        with _signals(asyncio.get_running_loop(), task, stop, stopping):
            return await work()

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError as error:
        raise Interrupted(exit_code=stop.exit_code) from error


@contextmanager
def _signals(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], stop: Stop, stopping: Callable[[], bool]
) -> Generator[None]:
    # Not `loop.add_signal_handler`: its callbacks wait for the loop, which must not hold up the second Ctrl-C.
    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.signal:
            _at_once(number)
        stop.signal = number
        if not stopping():
            _tell(_FIRST)
        loop.call_soon_threadsafe(task.cancel, signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in EXIT_OF_SIGNAL}
    # A signal that is ignored (nohup) stays ignored.
    chosen = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in chosen:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in chosen:
            signal.signal(number, before[number])


def _at_once(number: int) -> NoReturn:
    # Locks may be held by the code that was interrupted: nothing but system calls from here on.
    _tell(("\x1b[?25h" if os.isatty(2) else "") + _SECOND)
    os._exit(EXIT_OF_SIGNAL[number])


def _tell(text: str) -> None:
    try:
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, text.encode())
    except OSError:
        return
