"""A test that checks through a helper of its own file is a test with assertions; an empty helper does not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_policies.engine import Policy

GOOD = """import torch
def _close(a, b):
    torch.testing.assert_close(a, b)
def test_it():
    _close(torch.ones(2), torch.ones(2))
"""
EMPTY = """def _close(a, b):
    assert True
def test_it():
    _close(1, 2)
"""


@pytest.mark.parametrize(("source", "found"), [(GOOD, False), (EMPTY, True)])
def test_helpers_count_as_checks_only_if_they_check(tmp_path: Path, source: str, found: bool):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(source)
    rules = [item.rule for item in Policy.load().audit_code(tmp_path).findings]
    assert ("integrity.test-without-assertion" in rules) is found
