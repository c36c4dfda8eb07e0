"""Stopping times of the 3n + 1 iteration and sums of the Moebius function (Section 2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def trajectory(n: int) -> list[int]:
    """Return the numbers from n to 1, both included.

    Raises: ValueError for n below 1.
    """
    if n < 1:
        raise ValueError("n must be 1 or more")
    numbers = [n]
    while numbers[-1] != 1:
        x = numbers[-1]
        numbers.append(3 * x + 1 if x % 2 else x // 2)
    return numbers


def stopping_time(n: int) -> int:
    """Return s(n)."""
    return len(trajectory(n)) - 1


def peak(n: int) -> int:
    """Return p(n)."""
    return max(trajectory(n))


def moebius(last: int) -> IntArray:
    """Return mu(1), ..., mu(last), shape (last,)."""
    found = np.ones(last + 1, dtype=np.int64)
    prime = np.ones(last + 1, dtype=np.bool_)
    for p in range(2, last + 1):
        if prime[p]:
            prime[2 * p :: p] = False
            found[p::p] *= -1
            found[p * p :: p * p] = 0
    return found[1:]


def sign_sums(last: int) -> IntArray:
    """Return M(1), ..., M(last) of Eq. (1), shape (last,)."""
    return np.cumsum(moebius(last))
