"""A run directory that was handed on decides nothing: where models are asked, what judges, where code runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.errors import UsageError
from agentsys.core.ownership import is_own, key_file, mark
from agentsys.core.runrecord import RunRecord, SettingValue
from agentsys.core.settings_layers import load_settings, reproduction_settings, resume_settings


@pytest.fixture(autouse=True)
def me(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "me"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def run_of(**flags: object) -> RunRecord:
    _, sources = load_settings(flags={"model": "m", **flags})
    return RunRecord(id="r", settings=sources, owner=mark("r", sources))


def test_a_run_is_its_owners_and_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run_of()
    assert is_own(record) and key_file().stat().st_mode & 0o777 == 0o600
    assert str(key_file().read_bytes()) not in record.model_dump_json()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
    assert not is_own(record)
    assert mark("r", record.settings) and not is_own(record)


def test_a_setting_that_was_changed_afterwards_takes_the_mark_away() -> None:
    record = run_of()
    for key, value in (("base_url", "http://127.0.0.1:9/v1"), ("policy", "/else/rules"), ("allow_weak_sandbox", True)):
        changed = record.settings | {key: SettingValue(value=value, source="flag")}
        assert not is_own(record.model_copy(update={"settings": changed}))
    assert not is_own(record.model_copy(update={"id": "other"}))
    assert not is_own(record.model_copy(update={"owner": ""}))


@pytest.mark.parametrize("key", ["base_url", "policy", "image", "allow_weak_sandbox", "extra_headers.X-Key", "replay"])
def test_no_setting_of_a_strangers_run_is_taken_up_unless_it_is_given_again(key: str) -> None:
    value = {"allow_weak_sandbox": "true", "base_url": "http://127.0.0.1:9/v1"}.get(key, "/else")
    _, sources = load_settings(sets=[f"{key}={value}"])
    record = RunRecord(id="r", settings=sources)
    with pytest.raises(UsageError, match="comes from elsewhere: 1 of its settings") as caught:
        resume_settings(record)
    assert f"--set {key}={sources[key].value}" in caught.value.hint
    resume_settings(record, sets=[f"{key}={value}"])


def test_a_strangers_run_with_this_users_settings_is_resumed() -> None:
    _, sources = load_settings(flags={"runs_dir": "elsewhere", "concurrency": 3})
    settings, _ = resume_settings(RunRecord(id="r", settings=sources))
    assert settings.concurrency == 3


def test_a_strangers_run_is_reproduced_with_this_users_settings() -> None:
    _, sources = load_settings(sets=["policy=/else/rules", "image=else", "memory_mb=99000"])
    settings, _ = reproduction_settings(RunRecord(id="r", settings=sources), sets=["memory_mb=8000"])
    assert (settings.policy, settings.image, settings.memory_mb) == ("default", "", 8000)
    own, _ = reproduction_settings(RunRecord(id="r", settings=sources, owner=mark("r", sources)))
    assert own.image == "else"


def test_without_a_place_for_a_key_no_run_is_anybodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert mark("r", {}) == "" and not is_own(RunRecord(id="r"))
