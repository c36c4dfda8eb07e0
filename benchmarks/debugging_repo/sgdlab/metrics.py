"""What is measured on held-out rows."""

from __future__ import annotations

from sgdlab.data import Split
from sgdlab.linalg import Vector, dot


def residuals(weights: Vector, split: Split) -> Vector:
    """Return prediction minus target."""
    return [dot(row, weights) - y for row, y in zip(split.rows, split.targets, strict=True)]


def rmse(weights: Vector, split: Split) -> float:
    """Return the root of the mean squared residual."""
    errors = residuals(weights, split)
    return (dot(errors, errors) / len(errors)) ** 0.5


def explained(weights: Vector, split: Split) -> float:
    """Return the coefficient of determination."""
    mean = sum(split.targets) / len(split.targets)
    spread = sum((y - mean) ** 2 for y in split.targets)
    return 1.0 - sum(error**2 for error in residuals(weights, split)) / spread
