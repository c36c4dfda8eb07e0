"""The learning rate of a step."""

from __future__ import annotations

import math

from sgdlab.config import Optim


def warmup_share(step: int, warmup: int) -> float:
    """Return the share of the full rate at a step, counted from 0: 1/warmup, 2/warmup, ..., 1."""
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def decay_share(step: int, optim: Optim) -> float:
    """Return the cosine decay from 1 at the end of the warm-up to 0 behind the last step."""
    done = max(0, step - optim.warmup) / max(1, optim.steps - optim.warmup)
    return 0.5 * (1.0 + math.cos(math.pi * done))


def rate(step: int, optim: Optim) -> float:
    """Return the rate of a step."""
    return optim.rate * warmup_share(step, optim.warmup) * decay_share(step, optim)
