from __future__ import annotations

import pytest
from sgdlab.closed_form import minimiser
from sgdlab.config import Config, Data
from sgdlab.data import make
from sgdlab.losses import loss
from sgdlab.training import fit


def test_the_loss_falls_from_start_to_end() -> None:
    train, _ = make(Data())
    losses = fit(Config(), train).losses
    assert losses[-1] < 0.02 * losses[0]


def test_training_comes_close_to_the_closed_form() -> None:
    train, _ = make(Data())
    best = minimiser(train, Config().ridge)
    assert fit(Config(), train).weights == pytest.approx(best, abs=0.03)


def test_nothing_is_lower_than_the_closed_form() -> None:
    train, _ = make(Data())
    lowest = loss(minimiser(train, Config().ridge), train.rows, train.targets, Config().ridge)
    assert min(fit(Config(), train).losses) >= lowest


def test_the_average_is_near_the_last_iterates() -> None:
    train, _ = make(Data())
    history = fit(Config(), train)
    assert history.average == pytest.approx(history.weights, abs=0.02)


def test_the_closed_form_recovers_the_weights() -> None:
    train, _ = make(Data(noise=0.0))
    assert minimiser(train, 0.0) == pytest.approx([1.0, -0.5, 1.0 / 3.0, -0.25], abs=1e-9)


def test_first_step_uses_the_first_share_of_the_warm_up() -> None:
    train, _ = make(Data())
    losses = fit(Config(), train).losses
    assert 0.85 < losses[1] / losses[0] < 0.99
