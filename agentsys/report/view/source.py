"""One run as its pages need it: read when a page is asked for, and again when the files have changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from agentsys.core.artifacts import PaperPlace
from agentsys.core.errors import UsageError
from agentsys.core.rundir import RunDir
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.workspace import CONTRACTS
from agentsys.report.data import ReportData, collect
from agentsys.report.reading import Problems, read_model
from agentsys.report.view.calls import Call, read_calls
from agentsys.report.view.commands import Command, read_commands
from agentsys.report.view.places import Spot, cut_out, read_paper, spots

T = TypeVar("T")
_FOLDERS = ("plan", "claims", "audit", "rounds", "reproductions", "repo")
_PICTURES = 64
"""Pictures of places that are kept in memory."""


class Source:
    """The files of one run.

    Args:
        data: what reports say of the run, where it was collected already; it then stays so.
    """

    def __init__(self, run: RunDir, data: ReportData | None = None) -> None:
        self.run = run
        self._data = data
        self.path = run.path
        self._held: dict[str, tuple[object, object]] = {}
        self._pictures: dict[str, bytes | None] = {}

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def data(self) -> ReportData:
        """All that reports say. Raises: UsageError where this is no run, or one that leads out of its folder."""
        if self._data is not None:
            return self._data
        if link := _link(self.path):
            raise UsageError(f"run `{self.id}` is not shown: `{link}` is a link", "put the folder itself in its place")
        return self._kept("data", lambda: collect(self.run), _stamp(self.path))

    @property
    def calls(self) -> tuple[Call, ...]:
        return self._kept("calls", lambda: read_calls(self.path), _mark(self.path / "llm" / "ledger.jsonl"))

    @property
    def commands(self) -> tuple[Command, ...]:
        return self._kept("commands", lambda: read_commands(self.path), _mark(self.path / "events.jsonl"))

    def spots(self, kind: str, name: str) -> tuple[Spot, ...]:
        """Return where a requirement, a number or a claim stands in the paper; nothing where that is not known."""
        return self._kept("spots", self._all_spots, _stamp(self.path)).get((kind, name), ())

    def picture(self, spot: Spot) -> bytes | None:
        """Return the picture of a place as PNG; None where there is none."""
        if spot.name not in self._pictures:
            if len(self._pictures) >= _PICTURES:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[spot.name] = cut_out(self.path, [spot]).get(spot.name)
        return self._pictures[spot.name]

    def all_pictures(self) -> dict[str, bytes]:
        """Return the pictures of all places by the name of their spot."""
        found = self._kept("spots", self._all_spots, _stamp(self.path))
        return dict(cut_out(self.path, {spot.name: spot for row in found.values() for spot in row}.values()))

    def _all_spots(self) -> dict[tuple[str, str], tuple[Spot, ...]]:
        paper = read_paper(self.path)
        return {} if paper is None else {key: spots(paper, place) for key, place in self._places().items()}

    def _places(self) -> dict[tuple[str, str], PaperPlace]:
        plan = self.data.plan
        found = {("requirement", row.id): row.place for row in (plan.requirements if plan is not None else ())}
        found |= {("number", row.id): row.place for row in (plan.expected if plan is not None else ())}
        contracts = read_model(self.run.claims / CONTRACTS, Contracts, Problems())
        if contracts is None:
            return found
        for claim in contracts.claims:
            found["claim", claim] = contracts.current(claim).place
        return found

    def _kept(self, name: str, make: Callable[[], T], stamp: object) -> T:
        held = self._held.get(name)
        if held is None or held[0] != stamp:
            held = self._held[name] = (stamp, make())
        return cast("T", held[1])


def _link(run: Path) -> str:
    """Return a folder of the run that is a link: what lies behind it is no part of the run."""
    for folder in (run, run / "rounds", run / "reproductions"):
        if folder.is_dir():
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        return Path(entry.path).relative_to(run).as_posix()
    return ""


def _mark(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _stamp(run: Path) -> tuple[object, ...]:
    """Return what changes when a file changes that reports are made from."""
    found: list[object] = [_mark(run / "run.json"), _mark(run / "inputs.json")]
    for folder in _FOLDERS:
        for place, folders, files in os.walk(run / folder):
            folders[:] = [name for name in folders if name != ".git"]
            found += [(name, _mark(Path(place) / name)) for name in files]
    return tuple(found)
