"""Batches without replacement, a new order for each epoch."""

from __future__ import annotations

from collections.abc import Iterator

from sgdlab.draws import permutation


def batches(rows: int, size: int, seed: int) -> Iterator[list[int]]:
    """Yield the row numbers of batches for ever; within an epoch no row comes twice."""
    epoch = 0
    while True:
        order = permutation(seed + epoch, rows)
        for start in range(0, rows - size + 1, size):
            yield order[start : start + size]
        epoch += 1
