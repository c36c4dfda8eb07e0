"""Gradient descent with momentum."""

from __future__ import annotations

from sgdlab.clipping import clipped
from sgdlab.config import Optim
from sgdlab.linalg import Vector, axpy, scale
from sgdlab.schedule import rate


class Momentum:
    """Heavy-ball steps: velocity = momentum velocity - rate gradient."""

    def __init__(self, size: int, optim: Optim) -> None:
        self.optim = optim
        self.velocity: Vector = [0.0] * size
        self.done = 0

    def step(self, weights: Vector, gradient: Vector) -> Vector:
        """Return the weights after one step."""
        bounded = clipped(gradient, self.optim.clip)
        self.velocity = axpy(-rate(self.done, self.optim), bounded, scale(self.optim.momentum, self.velocity))
        self.done += 1
        return axpy(1.0, self.velocity, weights)
