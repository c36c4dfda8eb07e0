"""Training of the linear model."""

from __future__ import annotations

from dataclasses import dataclass

from sgdlab.averaging import RunningAverage
from sgdlab.batches import batches
from sgdlab.config import Config
from sgdlab.data import Split
from sgdlab.linalg import Vector
from sgdlab.losses import gradient, loss
from sgdlab.optimiser import Momentum


@dataclass(frozen=True)
class History:
    """What a training left: last weights, their average, the loss before every step and at the end."""

    weights: Vector
    average: Vector
    losses: list[float]


def fit(config: Config, train: Split) -> History:
    """Train from zero for the configured steps."""
    size = len(train.rows[0])
    weights: Vector = [0.0] * size
    average: Vector = weights
    optimiser = Momentum(size, config.optim)
    running = RunningAverage(size, config.average.beta)
    losses = [loss(weights, train.rows, train.targets, config.ridge)]
    source = batches(len(train.rows), config.optim.batch, config.data.seed)
    for _ in range(config.optim.steps):
        chosen = next(source)
        rows, targets = [train.rows[i] for i in chosen], [train.targets[i] for i in chosen]
        weights = optimiser.step(weights, gradient(weights, rows, targets, config.ridge))
        average = running.update(weights)
        losses.append(loss(weights, train.rows, train.targets, config.ridge))
    return History(weights, average, losses)
