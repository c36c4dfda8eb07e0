"""The bars on public data; skipped where the data does not lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_policies.engine import Policy
from benchmarks.policy import Report, dependencies, own, redcode

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "safety"
NAMES = Path(__file__).resolve().parents[3] / "benchmarks" / "requirement_names.txt"
POLICY = Policy.load()

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data in ../shared/data/safety")


@pytest.mark.parametrize("measure", [redcode, own])
def test_every_bar_on_code_and_commands_is_met(measure: object, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    assert callable(measure)
    measure(POLICY, DATA, report)
    assert report.missed == 0, capsys.readouterr().out


def test_every_bar_on_dependencies_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    dependencies(POLICY, DATA, report, NAMES.read_text(encoding="utf-8").split())
    assert report.missed == 0, capsys.readouterr().out
