"""The two experiments."""

from __future__ import annotations

from dataclasses import dataclass

from sgdlab.closed_form import minimiser
from sgdlab.config import Config
from sgdlab.data import make
from sgdlab.losses import loss
from sgdlab.metrics import explained, rmse
from sgdlab.training import fit


@dataclass(frozen=True)
class Outcome:
    """Numbers of the comparison with the closed form."""

    losses: list[float]
    best: float
    error: float
    error_best: float
    explained: float


def compare(config: Config) -> Outcome:
    """Train, and put the averaged iterate beside the minimiser."""
    train, held_out = make(config.data)
    history = fit(config, train)
    best = minimiser(train, config.ridge)
    return Outcome(
        losses=history.losses,
        best=loss(best, train.rows, train.targets, config.ridge),
        error=rmse(history.average, held_out),
        error_best=rmse(best, held_out),
        explained=explained(history.average, held_out),
    )
