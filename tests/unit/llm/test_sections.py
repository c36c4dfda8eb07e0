"""Fingerprints of prompt sections."""

from __future__ import annotations

import pytest

from agentsys.llm.sections import changed_sections, normalise, section_hashes
from agentsys.llm.types import Image, Part, Prompt


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("see /tmp/abc123/repo/x.py", "see /tmp/zzz9/repo/x.py"),
        ("at 2025-01-02T03:04:05.678Z", "at 2026-11-22 10:00:00"),
        ("<Net at 0x7f00deadbeef>", "<Net at 0x7f1234567890>"),
        ("3 passed in 0.12s", "3 passed in 45.6s"),
        ("a  \n\n\nb\r\n", "a\nb"),
    ],
    ids=["temporary path", "time", "address", "duration", "white space"],
)
def test_what_differs_without_meaning_does_not_count(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("lr = 0.1", "lr = 0.2"), ("if x:\n    y", "if x:\ny"), ("mask 0xFF", "mask 0xF0"), ("2 of 3", "3 of 3")],
)
def test_what_means_something_counts(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_changed_added_and_removed_sections_are_named() -> None:
    old = section_hashes(Prompt((Part("rules", "a"), Part("paper", "b")), (Part("task", "c"),)))
    new = section_hashes(Prompt((Part("rules", "a"), Part("paper", "B")), (Part("plan", "d"),)))
    assert changed_sections(old, new) == ["paper", "plan", "task"]
    assert changed_sections(old, old) == []


def test_sections_of_one_name_and_pictures_are_told_apart() -> None:
    prompt = Prompt((), (Part("file", "a"), Part("file", "b")), (Image("fig", b"x"),))
    hashes = section_hashes(prompt)
    assert list(hashes) == ["file", "file#2", "image:fig"]
    assert len(set(hashes.values())) == 3
