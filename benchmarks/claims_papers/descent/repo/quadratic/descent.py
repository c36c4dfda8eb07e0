"""Gradient descent with momentum on a noisy quadratic (Sections 2 and 3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CURVATURES: FloatArray = np.logspace(-2.0, 0.0, 50)
"""lambda_1, ..., lambda_50."""


def loss(x: FloatArray) -> float:
    """Return f(x) of Eq. (1); x has shape (50,)."""
    return float(np.sum(CURVATURES * x * x) / 2.0)


def noise(law: str, rng: np.random.Generator) -> FloatArray:
    """Return independent numbers of mean 0 and variance 1, shape (50,).

    Raises: ValueError for a law that is neither `normal` nor `laplace`.
    """
    if law == "normal":
        return rng.standard_normal(len(CURVATURES))
    if law == "laplace":
        return rng.laplace(0.0, np.sqrt(0.5), len(CURVATURES))
    raise ValueError(f"there is no law {law!r}")


def iterates(
    steps: int, eta: float, beta: float, sigma: float, rng: np.random.Generator, law: str = "normal"
) -> FloatArray:
    """Return x after each step of Eq. (2), shape (steps, 50)."""
    x, v = np.ones(len(CURVATURES)), np.zeros(len(CURVATURES))
    found = np.empty((steps, len(CURVATURES)))
    for step in range(steps):
        gradient = CURVATURES * x + sigma * noise(law, rng)
        v = beta * v - eta * gradient
        x = x + v
        found[step] = x
    return found


def final_loss(path: FloatArray) -> float:
    """Return the loss at the last iterate; path has shape (steps, 50)."""
    return loss(path[-1])


def averaged_loss(path: FloatArray) -> float:
    """Return the loss at the mean of the last half of the iterates; path has shape (steps, 50)."""
    return loss(path[len(path) // 2 :].mean(axis=0))


def evaluations(path: FloatArray, level: float) -> int:
    """Return the number of the first step whose loss is at most `level`, from 1.

    Raises: ValueError where no step of the path reaches it.
    """
    for step, x in enumerate(path, 1):
        if loss(x) <= level:
            return step
    raise ValueError(f"no step reaches a loss of {level}")
