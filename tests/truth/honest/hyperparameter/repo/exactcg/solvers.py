"""The system and both methods (Sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Run = tuple[FloatArray, list[float]]
"""The last x, and the relative residuals from step 0 on."""


def matrix(d: int, spacing: float) -> FloatArray:
    """A of Eq. (1), shape (d, d)."""
    return np.diag(1.0 + spacing * np.arange(d, dtype=np.float64))


def steepest_descent(a: FloatArray, b: FloatArray, tolerance: float, most: int) -> Run:
    """SD from zero until the relative residual is at most the tolerance, or for `most` steps."""
    x, r = np.zeros_like(b), b.copy()
    curve = [1.0]
    while curve[-1] > tolerance and len(curve) <= most:
        x = x + (r @ r) / (r @ (a @ r)) * r
        r = b - a @ x
        curve.append(float(np.linalg.norm(r) / np.linalg.norm(b)))
    return x, curve


def conjugate_gradients(a: FloatArray, b: FloatArray, tolerance: float, most: int) -> Run:
    """CG from zero until the relative residual is at most the tolerance, or for `most` steps."""
    x, r, p = np.zeros_like(b), b.copy(), b.copy()
    curve = [1.0]
    while curve[-1] > tolerance and len(curve) <= most:
        image = a @ p
        length = (r @ r) / (p @ image)
        x = x + length * p
        following = r - length * image
        p = following + (following @ following) / (r @ r) * p
        r = following
        curve.append(float(np.linalg.norm(r) / np.linalg.norm(b)))
    return x, curve


def steps_to(curve: Sequence[float], tolerance: float) -> int:
    """Steps after which the relative residual is at most the tolerance for the first time."""
    for step, value in enumerate(curve):
        if value <= tolerance:
            return step
    raise ValueError(f"the residual does not reach {tolerance:g}")
