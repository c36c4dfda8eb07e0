"""The ledger: one line for each answered call, and what the run used so far."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agentsys.llm.prices import OwnPrices, price_of
from agentsys.llm.store import Recording, Store
from agentsys.llm.types import Usage


class Line(BaseModel):
    """One call. `price` is in US dollars, null where it is unknown; `seconds` is the time until the answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    key: str
    model: str
    prompt: int
    cached: int
    completion: int
    written: int = 0
    estimated: bool = False
    price: float | None
    seconds: float
    finish: str
    ts: str
    images: int = 0

    @classmethod
    def of(cls, recording: Recording, own: OwnPrices | None = None) -> Line:
        """Make the line of a recorded call."""
        usage = recording.tokens
        names = list(dict.fromkeys((recording.model, recording.asked)))
        if own and recording.asked in own:  # an endpoint may answer by another name than it is asked by
            names = [recording.asked]
        prices = (price_of(name, usage, recording.ts, own) for name in names)
        price = next((found for found in prices if found is not None), None)
        return cls(
            id=recording.id,
            key=str(recording.key),
            model=recording.model,
            **asdict(usage),
            price=price,
            seconds=recording.seconds,
            finish=recording.finish,
            ts=recording.ts,
            images=recording.images,
        )


class Ledger:
    """Reads the lines of earlier processes, adds those that a kill prevented, and appends.

    The recording is written first, the line after it; so a recording without a line is a call to be booked, and the
    line need not wait for the disk.
    """

    def __init__(self, path: Path, store: Store, own: OwnPrices | None = None) -> None:
        self._path, self._own = path, own
        self.lines: list[Line] = []
        self._usage, self._price, self._unpriced = Usage(), 0.0, False
        for line in _read(path):
            self._count(self._priced(line, store))
        booked = {line.id for line in self.lines}
        for recording in store.all():
            if recording.id and recording.id not in booked:
                self.append(recording)

    def append(self, recording: Recording) -> Line:
        """Count and note one recorded call."""
        line = self.count(recording)
        self.note(line)
        return line

    def count(self, recording: Recording) -> Line:
        """Add a call to what the run used, though no line of it is written yet."""
        line = Line.of(recording, self._own)
        self._count(line)
        return line

    def note(self, line: Line) -> None:
        """Write the line of a call whose recording is stored."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line.model_dump_json() + "\n")

    def _priced(self, line: Line, store: Store) -> Line:
        """Price a call whose price was not known when it was made, and is now."""
        if line.price is not None or not self._own:
            return line
        recording = next((item for item in store.all() if item.id == line.id), None)
        return line if recording is None else line.model_copy(update={"price": Line.of(recording, self._own).price})

    def _count(self, line: Line) -> None:
        self.lines.append(line)
        self._usage += Usage(line.prompt, line.cached, line.completion, line.written, line.estimated)
        self._price += line.price or 0.0
        self._unpriced = self._unpriced or line.price is None

    @property
    def usage(self) -> Usage:
        """Tokens of all calls, those of unusable answers too."""
        return self._usage

    @property
    def cost(self) -> float | None:
        """US dollars of all calls; None as soon as one price is unknown."""
        return None if self._unpriced else self._price


def _read(path: Path) -> list[Line]:
    """Read the lines; a last one that was cut off in writing is removed from the file."""
    if not path.is_file():
        return []
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) != len(raw):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [Line.model_validate(json.loads(line)) for line in whole.splitlines() if line.strip()]
