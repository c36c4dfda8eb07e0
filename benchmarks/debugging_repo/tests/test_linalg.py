from __future__ import annotations

import pytest
from sgdlab.linalg import axpy, norm


def test_axpy_by_hand() -> None:
    assert axpy(2.0, [1.0, 2.0], [3.0, 4.0]) == [5.0, 8.0]


def test_norm_of_three_and_four_is_five() -> None:
    assert norm([3.0, 4.0]) == pytest.approx(5.0)
