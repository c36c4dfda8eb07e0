"""Problem, errors, orders, results."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from odeorder.integrators import Euler, Heun, RungeKutta
from odeorder.study import Problem, Study, main

CONFIG = {"profile": "test", "scale": "test", "rate": -1.0, "start": 2.0, "end": 1.5, "steps": 8}


def test_the_solution_solves_the_equation() -> None:
    problem, h = Problem(-3.0, 2.0, 0.7), 1e-5
    later, earlier = Problem(-3.0, 2.0, 0.7 + h).solution, Problem(-3.0, 2.0, 0.7 - h).solution
    assert (later - earlier) / (2 * h) == pytest.approx(problem.slope(0.7, problem.solution), rel=1e-8)
    assert Problem(-3.0, 2.0, 0.0).solution == 2.0


def test_the_error_is_the_distance_from_the_solution() -> None:
    problem = Problem(-2.0, 1.0, 1.0)
    # two steps of 1/2: y = 1, then 1 + 1/2 * (-1) * 1 = 1/2
    assert problem.error(Euler, 2) == pytest.approx(0.5 - math.exp(-1.0), rel=1e-12)


def test_the_order_compares_with_half_the_step() -> None:
    study = Study.from_config(CONFIG)
    expected = math.log2(study.problem.error(Heun, 8) / study.problem.error(Heun, 16))
    assert study.order(Heun) == pytest.approx(expected, rel=1e-12)
    assert Study(study.problem, 512).order(Euler) == pytest.approx(1.0, abs=0.01)
    assert Study(study.problem, 64).order(RungeKutta) == pytest.approx(4.0, abs=0.1)


def test_from_config_takes_every_key() -> None:
    study = Study.from_config(CONFIG)
    assert (study.problem, study.steps) == (Problem(-1.0, 2.0, 1.5), 8)


def test_the_file_holds_what_was_measured(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(json.dumps(CONFIG), encoding="utf-8")
    assert main([str(profile), "--out", str(tmp_path / "out")]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    problem = Problem(-1.0, 2.0, 1.5)
    assert results["euler_error"] == pytest.approx(math.log10(problem.error(Euler, 8)), rel=1e-12)
    assert results["heun_order"] == pytest.approx(Study(problem, 8).order(Heun), rel=1e-12)
    assert results["rk4_slopes"] == 32
    assert results["health"][1]["values"] == pytest.approx([problem.error(Heun, n) for n in (2, 4, 8)], rel=1e-12)
