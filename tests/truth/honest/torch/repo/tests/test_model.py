"""Data, network and loss."""

from __future__ import annotations

import math

import pytest
import torch

from smoothed.model import Network, rings, smoothed_loss


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_rings_without_noise_have_radius_one_and_two() -> None:
    x, labels = rings(8, 0.0, generator())
    assert labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert x.norm(dim=1).tolist() == pytest.approx([1.0, 2.0] * 4)


def test_the_angles_cover_the_circle_and_the_noise_has_its_size() -> None:
    clean, labels = rings(20_000, 0.0, generator())
    assert clean.mean(dim=0).abs().max() < 0.03
    assert float((clean[:, 0] > 0).double().mean()) == pytest.approx(0.5, abs=0.02)
    noisy, _ = rings(20_000, 0.3, generator())
    assert float((noisy - clean).std()) == pytest.approx(0.3, rel=0.02)
    assert labels.sum() == 10_000


def test_the_network_by_hand() -> None:
    model = Network(1, generator())
    with torch.no_grad():
        model.inner.weight.copy_(torch.tensor([[0.5, -1.0]]))
        model.inner.bias.fill_(0.25)
        model.outer.weight.copy_(torch.tensor([[2.0], [-3.0]]))
        model.outer.bias.copy_(torch.tensor([0.1, 0.2]))
    out = model(torch.tensor([[1.0, 2.0]], dtype=torch.float64))
    unit = math.tanh(0.5 - 2.0 + 0.25)
    assert out[0].tolist() == pytest.approx([2.0 * unit + 0.1, -3.0 * unit + 0.2], rel=1e-6)


def test_the_start_is_uniform_between_the_usual_bounds() -> None:
    model = Network(400, generator())
    assert 0.95 / math.sqrt(2) < float(model.inner.weight.detach().max()) <= 1 / math.sqrt(2)
    assert -0.05 <= float(model.outer.weight.detach().min()) < -0.95 * 0.05
    assert torch.equal(Network(3, generator(2)).inner.weight, Network(3, generator(2)).inner.weight)


def test_the_loss_by_hand() -> None:
    logits = torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0])
    first = [math.log(math.e / (math.e + 1)), math.log(1 / (math.e + 1))]
    total = math.exp(0.5) + math.exp(2.0)
    second = [math.log(math.exp(0.5) / total), math.log(math.exp(2.0) / total)]
    expected = -sum(0.9 * row[0] + 0.1 * row[1] for row in (first, second)) / 2
    assert float(smoothed_loss(logits, labels, 0.1)) == pytest.approx(expected, rel=1e-12)


def test_without_smoothing_it_is_the_cross_entropy() -> None:
    logits = torch.randn(7, 2, generator=generator(), dtype=torch.float64)
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    expected = torch.nn.functional.cross_entropy(logits, labels)
    assert float(smoothed_loss(logits, labels, 0.0)) == pytest.approx(float(expected), rel=1e-12)
