"""Explicit one-step integrators as a class hierarchy (Section 3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

Slope = Callable[[float, float], float]


@dataclass
class Integrator(ABC):
    """Steps y' = f(t, y) forward; counts the evaluations of f."""

    slope: Slope
    calls: int = field(default=0, init=False)

    def f(self, t: float, y: float) -> float:
        """The right-hand side, counted."""
        self.calls += 1
        return self.slope(t, y)

    @abstractmethod
    def step(self, t: float, y: float, h: float) -> float:
        """y(t + h) from y(t)."""

    def integrate(self, y: float, end: float, steps: int) -> float:
        """y(end) from y(0) in equal steps."""
        if steps < 1:
            raise ValueError("at least one step is needed")
        h = end / steps
        for number in range(steps):
            y = self.step(number * h, y, h)
        return y


class Euler(Integrator):
    """Explicit Euler."""

    def step(self, t: float, y: float, h: float) -> float:
        return y + h * self.f(t, y)


class Heun(Integrator):
    """Heun's method."""

    def step(self, t: float, y: float, h: float) -> float:
        k1 = self.f(t, y)
        k2 = self.f(t + h, y + h * k1)
        return y + h * (k1 + k2) / 2


class RungeKutta(Integrator):
    """The classical method of four slopes."""

    def step(self, t: float, y: float, h: float) -> float:
        k1 = self.f(t, y)
        k2 = self.f(t + h / 2, y + h * k1 / 2)
        k3 = self.f(t + h / 2, y + h * k2 / 2)
        k4 = self.f(t + h, y + h * k3)
        return y + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6


METHODS: dict[str, type[Integrator]] = {"euler": Euler, "heun": Heun, "rk4": RungeKutta}
