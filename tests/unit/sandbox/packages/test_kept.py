"""A machine without an index takes over what one with an index has resolved, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_sandbox.packages.kept import keep, known, offline
from agentsys_sandbox.packages.lock import Lock, Row, Wheel
from agentsys_sandbox.packages.resolve import Resolution
from agentsys_sandbox.spec import ExecResult, Outcome

DONE = ExecResult(Outcome.OK, 0, b"", b"", 1.0)
WHEEL = Wheel("numpy", "2.1.0", "numpy-2.1.0-py3-none-any.whl", "https://u:p@index.invalid/n.whl", "a" * 64, 12)
LOCK = Lock((Row("numpy", "2.1.0", ("a" * 64,)),), (WHEEL,))


@pytest.mark.parametrize("project", [None, Wheel("tiny", "0.1", "tiny.whl", "file:///x/tiny.whl", "b" * 64)])
def test_what_was_resolved_is_known_under_its_key_with_its_files_and_for_its_owner_alone(
    tmp_path: Path, project: Wheel | None
) -> None:
    keep(tmp_path / "resolved", "k1", Resolution(DONE, LOCK, project))
    found = known(tmp_path / "resolved", "k1")
    assert found is not None and found.lock == LOCK and found.project == project and found.result.ok
    assert known(tmp_path / "resolved", "k2") is None
    assert [file.stat().st_mode & 0o077 for file in (tmp_path / "resolved").iterdir()] == [0]


def test_a_resolution_that_failed_or_was_torn_is_not_known(tmp_path: Path) -> None:
    keep(tmp_path, "k1", Resolution(DONE))
    assert known(tmp_path, "k1") is None
    for text in ("", "{", "[]", '{"lock": "numpy", "wheels": [], "project": null}'):
        (tmp_path / "k2.json").write_text(text)
        assert known(tmp_path, "k2") is None


@pytest.mark.parametrize(("value", "means"), [("1", True), ("true", True), ("", False), ("0", False), ("no", False)])
def test_only_a_host_that_is_told_to_ask_no_index_takes_it_over(value: str, means: bool) -> None:
    assert offline({"UV_OFFLINE": value}) is means
