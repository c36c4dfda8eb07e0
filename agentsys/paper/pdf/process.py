"""The parent's side of the child process: start it, bound it, and take nothing it says on trust."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from agentsys.core.errors import PaperError
from agentsys.paper.pdf import wire

MAX_OUTPUT = 256 * 2**20
"""Bytes that a child may print."""
MAX_LINE = 32 * 2**20
"""Bytes of one record."""
_ROOT = Path(__file__).resolve().parents[3]
_START = "import sys; sys.path.insert(0, {root!r}); from agentsys.paper.pdf.worker import main; main()"

Record = dict[str, Any]


def run_worker(
    file: IO[bytes],
    job: Record,
    *,
    timeout: float,
    command: list[str] | None = None,
    max_output: int = MAX_OUTPUT,
    silence: float | None = None,
    environment: Mapping[str, str] | None = None,
    name: str = "the PDF reader",
) -> Iterator[Record]:
    """Yield the records of one child that gets `file` as its standard input.

    Args:
        file: an open file, read from its present position.
        job: what to do, see `worker.py`.
        timeout: wall-clock limit in seconds.
        command: another program than `worker.py`.
        max_output: bytes that the child may print.
        silence: seconds that the child may need for one record; None for no limit but `timeout`.
        environment: variables beside `PATH` and the locale.
        name: what messages call the child.

    Raises: PaperError if the child dies, hangs, prints too much, or prints something else than records.
    """
    child = subprocess.Popen(
        command or [sys.executable, "-I", "-c", _START.format(root=str(_ROOT)), json.dumps(job)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", **(environment or {})},
        cwd="/",
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        for line in _lines(child.stdout, time.monotonic() + timeout, silence or timeout, max_output, name):
            record = _record(line, name)
            if record["kind"] == "end":
                return
            yield record
            if record["kind"] == "error":
                return
        raise PaperError(
            f"{name} stopped in the middle of the file ({_death(child)})",
            "the file is damaged or made to exhaust a reader; try another copy, or the paper's LaTeX source",
        )
    finally:
        _end(child)


def crop(
    data: bytes, crops: list[list[Any]], *, dpi: int, trim: bool, password: str, timeout: float
) -> dict[str, bytes]:
    """Return the PNG of each crop `[name, page, x0, y0, x1, y1]` (points from the top left corner) by its name.

    What lies outside of a page or is blank gives no picture.
    """
    job = {"task": "crop", "crops": crops, "dpi": dpi, "trim": trim, "password": password}
    known = {str(crop[0]) for crop in crops}
    found: dict[str, bytes] = {}
    with as_file(data) as file:
        for record in run_worker(file, job, timeout=timeout):
            if record["kind"] != "image":
                continue
            image = wire.check(wire.RawImage, record)
            with contextlib.suppress(ValueError):
                png = base64.b64decode(image.png, validate=True)
                if image.name in known and png.startswith(b"\x89PNG\r\n\x1a\n"):
                    found[image.name] = png
    return found


def page_images(data: bytes, count: int, *, dpi: int, password: str, timeout: float) -> dict[int, bytes]:
    """Return the PNG of each of the first `count` pages by its number."""
    crops: list[list[Any]] = [[str(number), number, 0, 0, 14_400, 14_400] for number in range(1, count + 1)]
    found = crop(data, crops, dpi=dpi, trim=False, password=password, timeout=timeout)
    return {int(name): png for name, png in found.items()}


def run_program(argv: list[str], data: bytes, *, timeout: float) -> bytes:
    """Return what a program prints for `data` on its standard input; its time, memory and output are bounded.

    Raises: PaperError if it fails or takes longer than `timeout` seconds.
    """
    name = Path(argv[0]).name
    # The threads of tesseract wait for each other by spinning: on a busy machine two take far longer than one.
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", 'ulimit -v 4000000 -c 0; exec "$@"', "sh", *argv],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            timeout=timeout,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PaperError(f"`{name}` took too long on a page", "give a PDF with text", exit_code=3) from error
    if done.returncode != 0:
        raise PaperError(f"`{name}` failed with exit code {done.returncode}", "give a PDF with text", exit_code=3)
    return done.stdout[:4_000_000]


def _record(line: bytes, name: str) -> Record:
    with contextlib.suppress(ValueError, RecursionError):
        record: Any = json.loads(line)
        if isinstance(record, dict) and isinstance(cast(Record, record).get("kind"), str):
            return cast(Record, record)
    raise PaperError(f"{name} gave an answer that is not understood", "try another copy of the paper")


def _lines(pipe: IO[bytes], deadline: float, silence: float, max_output: int, name: str) -> Iterator[bytes]:
    pending: list[bytes] = []
    size = total = 0
    last = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            left = min(deadline, last + silence) - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise PaperError(
                    f"{name} took too long and was stopped", "try another copy, or the paper's LaTeX source"
                )
            data = os.read(pipe.fileno(), 1 << 16)
            if not data:
                return
            total += len(data)
            size += len(data)
            if total > max_output or (size > MAX_LINE and b"\n" not in data):
                raise PaperError(
                    "the PDF holds far more text than a paper has", "try another copy, or the paper's LaTeX source"
                )
            *whole, rest = data.split(b"\n")
            for part in whole:
                pending.append(part)
                yield b"".join(pending)
                pending.clear()
                size = len(rest)
                last = time.monotonic()
            pending.append(rest)


def _death(child: subprocess.Popen[bytes]) -> str:
    try:
        code = child.wait(5)
    except subprocess.TimeoutExpired:
        return "no end of its answer"
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return "limit of processor time or memory"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        # The child leads its own process group: nothing it started survives.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    if child.stdout is not None:
        child.stdout.close()
    child.wait()


@contextmanager
def as_file(data: bytes) -> Generator[IO[bytes]]:
    """An anonymous file with the bytes: the child reads exactly what was hashed."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file
