"""A repaired file may bring configuration keys along; it may not change any."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agentsys.code.config_keys import split_keys, write_keys
from agentsys.llm.client import AnswerError

FILE = "```python\nx = 1\n```\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    for profile, steps in (("full", 100), ("smoke", 5)):
        (tmp_path / "configs" / f"{profile}.yaml").write_text(f"profile: {profile}\ntraining:\n  steps: {steps}\n")
    return tmp_path


def block(text: str) -> str:
    return f"{FILE}\n```config\n{text}\n```\n"


def load(repo: Path, profile: str) -> dict[str, object]:
    return yaml.safe_load((repo / "configs" / f"{profile}.yaml").read_text())


def test_new_keys_are_added_to_both_profiles_and_taken_out_of_the_answer(repo: Path) -> None:
    rest, keys = split_keys(block('{"training.momentum": {"full": 0.9, "smoke": 0.8}}'), repo)
    write_keys(repo, keys)
    assert rest.strip() == FILE.strip()
    assert load(repo, "full") == {"profile": "full", "training": {"steps": 100, "momentum": 0.9}}
    assert load(repo, "smoke") == {"profile": "smoke", "training": {"steps": 5, "momentum": 0.8}}


def test_an_answer_without_keys_is_left_alone(repo: Path) -> None:
    assert split_keys(FILE, repo) == (FILE, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"training.steps": {"full": 1, "smoke": 1}}', "keys may be added, not changed"),
        ('{"profile.name": {"full": 1, "smoke": 1}}', "has no place"),
        ('{"training.momentum": {"full": 1}}', "is not of the form"),
        ('{"training.momentum": 0.9}', "is not of the form"),
        ('{"../up": {"full": 1, "smoke": 1}}', "are at most"),
        ("no JSON", "is not of the form"),
    ],
)
def test_what_would_change_a_setting_or_cannot_be_read_is_refused(repo: Path, text: str, said: str) -> None:
    before = [load(repo, profile) for profile in ("full", "smoke")]
    with pytest.raises(AnswerError, match=said):
        split_keys(block(text), repo)
    assert [load(repo, profile) for profile in ("full", "smoke")] == before
