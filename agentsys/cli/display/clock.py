"""The clock of a display."""

from __future__ import annotations

from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds of a clock that never goes back."""
