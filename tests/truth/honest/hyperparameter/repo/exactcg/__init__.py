"""Conjugate gradients and steepest descent on a small diagonal system."""

from exactcg.solvers import conjugate_gradients, matrix, steepest_descent, steps_to

__all__ = ["conjugate_gradients", "matrix", "steepest_descent", "steps_to"]
