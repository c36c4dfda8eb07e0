"""Loss of a linear model and its gradient."""

from __future__ import annotations

from sgdlab.linalg import Matrix, Vector, axpy, dot, scale


def loss(weights: Vector, rows: Matrix, targets: Vector, ridge: float) -> float:
    """Return half the mean squared error plus half ridge times the squared weights."""
    errors = [dot(row, weights) - target for row, target in zip(rows, targets, strict=True)]
    return 0.5 * dot(errors, errors) / len(rows) + 0.5 * ridge * dot(weights, weights)


def gradient(weights: Vector, rows: Matrix, targets: Vector, ridge: float) -> Vector:
    """Return the gradient of `loss`."""
    total = scale(ridge, weights)
    for row, target in zip(rows, targets, strict=True):
        total = axpy((dot(row, weights) - target) / len(rows), row, total)
    return total
