"""Three estimators of the integral of exp over the unit interval (Section 3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def plain(uniform: FloatArray) -> float:
    """Mean of exp(U); uniform has shape (n,)."""
    return float(np.exp(uniform).mean())


def antithetic(uniform: FloatArray) -> float:
    """Mean of (exp(U) + exp(1 - U)) / 2; uniform has shape (n / 2,)."""
    return float(((np.exp(uniform) + np.exp(1.0 - uniform)) / 2.0).mean())


def coefficient(values: FloatArray, uniform: FloatArray) -> float:
    """b: the sample covariance of values and uniform over the sample variance of uniform; both of shape (n,)."""
    centred = uniform - uniform.mean()
    return float(np.dot(values - values.mean(), centred) / np.dot(centred, centred))


def control(uniform: FloatArray) -> float:
    """Mean of exp(U) - b (U - 1/2); uniform has shape (n,)."""
    values = np.exp(uniform)
    return float((values - coefficient(values, uniform) * (uniform - 0.5)).mean())
