"""Data, network and loss (Sections 2 and 3)."""

from __future__ import annotations

import math

import torch
from torch import nn


def rings(points: int, noise: float, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy rings of radius 1 and 2: x of shape (points, 2), labels of shape (points,), half of each class."""
    labels = torch.arange(points) % 2
    angles = 2 * math.pi * torch.rand(points, generator=generator, dtype=torch.float64)
    radii = 1.0 + labels.to(torch.float64)
    clean = torch.stack([radii * torch.cos(angles), radii * torch.sin(angles)], dim=1)
    return clean + noise * torch.randn(points, 2, generator=generator, dtype=torch.float64), labels


class Network(nn.Module):
    """Two inputs, one hidden layer with tanh, two outputs."""

    def __init__(self, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inner = nn.Linear(2, hidden, dtype=torch.float64)
        self.outer = nn.Linear(hidden, 2, dtype=torch.float64)
        with torch.no_grad():
            for layer in (self.inner, self.outer):
                bound = 1.0 / math.sqrt(layer.in_features)
                for parameter in (layer.weight, layer.bias):
                    parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of shape (points, 2)."""
        return self.outer(torch.tanh(self.inner(x)))


def smoothed_loss(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Cross-entropy against 1 - s for the true class and s for the other, averaged over the points."""
    log_probabilities = torch.log_softmax(logits, dim=1)
    true = log_probabilities.gather(1, labels[:, None])[:, 0]
    other = log_probabilities.sum(dim=1) - true
    return -((1.0 - smoothing) * true + smoothing * other).mean()
