"""Point sets on [0, 1], their discrepancy and their integration error (Sections 2 and 3)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Function = Callable[[FloatArray], FloatArray]


def random_points(n: int, rng: np.random.Generator) -> FloatArray:
    """Return n independent uniform points, shape (n,)."""
    return rng.random(n)


def stratified_points(n: int, rng: np.random.Generator) -> FloatArray:
    """Return one uniform point in each of n cells, shape (n,)."""
    return (np.arange(n) + rng.random(n)) / n


def van_der_corput(n: int) -> FloatArray:
    """Return v_0, ..., v_{n-1}, shape (n,)."""
    found = np.zeros(n)
    rest, weight = np.arange(n), 0.5
    while rest.any():
        found += weight * (rest % 2)
        rest, weight = rest // 2, weight / 2.0
    return found


def star_discrepancy(points: FloatArray) -> float:
    """Return D_n of Eq. (1); points has shape (n,) in any order."""
    x = np.sort(points)
    n = len(x)
    i = np.arange(1, n + 1)
    return float(max(np.max(i / n - x), np.max(x - (i - 1) / n)))


def square(x: FloatArray) -> FloatArray:
    """x^2, elementwise."""
    return x * x


def sine(x: FloatArray) -> FloatArray:
    """sin(pi x), elementwise."""
    return np.sin(np.pi * x)


def kink(x: FloatArray) -> FloatArray:
    """|x - 0.3|, elementwise."""
    return np.abs(x - 0.3)


INTEGRANDS: dict[str, tuple[Function, float]] = {
    "square": (square, 1.0 / 3.0),
    "exp": (np.exp, math.e - 1.0),
    "sine": (sine, 2.0 / math.pi),
    "kink": (kink, 0.29),
}
"""Name -> the integrand and its integral."""


def error(integrand: str, points: FloatArray) -> float:
    """Return the absolute error of the mean over the points, shape (n,)."""
    f, exact = INTEGRANDS[integrand]
    return abs(float(f(points).mean()) - exact)
