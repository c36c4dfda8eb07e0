"""Rules and integrands against numbers worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from composite.experiment import error, main, run
from composite.rules import INTEGRANDS, exponential, midpoint, peak, root, simpson, square, trapezoid

CONFIG = {"profile": "test", "scale": "test", "cells": [4, 8], "small": 3}


def test_integrands_by_hand() -> None:
    x = np.array([0.0, 0.25, 1.0])
    assert exponential(x) == pytest.approx([1.0, math.exp(0.25), math.e], rel=1e-14)
    assert square(x) == pytest.approx([0.0, 0.0625, 1.0], rel=1e-14)
    assert root(x) == pytest.approx([0.0, 0.5, 1.0], rel=1e-14)
    assert peak(x) == pytest.approx([1000.0, 1 / 0.251, 1 / 1.001], rel=1e-14)


def test_midpoint_by_hand() -> None:
    assert midpoint(square, 2) == pytest.approx((0.0625 + 0.5625) / 2, rel=1e-14)
    assert midpoint(root, 1) == pytest.approx(math.sqrt(0.5), rel=1e-14)


def test_trapezoid_by_hand() -> None:
    assert trapezoid(square, 2) == pytest.approx((0.0 / 2 + 0.25 + 1.0 / 2) / 2, rel=1e-14)
    assert trapezoid(exponential, 1) == pytest.approx((1.0 + math.e) / 2, rel=1e-14)


def test_simpson_is_exact_on_a_parabola_and_known_on_exp() -> None:
    assert simpson(square, 1) == pytest.approx(1 / 3, rel=1e-14)
    assert simpson(exponential, 1) == pytest.approx((1.0 + 4.0 * math.exp(0.5) + math.e) / 6, rel=1e-14)


@pytest.mark.parametrize("name", ["exp", "square", "root", "peak"])
def test_every_rule_tends_to_the_integral(name: str) -> None:
    f, exact = INTEGRANDS[name]
    assert midpoint(f, 200_000) == pytest.approx(exact, rel=1e-6)


def test_errors_are_distances_to_the_integral() -> None:
    assert error("trapezoid", "square", 2) == pytest.approx(0.375 - 1 / 3, rel=1e-12)
    assert error("midpoint", "square", 2) == pytest.approx(1 / 3 - 0.3125, rel=1e-12)


def test_results_are_the_rules_on_the_configured_cells(tmp_path: Path) -> None:
    results = run(CONFIG)
    assert results["trapezoid_exp"] == trapezoid(exponential, 3)
    assert results["midpoint_error_first"] == pytest.approx(abs(midpoint(exponential, 4) - math.e + 1), rel=1e-12)
    assert results["midpoint_error_last"] == pytest.approx(abs(midpoint(exponential, 8) - math.e + 1), rel=1e-12)
    config = tmp_path / "c.yaml"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert main(["--config", str(config), "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == results
