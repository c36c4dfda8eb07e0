"""nougat as a reader of pages: a model of the user's, in a process of its own. Weights are never downloaded.

The code of nougat is MIT, its published weights are CC-BY-NC 4.0: who uses them must be allowed to.
"""

from __future__ import annotations

import base64
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentsys.core.errors import PaperError
from agentsys.core.files import sha256_bytes, write_atomic

DPI = 96
"""Resolution that the model was trained on."""
START_SECONDS = 300.0
PAGE_SECONDS = 900.0
"""Time for loading the model, and for one page (about 50 s of the small model on two processor cores)."""
RECALL = 0.8
"""Least share of the page's words, as the text layer has them, that an accepted page holds."""
PROBABILITY = 0.5
REPETITION = 0.12
"""Compressed size over size below which a page is a repetition (prose is 0.35 to 0.5)."""
HINT = (
    "give a folder with the weights as `--nougat-model DIR` or `AGENTSYS_NOUGAT_MODEL`; they are licensed CC-BY-NC 4.0 "
    "and are never downloaded"
)
OWN_ENVIRONMENT = (
    "this checkpoint is of the nougat-ocr package, which needs old libraries: make an environment with `pip install "
    "nougat-ocr==0.1.17 transformers==4.38.2 albumentations==1.4.24`, and name its interpreter in "
    "`AGENTSYS_NOUGAT_PYTHON`"
)


class PageReading(BaseModel):
    """What the model read on one page."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    page: int
    markdown: str = Field(max_length=200_000)
    tokens: int = 0
    cut: bool = False
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a page is accepted, and why not."""

    accepted: bool
    reason: str = ""


def judge(reading: PageReading, words: str) -> Judgement:
    """Judge a page by itself and against the words of its text layer (empty for a scan)."""
    text = reading.markdown
    if reading.cut:
        return Judgement(False, "cut off at the longest answer")
    if not text.strip() or "[MISSING_PAGE" in text:
        return Judgement(False, "empty")
    if len(text) > 200 and len(zlib.compress(text.encode())) / len(text.encode()) < REPETITION:
        return Judgement(False, "repeats itself")
    if reading.probability < PROBABILITY:
        return Judgement(False, f"the model was not sure ({reading.probability:.2f})")
    found = recall(words, text)
    if found is not None and found < RECALL:
        return Judgement(False, f"holds {100 * found:.0f} % of the words of the page")
    return Judgement(True)


def recall(words: str, text: str) -> float | None:
    """Share of the different words of four and more letters that occur in `text`; None if there are fewer than ten."""
    wanted = set(re.findall(r"[a-z]{4,}", words.lower()))
    if len(wanted) < 10:
        return None
    return len(wanted & set(re.findall(r"[a-z]{4,}", text.lower()))) / len(wanted)


def find_model(given: Path | None) -> Path:
    """Return the folder of the checkpoint.

    Raises: PaperError with exit code 3 if none is named or the folder holds none.
    """
    named = given or (Path(os.environ["AGENTSYS_NOUGAT_MODEL"]) if os.environ.get("AGENTSYS_NOUGAT_MODEL") else None)
    if named is None:
        raise PaperError("`--reader nougat` needs a model", HINT, exit_code=3)
    if not (named / "config.json").is_file():
        raise PaperError(f"`{named}` holds no nougat model", HINT, exit_code=3)
    try:
        kind = json.loads((named / "config.json").read_text()).get("model_type")
    except (ValueError, AttributeError) as error:
        raise PaperError(f"`{named}/config.json` cannot be read", HINT, exit_code=3) from error
    if kind not in ("nougat", "vision-encoder-decoder"):
        raise PaperError(f"`{named}` holds a model of kind `{kind}`, not nougat", HINT, exit_code=3)
    return named


def read_pages(
    images: dict[int, bytes], model: Path, cache: Path | None, progress: Callable[[int, int], None] | None = None
) -> dict[int, PageReading]:
    """Read page images (PNG by page number) with the model; pages in `cache` are not read again.

    Raises: PaperError if the back end is missing, dies or hangs.
    """
    weights = sorted(path.stat().st_size for path in model.iterdir() if path.is_file())
    identity = sha256_bytes((model / "config.json").read_bytes() + repr(weights).encode())
    done: dict[int, PageReading] = {}
    names: dict[int, Path] = {}
    for page, png in images.items():
        if cache is not None:
            names[page] = cache / f"{sha256_bytes(png + identity.encode())[:32]}.json"
            with suppress(OSError, ValidationError):
                done[page] = PageReading.model_validate_json(names[page].read_bytes()).model_copy(update={"page": page})
    left = {page: png for page, png in images.items() if page not in done}
    if left:
        for reading in _run(left, model):
            done[reading.page] = reading
            if reading.page in names:
                write_atomic(names[reading.page], reading.model_dump_json())
            if progress is not None:
                progress(len(done), len(images))
    return done


def _run(images: dict[int, bytes], model: Path) -> Iterator[PageReading]:
    python = os.environ.get("AGENTSYS_NOUGAT_PYTHON") or sys.executable
    worker = Path(__file__).with_name("nougat_worker.py")
    keep = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "CUDA_VISIBLE_DEVICES")
    }
    child = subprocess.Popen(
        [python, "-I", str(worker), str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=keep,
        start_new_session=True,
    )
    try:
        lines = _Lines(child)
        ready = lines.next(START_SECONDS)
        if ready.get("kind") == "error":
            raise _not_loaded(ready, model)
        for page, png in sorted(images.items()):
            lines.send({"page": page, "png": base64.b64encode(png).decode("ascii")})
            answer = lines.next(PAGE_SECONDS)
            try:
                reading = PageReading.model_validate(answer)
            except ValidationError as error:
                raise _broken("gave an answer that is not understood") from error
            if reading.page != page:
                raise _broken("answered another page than it was asked")
            yield reading
    finally:
        if child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _not_loaded(answer: dict[str, object], model: Path) -> PaperError:
    """The worker could not load its libraries or the weights."""
    name = "".join(char for char in str(answer.get("name"))[:300] if char.isprintable())
    own = json.loads((model / "config.json").read_text()).get("model_type") == "nougat"
    if answer.get("reason") == "missing":
        return PaperError(
            f"nougat needs `{name}`", OWN_ENVIRONMENT if own else "install `agentsys[nougat]`", exit_code=3
        )
    remedy = OWN_ENVIRONMENT if own else "check that the folder holds the whole checkpoint"
    return PaperError(f"nougat does not load: {name}", remedy, exit_code=3)


class _Lines:
    """JSON lines to and from the worker, each answer within its time."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None and child.stdout is not None
        self.stdin, self.stdout = child.stdin, child.stdout
        self.pending = b""

    def send(self, record: dict[str, object]) -> None:
        try:
            self.stdin.write(json.dumps(record).encode() + b"\n")
            self.stdin.flush()
        except BrokenPipeError as error:
            raise _broken("stopped") from error

    def next(self, seconds: float) -> dict[str, object]:
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.stdout, selectors.EVENT_READ)
            while b"\n" not in self.pending:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise _broken("took too long")
                data = os.read(self.stdout.fileno(), 1 << 16)
                if not data or len(self.pending) > 4_000_000:
                    raise _broken("stopped")
                self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        try:
            return dict(json.loads(line))
        except (ValueError, TypeError) as error:
            raise _broken("gave an answer that is not understood") from error


def _broken(what: str) -> PaperError:
    return PaperError(f"nougat {what}", "try `--reader text`, or a smaller model", exit_code=3)
