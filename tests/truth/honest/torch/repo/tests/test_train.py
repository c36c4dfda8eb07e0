"""Training steps, evaluation and the table."""

from __future__ import annotations

import pytest
import torch

from smoothed.model import Network, rings, smoothed_loss
from smoothed.train import evaluate, results_of, train

torch.set_num_threads(1)

CONFIG = {
    "profile": "test", "scale": "test", "seed": 3, "train_points": 64, "test_points": 64, "noise": 0.1, "hidden": 16,
    "smoothing": 0.1, "steps": 150, "learning_rate": 0.2, "momentum": 0.9,
}


def start() -> tuple[Network, torch.Tensor, torch.Tensor]:
    x, labels = rings(16, 0.1, torch.Generator().manual_seed(1))
    return Network(4, torch.Generator().manual_seed(2)), x, labels


def test_two_steps_with_momentum_by_hand() -> None:
    model, x, labels = start()
    w0 = model.inner.weight.detach().clone()
    losses = train(model, x, labels, smoothing=0.1, steps=2, rate=0.5, momentum=0.8)
    assert len(losses) == 3

    other, _, _ = start()
    parameters = list(other.parameters())
    velocity = [torch.zeros_like(p) for p in parameters]
    for number in range(2):
        loss = smoothed_loss(other(x), labels, 0.1)
        assert float(loss.detach()) == pytest.approx(losses[number], rel=1e-12)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, v, g in zip(parameters, velocity, gradients, strict=True):
                v.mul_(0.8).add_(g)
                p.sub_(0.5 * v)
    for ours, theirs in zip(model.parameters(), parameters, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    assert not torch.equal(w0, model.inner.weight)
    assert losses[2] == pytest.approx(float(smoothed_loss(other(x), labels, 0.1).detach()), rel=1e-12)


def test_evaluate_by_hand() -> None:
    model, _, _ = start()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.outer.bias.copy_(torch.log(torch.tensor([0.7, 0.3], dtype=torch.float64)))
    accuracy, confidence = evaluate(model, torch.zeros(4, 2, dtype=torch.float64), torch.tensor([0, 0, 0, 1]))
    assert accuracy == 0.75
    assert confidence == pytest.approx(0.7)


def test_the_table_is_what_training_and_evaluation_give() -> None:
    results = results_of(CONFIG)
    generator = torch.Generator().manual_seed(3)
    x, labels = rings(64, 0.1, generator)
    test_x, test_labels = rings(64, 0.1, generator)
    for name, smoothing in (("hard", 0.0), ("smoothed", 0.1)):
        model = Network(16, torch.Generator().manual_seed(4))
        train(model, x, labels, smoothing=smoothing, steps=150, rate=0.2, momentum=0.9)
        accuracy, confidence = evaluate(model, test_x, test_labels)
        assert results[f"{name}_accuracy"] == accuracy > 0.9
        assert results[f"{name}_confidence"] == pytest.approx(confidence, rel=1e-12)


def test_smoothing_lowers_the_confidence() -> None:
    results = results_of(CONFIG)
    assert results["smoothed_confidence"] < results["hard_confidence"] - 0.03
