"""Draws from a seeded generator."""

from __future__ import annotations

import random


def normals(seed: int, count: int) -> list[float]:
    """Return standard normal draws."""
    generator = random.Random(seed)
    return [generator.gauss(0.0, 1.0) for _ in range(count)]


def permutation(seed: int, count: int) -> list[int]:
    """Return 0 .. count - 1 in an order that the seed decides."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order
