"""In which order questions bring along what they need, so that many of them begin alike for as long as they can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TRIED = 3
"""Pieces that are tried as the next one of a group."""
ENOUGH = 2000
"""Groups that are looked at with all of these; after that the most promising piece is taken each time."""


@dataclass(frozen=True)
class _Told:
    """What a set of questions tells after a common beginning."""

    anew: int
    """Characters that no earlier question began with."""
    orders: Mapping[str, tuple[str, ...]]

    def after(self, names: Sequence[str], characters: int) -> _Told:
        return _Told(self.anew + characters, {path: (*names, *own) for path, own in self.orders.items()})


class Orders:
    """Finds the order of the pieces of each question with which the least is told anew in all.

    What all questions of a group have comes first. Then a piece that saves much by being shared: the questions that
    have it, and those that do not, are groups of their own.
    """

    def __init__(self, needed: Mapping[str, Mapping[str, str]]) -> None:
        """Args: needed: question -> name of a piece -> its text."""
        self._needed = needed
        self._size = {name: len(text) for found in needed.values() for name, text in found.items()}
        self._known: dict[tuple[frozenset[str], frozenset[str]], _Told] = {}

    def best(self) -> dict[str, tuple[str, ...]]:
        """Return by question the names of its pieces in their order."""
        return dict(self._best(frozenset(self._needed), frozenset()).orders)

    def _best(self, paths: frozenset[str], told: frozenset[str]) -> _Told:
        key = (paths, told)
        if key not in self._known:
            self._known[key] = self._search(paths, told)
        return self._known[key]

    def _search(self, paths: frozenset[str], told: frozenset[str]) -> _Told:
        left = {path: tuple(name for name in self._needed[path] if name not in told) for path in sorted(paths)}
        count = Counter(name for names in left.values() for name in names)
        shared = [name for name in count if count[name] > 1]
        if not shared:
            return _Told(self._characters(count), left)
        if common := [name for name in shared if count[name] == len(paths)]:
            return self._best(paths, told | {*common}).after(common, self._characters(common))
        shared.sort(key=lambda name: -(count[name] - 1) * self._size[name])
        tried = shared[: TRIED if len(self._known) < ENOUGH else 1]
        return min((self._with(name, paths, told) for name in tried), key=lambda row: row.anew)

    def _with(self, name: str, paths: frozenset[str], told: frozenset[str]) -> _Told:
        """Return what is told where this piece comes next for those that have it."""
        having = frozenset(path for path in paths if name in self._needed[path])
        first = self._best(having, told | {name}).after([name], self._size[name])
        second = self._best(paths - having, told)
        return _Told(first.anew + second.anew, {**first.orders, **second.orders})

    def _characters(self, names: Sequence[str] | Mapping[str, int]) -> int:
        return sum(self._size[name] for name in names)
