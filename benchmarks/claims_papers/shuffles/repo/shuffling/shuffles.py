"""Shuffles and statistics of permutations (Sections 2 and 3)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def _swap(p: IntArray, i: int, j: int) -> None:
    p[i], p[j] = p[j], p[i]


def fisher_yates(n: int, rng: np.random.Generator) -> IntArray:
    """Return a permutation of 0, ..., n - 1, shape (n,)."""
    p = np.arange(n)
    for i in range(n - 1, 0, -1):
        _swap(p, i, int(rng.integers(0, i + 1)))
    return p


def sattolo(n: int, rng: np.random.Generator) -> IntArray:
    """Return a permutation that is one cycle, shape (n,)."""
    p = np.arange(n)
    for i in range(n - 1, 0, -1):
        _swap(p, i, int(rng.integers(0, i)))
    return p


def half(n: int, rng: np.random.Generator) -> IntArray:
    """Return what Fisher-Yates has made of the identity when it is stopped half way, shape (n,)."""
    p = np.arange(n)
    for i in range(n - 1, n // 2, -1):
        _swap(p, i, int(rng.integers(0, i + 1)))
    return p


def forward(n: int, rng: np.random.Generator) -> IntArray:
    """Return a permutation made from the front, shape (n,)."""
    p = np.arange(n)
    for i in range(n - 1):
        _swap(p, i, int(rng.integers(i, n)))
    return p


SHUFFLES: dict[str, Callable[[int, np.random.Generator], IntArray]] = {
    "fisher_yates": fisher_yates,
    "sattolo": sattolo,
    "half": half,
    "forward": forward,
}
"""Name -> the shuffle."""


def fixed_points(p: IntArray) -> int:
    """Return the number of i with p_i = i."""
    return int(np.sum(p == np.arange(len(p))))


def records(p: IntArray) -> int:
    """Return the number of i with p_i above all before."""
    return int(np.sum(p == np.maximum.accumulate(p)))


def longest_increasing(p: IntArray) -> int:
    """Return the length of the longest strictly increasing subsequence."""
    tails: list[int] = []
    for x in p.tolist():
        place = bisect_left(tails, x)
        tails[place : place + 1] = [x]
    return len(tails)
