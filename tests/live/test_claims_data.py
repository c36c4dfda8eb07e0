"""Programs of claims read the data that is here and cannot write to it; what failed without it is run again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from integration.test_kill_and_resume import command
from live.jobs import SANDBOX, logged, verdicts
from live.sandboxes import need
from unit.run.claimed_run import CELLS, PROGRAM, make_claimed

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.bwrap, pytest.mark.timeout(900)]
READS = PROGRAM.replace(
    "control = given",
    """import os
from pathlib import Path

drawn += float(Path("data/numbers/shift.txt").read_text())
assert not os.access("data/numbers/shift.txt", os.W_OK), "the data can be changed"
control = given""",
)


def test_claims_on_data_that_is_absent_fail_and_are_settled_once_it_is_there(tmp_path: Path) -> None:
    need("bwrap")
    pytest.importorskip("submitit")
    run = make_claimed(tmp_path, program=READS)
    folder = tmp_path / "own" / "numbers"
    folder.mkdir(parents=True)
    (folder / "shift.txt").write_text("0.0\n")
    words = ("reproduce", run.path, "--profile", "claims", "--on", "local", *SANDBOX)

    def submit(*more: object) -> str:
        done = subprocess.run(command(*map(str, (*words, *more))), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "claims: 2 inconclusive" in submit()
    without = logged(run)
    assert 0 < len(without) < CELLS and all("FileNotFoundError" in row["fault"] for row in without)
    assert "claims: 2 verified" in submit("--data-dir", tmp_path / "own")
    with_data = logged(run)[len(without) :]
    assert len(with_data) == CELLS and {bool(row["data"]) for row in with_data} == {True}
    assert {row["verdict"] for row in verdicts(run)} == {"verified"}
    (folder / "shift.txt").write_text("9.0\n")
    assert "no cell was missing" in submit("--data-dir", tmp_path / "own"), "rows that are there stay"
