"""Bounded gradients."""

from __future__ import annotations

from sgdlab.linalg import Vector, norm, scale


def clipped(gradient: Vector, largest: float) -> Vector:
    """Return a gradient whose norm is at most `largest`, with its direction kept."""
    length = norm(gradient)
    return gradient if length <= largest else scale(largest / length, gradient)
