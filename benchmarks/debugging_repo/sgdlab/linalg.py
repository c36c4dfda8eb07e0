"""Vectors and small dense systems on plain lists."""

from __future__ import annotations

import math

Vector = list[float]
Matrix = list[list[float]]


def dot(x: Vector, y: Vector) -> float:
    """Return the inner product."""
    return sum(a * b for a, b in zip(x, y, strict=True))


def norm(x: Vector) -> float:
    """Return the Euclidean norm."""
    return math.sqrt(dot(x, x))


def axpy(alpha: float, x: Vector, y: Vector) -> Vector:
    """Return alpha x + y."""
    return [alpha * a + b for a, b in zip(x, y, strict=True)]


def scale(alpha: float, x: Vector) -> Vector:
    """Return alpha x."""
    return [alpha * a for a in x]


def solve(matrix: Matrix, right: Vector) -> Vector:
    """Solve a system by elimination with row pivots."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            rows[i] = axpy(-factor, rows[k], rows[i])
    found = [0.0] * size
    for k in reversed(range(size)):
        rest = sum(rows[k][j] * found[j] for j in range(k + 1, size))
        found[k] = (rows[k][size] - rest) / rows[k][k]
    return found
