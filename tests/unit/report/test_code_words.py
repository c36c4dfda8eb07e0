"""How much was delivered: code is counted, and not what it writes or what describes it."""

from __future__ import annotations

from pathlib import Path

from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.report.data import collect
from agentsys.report.facts import code_words


def test_lines_of_code_are_counted_and_not_those_of_json_text_and_settings(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    (run.repo / "results").mkdir(parents=True)
    run.write(RunRecord(id="run"))
    (run.repo / "model.py").write_text("x = 1\ny = 2\n")
    (run.repo / "reproduce.sh").write_text("python model.py\n")
    for name in ("paper_map.json", "README.md", "config.yaml", "results/results.json"):
        (run.repo / name).write_text("{\n}\n" * 1000)
    assert code_words(collect(run)) == "6 files, 3 lines of code"
