"""The record of claims: a stranger with numpy and scipy gets the same verdicts, and sees what was altered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentsys.plan.claims.amendment import freeze
from agentsys.verify.claims.record import Findings, write_record
from agentsys.verify.claims.standalone.rows import RowsError
from unit.verify.claims.judging import compared, contract, rows_of

ALONE = """
import runpy, sys
for name in ("agentsys", "agentsys_sandbox", "agentsys_policies", "pydantic", "pint"):
    sys.modules[name] = None  # importing it is an ImportError
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def record(folder: Path, gap: float = 1.0) -> Path:
    rows_of(folder, compared(gap))
    found = {"C1": Findings(checker="agrees", reviewer="clean")}
    write_record(folder / "claims", freeze((contract(),)), [folder / "rows.csv"], found)
    return folder / "claims"


def again(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", ALONE, str(folder / "evaluate.py")]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.mark.parametrize(("gap", "verdict"), [(1.0, "verified"), (-1.0, "falsified")])
def test_the_record_gives_the_same_verdicts_without_agentsys(tmp_path: Path, gap: float, verdict: str) -> None:
    done = again(record(tmp_path, gap))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"C1    {verdict}" in done.stdout
    assert "1 verdicts evaluated again, 0 differences" in done.stdout


def test_rows_that_were_altered_are_named_and_judged_anew(tmp_path: Path) -> None:
    folder = record(tmp_path)
    rows = folder / "rows" / "rows.csv"
    rows.write_text(rows.read_text().replace("n=100,a,v,1", "n=100,a,v,-1"))
    done = again(folder)
    assert done.returncode == 1
    assert "differs: rows/rows.csv is not the file that was judged" in done.stdout
    assert "differs: C1 was verified (supports)" in done.stdout


def test_a_contract_that_was_altered_is_named(tmp_path: Path) -> None:
    folder = record(tmp_path)
    data = json.loads((folder / "contracts.json").read_text())
    data["claims"]["C1"][0]["contract"]["accept"]["low"] = 0.1
    (folder / "contracts.json").write_text(json.dumps(data))
    done = again(folder)
    assert done.returncode == 1
    assert "a contract of C1 is not the one that was frozen" in done.stdout


def test_a_verdict_that_was_altered_is_named(tmp_path: Path) -> None:
    folder = record(tmp_path, -1.0)
    text = (folder / "verdicts.json").read_text()
    (folder / "verdicts.json").write_text(text.replace('"falsified"', '"verified"'))
    assert "differs: C1 was verified" in again(folder).stdout


@pytest.mark.parametrize("broken", ["verdicts.json", "rows/rows.csv"])
def test_a_record_that_cannot_be_read_says_so_in_one_line(tmp_path: Path, broken: str) -> None:
    folder = record(tmp_path)
    (folder / broken).write_text("{")
    done = again(folder)
    assert done.returncode == 2
    assert done.stderr.startswith("this record cannot be evaluated: ")
    assert done.stderr.count("\n") == 1


def test_rows_of_an_earlier_record_do_not_stay(tmp_path: Path) -> None:
    folder = record(tmp_path)
    (folder / "rows" / "old.csv").write_text((folder / "rows" / "rows.csv").read_text())
    record(tmp_path)
    assert [file.name for file in (folder / "rows").iterdir()] == ["rows.csv"]


def test_a_link_in_the_place_of_rows_is_refused_and_nothing_written(tmp_path: Path) -> None:
    rows_of(tmp_path, compared())
    (tmp_path / "link.csv").symlink_to(tmp_path / "rows.csv")
    with pytest.raises(RowsError, match=r"link\.csv is not a plain \.csv file"):
        write_record(tmp_path / "claims", freeze((contract(),)), [tmp_path / "link.csv"], {})
    assert not (tmp_path / "claims").exists()
