"""Text of strangers is made harmless in one way everywhere, and long text is cut with the count of what is missing."""

from __future__ import annotations

import unicodedata

import pytest

import agentsys_policies.text
import agentsys_sandbox.text
from agentsys.core.text import clean_line, clean_text, cut

CLEANERS = {
    "terminal": clean_text,
    "log": lambda text: agentsys_sandbox.text.clean(text.encode("utf-8", "replace")),
    "policy": agentsys_policies.text.visible,
}
HIDDEN = {
    "null": "\x00",
    "delete": "\x7f",
    "soft hyphen": "\u00ad",
    "combining grapheme joiner": "\u034f",
    "Arabic letter mark": "\u061c",
    "Hangul filler": "\u3164",
    "Mongolian vowel separator": "\u180e",
    "zero width space": "\u200b",
    "zero width joiner": "\u200d",
    "right-to-left mark": "\u200f",
    "right-to-left override": "\u202e",
    "word joiner": "\u2060",
    "right-to-left isolate": "\u2067",
    "deprecated format character": "\u206e",
    "variation selector 16": "\ufe0f",
    "byte order mark": "\ufeff",
    "interlinear annotation": "\ufffa",
    "tag letter": "\U000e0041",
    "unassigned tag": "\U000e0fff",
    "variation selector 256": "\U000e01ef",
}


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("cleaner", CLEANERS)
def test_a_character_that_hides_or_reorders_text_is_removed(cleaner: str, name: str) -> None:
    assert CLEANERS[cleaner](f"a{HIDDEN[name]}b") == "ab"


@pytest.mark.parametrize("end", ["\r", "\r\n", "\r\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("cleaner", CLEANERS)
def test_every_line_end_keeps_the_words_beside_it_apart(cleaner: str, end: str) -> None:
    assert CLEANERS[cleaner](f"a{end}b") == "a\nb"


def test_the_cleaners_agree_on_every_character() -> None:
    wrong = [
        f"U+{point:04X}"
        for point in range(0x110000)
        # An escape sequence goes as a whole from what a program prints; the policy shows a judge what stands in it.
        if not 0xD800 <= point <= 0xDFFF and unicodedata.category(chr(point)) != "Cc"
        if clean_text(f"a{chr(point)}b") != agentsys_policies.text.visible(f"a{chr(point)}b")
    ]
    assert wrong == []


@pytest.mark.parametrize("cleaner", ["terminal", "policy"])
def test_a_lone_surrogate_that_no_file_can_hold_is_removed(cleaner: str) -> None:
    assert CLEANERS[cleaner]("a\ud800b") == "ab"


@pytest.mark.parametrize("text", ["Übung ½ 数 🙂", "tab\there\nline", "e\u0301", "السلام", "\u0600١"])
@pytest.mark.parametrize("cleaner", CLEANERS)
def test_text_that_people_read_stays_as_it_is(cleaner: str, text: str) -> None:
    assert CLEANERS[cleaner](text) == text


def test_a_cleaned_line_is_one_line_and_not_longer_than_asked() -> None:
    assert clean_line("a\u2028b\r\nc\td") == "a b c d"
    assert len(clean_line("x" * 1000, 50)) == 50


def test_cut_keeps_head_and_tail_and_counts() -> None:
    text = cut("a" * 100 + "b" * 100, 60)
    assert text.startswith("a" * 20 + "\n... 140 characters") and text.endswith("b" * 40)
    assert cut("short", 60) == "short"
