"""Composite rules on [0, 1] and the integrands (Sections 2 and 3)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Function = Callable[[FloatArray], FloatArray]


def exponential(x: FloatArray) -> FloatArray:
    """exp(x), elementwise."""
    return np.exp(x)


def square(x: FloatArray) -> FloatArray:
    """x^2, elementwise."""
    return x * x


def root(x: FloatArray) -> FloatArray:
    """sqrt(x), elementwise."""
    return np.sqrt(x)


def peak(x: FloatArray) -> FloatArray:
    """1 / (x + 0.001), elementwise."""
    return 1.0 / (x + 0.001)


INTEGRANDS: dict[str, tuple[Function, float]] = {
    "exp": (exponential, math.e - 1.0),
    "square": (square, 1.0 / 3.0),
    "root": (root, 2.0 / 3.0),
    "peak": (peak, math.log(1001.0)),
}
"""Name -> the integrand and its exact integral."""


def midpoint(f: Function, n: int) -> float:
    """Return M_n of Eq. (1)."""
    return float(np.sum(f((np.arange(1, n + 1) - 0.5) / n)) / n)


def trapezoid(f: Function, n: int) -> float:
    """Return T_n of Eq. (2)."""
    values = f(np.arange(0, n + 1) / n)
    return float((np.sum(values) - (values[0] + values[-1]) / 2.0) / n)


def simpson(f: Function, n: int) -> float:
    """Return S_n of Eq. (3)."""
    return (trapezoid(f, n) + 2.0 * midpoint(f, n)) / 3.0
