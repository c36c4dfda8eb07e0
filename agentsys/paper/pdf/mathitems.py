"""What mathematics is put together from: glyphs with their places."""

from __future__ import annotations

from dataclasses import dataclass

SMALL = 0.86
"""Glyphs below this share of the main size are scripts."""


@dataclass(slots=True)
class Item:
    """Something with a place: a run of glyphs, or a part that was put together."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    base: float
    size: float
    space: bool = False
    floating: bool = False
    """True for glyphs that do not stand on the baseline: large operators and brackets."""
    axis: float | None = None
    """y of the bar of a fraction."""

    @property
    def cx(self) -> float:
        return (self.x0 + self.x1) / 2

    @property
    def cy(self) -> float:
        return (self.y0 + self.y1) / 2


def nearest(bases: list[float], place: float) -> int:
    """Return the index of the baseline nearest to a place."""
    return min(range(len(bases)), key=lambda index: abs(bases[index] - place))
