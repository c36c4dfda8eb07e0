"""What reports say in a line: how much code was delivered, and where the answers of a replay came from."""

from __future__ import annotations

from pathlib import Path

from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.report.data import collect
from agentsys.report.facts import code_words, provenance
from agentsys.report.summary import summary


def test_lines_of_code_are_counted_and_not_those_of_json_text_and_settings(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    (run.repo / "results").mkdir(parents=True)
    run.write(RunRecord(id="run"))
    (run.repo / "model.py").write_text("x = 1\ny = 2\n")
    (run.repo / "reproduce.sh").write_text("python model.py\n")
    for name in ("paper_map.json", "README.md", "config.yaml", "results/results.json"):
        (run.repo / name).write_text("{\n}\n" * 1000)
    assert code_words(collect(run)) == "6 files, 3 lines of code"


def test_reworded_prompts_of_a_replay_are_counted_in_the_provenance_and_no_warning_of_the_summary(
    tmp_path: Path,
) -> None:
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.write(RunRecord(id="run", status="verified", recording="/recordings/made", reworded=39))
    data = collect(run)
    told = summary(data).replace(str(tmp_path), "")  # the folder's own number is no count
    assert "replayed from /recordings/made; all else was done anew" in told
    assert "39" not in told and "words" not in told
    assert ("answers recorded for a prompt in other words", "39") in provenance(data)
