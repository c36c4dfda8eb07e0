"""The benchmark's faults: planted in their own form or a named analogue, in one place, or loudly not at all."""

from __future__ import annotations

import pytest

from benchmarks.plantings import FAULTS, Planting, plant_fault

from .made import plan

BY_NAME = {fault.name: fault for fault in FAULTS}
PLAN = plan({"R1": ()})


def planted(name: str, source: str) -> Planting:
    files = {"made/core.py": source.encode(), "tests/test_core.py": source.encode()}
    made = plant_fault(BY_NAME[name], files, PLAN)
    assert made.files["tests/test_core.py"] == source.encode()
    return made


@pytest.mark.parametrize(
    ("name", "head", "before", "after"),
    [
        ("sign of a loss term", "def loss(x):", "return a(x) + b * c(x)", "return (a(x) - (b * c(x)))"),
        ("missing square root", "def f(x):", "return q / (np.sqrt(x) + e)", "return q / ((x) + e)"),
        ("wrong axis of a softmax", "def f(x):", "return softmax(x, dim=-1)", "return softmax(x, dim=-2)"),
        ("forgotten detach", "def f(x):", "y = x.detach() + 1", "y = (x) + 1"),
        ("train/test leak", "def f(x, n):", "return x[n:], y[n:]", "return x[: len(x[n:])], y[: len(y[n:])]"),
        ("off-by-one schedule", "def learning_rate(step):", "return step ** -0.5", "return (step + 1) ** -0.5"),
        ("optimiser that does not step", "def f(x):", "optimizer.step()", "pass"),
        ("optimiser that does not step", "def f(x):", "x = x - self._eta * u / v", "x = x.copy()"),
        ("seed ignored", "def f(seed):", "rng = np.random.default_rng(seed)", "rng = np.random.default_rng()"),
        ("seed ignored", "def f(seed):", "torch.manual_seed(seed)", "pass"),
        ("metric on the wrong split", "def f(d):", "error(d.x_test, d.y_test)", "error(d.x_train, d.y_train)"),
        ("constant result", "def f(d):", "e = error(p, d.x_test)", "e = 1.0"),
    ],
)  # fmt: skip
def test_fault_is_planted_in_its_own_form(name: str, head: str, before: str, after: str) -> None:
    made = planted(name, f"{head}\n    {before}\n")
    assert made.files["made/core.py"].decode().splitlines()[1].strip() == after and not made.analogue


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("wrong axis of a softmax", "return np.sum(x, axis=1)", "return np.sum(x, axis=0)"),
        ("forgotten detach", "u = g(x, b) - g(w, b) + m", "u = g(x, b) - g(x, b) + m"),
        ("off-by-one schedule", "return v / (1.0 - b**t)", "return v / (1.0 - b**(t + 1))"),
    ],
)
def test_analogue_is_named_as_such(name: str, before: str, after: str) -> None:
    made = planted(name, f"def f(x, n, t):\n    {before}\n")
    assert made.files["made/core.py"].decode().splitlines()[1].strip() == after and made.analogue


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_without_a_place_ends_loudly(fault) -> None:
    with pytest.raises(SystemExit, match="cannot be planted"):
        plant_fault(fault, {"made/core.py": b"def f(x):\n    return x\n"}, PLAN)


def test_there_are_ten() -> None:
    assert len(FAULTS) == len(BY_NAME) == 10
