"""Settings of a run, read from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Optim:
    """The optimiser: rate, momentum, warm-up in steps, steps, largest norm of a gradient, rows of a batch."""

    rate: float = 0.2
    momentum: float = 0.8
    warmup: int = 5
    steps: int = 60
    clip: float = 5.0
    batch: int = 8


@dataclass(frozen=True)
class Data:
    """The synthetic regression problem; `held_out` rows of `rows` are never trained on."""

    rows: int = 48
    features: int = 3
    noise: float = 0.05
    held_out: int = 16
    seed: int = 3


@dataclass(frozen=True)
class Average:
    """Weight of the past in the average of iterates."""

    beta: float = 0.9


@dataclass(frozen=True)
class Config:
    """A whole profile."""

    profile: str = "smoke"
    optim: Optim = field(default_factory=Optim)
    data: Data = field(default_factory=Data)
    average: Average = field(default_factory=Average)
    ridge: float = 0.001


def load(path: str | Path) -> Config:
    """Read a profile."""
    raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return Config(
        profile=str(raw["profile"]),
        optim=Optim(**raw["optim"]),
        data=Data(**raw["data"]),
        average=Average(**raw["average"]),
        ridge=float(raw["ridge"]),
    )
