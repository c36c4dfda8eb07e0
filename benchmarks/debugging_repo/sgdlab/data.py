"""The synthetic regression problem."""

from __future__ import annotations

from dataclasses import dataclass

from sgdlab.config import Data
from sgdlab.draws import normals
from sgdlab.linalg import Matrix, Vector, dot


@dataclass(frozen=True)
class Split:
    """Rows with their targets."""

    rows: Matrix
    targets: Vector


def true_weights(features: int) -> Vector:
    """Return 1, -1/2, 1/3, ...; the last entry belongs to the constant column."""
    return [(-1.0) ** j / (j + 1) for j in range(features + 1)]


def standardised(rows: Matrix) -> Matrix:
    """Return rows whose columns have mean zero and variance one."""
    columns = list(zip(*rows, strict=True))
    means = [sum(column) / len(column) for column in columns]
    spreads = [
        (sum((value - mean) ** 2 for value in column) / len(column)) ** 0.5
        for column, mean in zip(columns, means, strict=True)
    ]
    return [[(v - m) / s for v, m, s in zip(row, means, spreads, strict=True)] for row in rows]


def make(data: Data) -> tuple[Split, Split]:
    """Draw the problem and return its training and its held-out rows."""
    draws = normals(data.seed, data.rows * (data.features + 1))
    features = [draws[i * data.features : (i + 1) * data.features] for i in range(data.rows)]
    errors = draws[data.rows * data.features :]
    rows = [[*row, 1.0] for row in standardised(features)]
    weights = true_weights(data.features)
    targets = [dot(row, weights) + data.noise * error for row, error in zip(rows, errors, strict=True)]
    cut = data.rows - data.held_out
    return Split(rows[:cut], targets[:cut]), Split(rows[cut:], targets[cut:])
