"""What a worker keeps of a paper is found again, and only with its run."""

from __future__ import annotations

import json
from pathlib import Path

from agentsys.core.settings import Settings
from agentsys.report.batch import Row
from agentsys.run.batch.drive import asked_of, is_final
from agentsys.run.batch.job import keep_row, kept_row, spent_on


def kept(folder: Path) -> tuple[Path, Path]:
    """Return the file of a row and the run that it names."""
    run, file = folder / "2026-run", folder / "batch-x" / "papers" / "a.json"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    keep_row(file, Row(key="a", paper="a", run=str(run), status="unverified", asked=[5, ""]))
    return file, run


def test_a_row_counts_as_long_as_its_run_is_there(tmp_path: Path) -> None:
    file, run = kept(tmp_path)
    assert kept_row(file) is not None
    (run / "run.json").unlink()
    assert kept_row(file) is None
    assert kept_row(file.with_name("absent.json")) is None


def test_a_batch_that_was_moved_together_with_its_runs_finds_them(tmp_path: Path) -> None:
    file, _ = kept(tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    row = kept_row(tmp_path / "after" / file.relative_to(tmp_path / "before"))
    assert row is not None and Path(row.run) == tmp_path / "after" / "2026-run"


def test_what_was_spent_is_read_while_a_worker_writes(tmp_path: Path) -> None:
    line = {"id": "1", "key": "k", "model": "m", "prompt": 1, "cached": 0, "completion": 1, "seconds": 1.0}
    lines = [json.dumps({**line, "finish": "stop", "ts": "", "price": price}) for price in (0.25, None, 0.5)]
    ledger = tmp_path / "llm" / "ledger.jsonl"
    ledger.parent.mkdir()
    raw = "\n".join([*lines, lines[0][:20]])
    ledger.write_text(raw)
    assert spent_on(tmp_path) == 0.75
    assert ledger.read_text() == raw
    assert spent_on(tmp_path / "absent") == 0.0


def test_only_what_has_come_to_an_end_is_left_alone() -> None:
    settings = Settings()
    row = Row(key="a", paper="a", status="unverified", asked=asked_of(settings))
    assert is_final(row, settings)
    assert not is_final(row, Settings(max_rounds=9))
    assert not is_final(row, Settings(stop_after="code"))
    assert is_final(row.model_copy(update={"status": "verified"}), Settings(max_rounds=9))
    assert is_final(row.model_copy(update={"status": "blocked"}), settings)
    for status in ("limit", "interrupted", "provider_error", "config_error", "internal_error", "running"):
        assert not is_final(row.model_copy(update={"status": status}), settings)
    assert not is_final(None, settings)
