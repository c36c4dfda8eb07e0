"""The minimiser in closed form."""

from __future__ import annotations

from sgdlab.data import Split
from sgdlab.linalg import Vector, solve


def minimiser(train: Split, ridge: float) -> Vector:
    """Return the weights at which the gradient of the loss vanishes."""
    size, count = len(train.rows[0]), len(train.rows)
    matrix = [
        [sum(row[i] * row[j] for row in train.rows) / count + (ridge if i == j else 0.0) for j in range(size)]
        for i in range(size)
    ]
    right = [sum(row[i] * y for row, y in zip(train.rows, train.targets, strict=True)) / count for i in range(size)]
    return solve(matrix, right)
