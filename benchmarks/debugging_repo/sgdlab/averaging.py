"""A bias-corrected average of iterates."""

from __future__ import annotations

from sgdlab.linalg import Vector, axpy, scale


class RunningAverage:
    """Exponential average that starts at zero and is corrected for it."""

    def __init__(self, size: int, beta: float) -> None:
        self.beta = beta
        self.value: Vector = [0.0] * size
        self.count = 0

    def update(self, weights: Vector) -> Vector:
        """Add weights and return the corrected average."""
        self.count += 1
        self.value = axpy(1.0 - self.beta, weights, scale(self.beta, self.value))
        return scale(1.0 / (1.0 - self.beta**self.count), self.value)
