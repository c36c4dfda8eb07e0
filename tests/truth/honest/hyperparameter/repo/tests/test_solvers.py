"""Both methods by hand and by what characterises them."""

from __future__ import annotations

import numpy as np
import pytest

from exactcg.solvers import conjugate_gradients, matrix, steepest_descent, steps_to

A = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 2.0]])
B = np.array([1.0, 2.0, -1.0])


def test_matrix_of_the_paper() -> None:
    np.testing.assert_array_equal(matrix(3, 4.0), [[1.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 9.0]])


def test_two_steps_of_steepest_descent_by_hand() -> None:
    # r = (1, 1), r'r / r'Ar = 2 / 4: x = (1/2, 1/2), r = (-1/2, 1/2); r'r / r'Ar = 1/2 again: x = (1/4, 3/4)
    x, curve = steepest_descent(np.diag([3.0, 1.0]), np.ones(2), 0.0, 2)
    np.testing.assert_allclose(x, [0.25, 0.75], rtol=1e-14)
    assert curve == pytest.approx([1.0, 0.5, 0.25], rel=1e-14)


def test_two_steps_of_cg_by_hand() -> None:
    # as above, then p = r + (1/2 / 2) (1, 1) = (-1/4, 3/4): the second step solves the system
    x, curve = conjugate_gradients(np.diag([3.0, 1.0]), np.ones(2), 1e-14, 9)
    np.testing.assert_allclose(x, [1 / 3, 1.0], rtol=1e-13)
    assert curve[:2] == pytest.approx([1.0, 0.5], rel=1e-14)
    assert curve[2] < 1e-15
    assert len(curve) == 3


def test_residuals_are_relative_to_the_right_hand_side() -> None:
    for method in (steepest_descent, conjugate_gradients):
        x, curve = method(A, B, 1e-12, 2)
        assert curve[0] == 1.0
        assert curve[-1] == pytest.approx(np.linalg.norm(B - A @ x) / np.linalg.norm(B), rel=1e-10)
        assert len(curve) == 3


def test_both_stop_at_the_tolerance() -> None:
    for method in (steepest_descent, conjugate_gradients):
        x, curve = method(A, B, 1e-6, 500)
        assert curve[-1] <= 1e-6 < curve[-2]
        np.testing.assert_allclose(x, np.linalg.solve(A, B), atol=1e-5)


def test_cg_ends_with_as_many_steps_as_eigenvalues() -> None:
    x, curve = conjugate_gradients(A, B, 1e-12, 9)
    np.testing.assert_allclose(x, np.linalg.solve(A, B), rtol=1e-12)
    assert len(curve) == 4
    _, curve = conjugate_gradients(np.diag([2.0, 2.0, 7.0, 7.0]), np.ones(4), 1e-12, 9)
    assert len(curve) == 3


def test_consecutive_residuals_of_steepest_descent_are_orthogonal() -> None:
    first, _ = steepest_descent(A, B, 0.0, 1)
    second, _ = steepest_descent(A, B, 0.0, 2)
    assert abs((B - A @ first) @ (B - A @ second)) < 1e-13


def test_steps_to_counts_from_zero() -> None:
    assert steps_to([1.0, 0.5, 0.25, 0.1], 0.25) == 2
    with pytest.raises(ValueError, match="does not reach"):
        steps_to([1.0, 0.5], 0.1)
