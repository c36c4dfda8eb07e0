"""The table is computed from the methods."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from exactcg.cli import main, table
from exactcg.solvers import conjugate_gradients, matrix, steepest_descent, steps_to

CONFIG = {"d": 5, "spacing": 2.0, "tolerance": 1e-8, "early": 3, "most_steps": 400}


def test_the_table_belongs_to_the_methods() -> None:
    results = table(CONFIG)
    a, b = matrix(5, 2.0), np.ones(5)
    slow, fast = steepest_descent(a, b, 1e-8, 400)[1], conjugate_gradients(a, b, 1e-8, 400)[1]
    assert results["sd_steps"] == steps_to(slow, 1e-8)
    assert results["cg_steps"] == steps_to(fast, 1e-8) == 5
    assert results["sd_early"] == pytest.approx(math.log10(slow[3]))
    assert results["cg_early"] == pytest.approx(math.log10(fast[3]))
    assert results["health"][0]["end"] == slow[-1]
    assert results["health"][1]["end"] == fast[-1]


def test_the_mean_component_is_that_of_the_solution() -> None:
    assert table(CONFIG)["mean_component"] == pytest.approx(sum(1 / (1 + 2 * i) for i in range(5)) / 5, rel=1e-7)


def test_main_writes_profile_and_table(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(json.dumps({"profile": "test", "scale": "small", **CONFIG}), encoding="utf-8")
    main(str(tmp_path / "c.yaml"), str(tmp_path / "out"))
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert results["profile"] == "test"
    assert {key: results[key] for key in table(CONFIG)} == table(CONFIG)
