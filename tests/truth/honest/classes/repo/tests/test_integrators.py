"""One step of each method by hand."""

from __future__ import annotations

import math

import pytest

from odeorder.integrators import METHODS, Euler, Heun, Integrator, RungeKutta


def slope(t: float, y: float) -> float:
    return t - 2.0 * y


class TestSteps:
    """y' = t - 2 y at t = 1, y = 3 with h = 0.5."""

    def test_euler(self) -> None:
        assert Euler(slope).step(1.0, 3.0, 0.5) == pytest.approx(3.0 + 0.5 * (1.0 - 6.0), rel=1e-14)

    def test_heun(self) -> None:
        # k1 = -5, k2 = f(1.5, 0.5) = 0.5
        assert Heun(slope).step(1.0, 3.0, 0.5) == pytest.approx(3.0 + 0.5 * (-5.0 + 0.5) / 2, rel=1e-14)

    def test_rk4(self) -> None:
        # k1 = -5, k2 = f(1.25, 1.75) = -2.25, k3 = f(1.25, 2.4375) = -3.625, k4 = f(1.5, 1.1875) = -0.875
        total = -5.0 + 2 * -2.25 + 2 * -3.625 + -0.875
        assert RungeKutta(slope).step(1.0, 3.0, 0.5) == pytest.approx(3.0 + 0.5 * total / 6, rel=1e-14)


@pytest.mark.parametrize(("name", "degree"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_polynomials_up_to_the_order_are_integrated_exactly(name: str, degree: int) -> None:
    integrator = METHODS[name](lambda t, y: degree * t ** (degree - 1))
    assert integrator.integrate(0.5, 1.5, 3) == pytest.approx(0.5 + 1.5**degree, rel=1e-12)


def test_integrate_walks_the_whole_way_in_equal_steps() -> None:
    seen: list[float] = []

    class Watching(Euler):
        def step(self, t: float, y: float, h: float) -> float:
            seen.append(t)
            assert h == 0.25
            return super().step(t, y, h)

    assert Watching(lambda t, y: y).integrate(1.0, 1.0, 4) == pytest.approx(1.25**4, rel=1e-14)
    assert seen == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(("method", "each"), [(Euler, 1), (Heun, 2), (RungeKutta, 4)])
def test_slopes_are_counted(method: type[Integrator], each: int) -> None:
    integrator = method(slope)
    integrator.integrate(1.0, 1.0, 5)
    assert integrator.calls == 5 * each


def test_no_steps_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        Euler(slope).integrate(1.0, 1.0, 0)


def test_rk4_of_the_exponential_is_its_series() -> None:
    assert RungeKutta(lambda t, y: y).integrate(1.0, 0.5, 1) == pytest.approx(
        sum(0.5**k / math.factorial(k) for k in range(5)), rel=1e-14
    )
