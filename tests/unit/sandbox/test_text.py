"""Output is made safe to print without losing what it says."""

from __future__ import annotations

import time

import pytest

from agentsys_sandbox.text import clean


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        ("Übung ½ 数 🙂".encode(), "Übung ½ 数 🙂"),
        (b"bad \xff\xfe byte", "bad \ufffd\ufffd byte"),
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b[?25lhidden cursor\x1b[?25h", "hidden cursor"),
        (b"a\x1b[2Jb\x1b[10;10Hc", "abc"),
        (b"\x1b]0;title\x07after", "after"),
        (b"\x1b]8;;http://host.invalid\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPdevice control\x1b\\after", "after"),
        (b"\x1b]never ended\nnext line", "\nnext line"),
        (b"\x1bcreset\x1b(Bset", "resetset"),
        ("c1 \x9b31m red \x9d0;t\x9c end".encode(), "c1  red  end"),
        (b"10%\r20%\r100%\r\nend", "10%\n20%\n100%\nend"),
        (b"nul\x00bell\x07back\x08del\x7f", "nulbellbackdel"),
        ("right\u202eleft\u2066x\u200bzero\ufeff".encode(), "rightleftxzero"),
        (b"\x1b", ""),
        (b"\x1b[", ""),
        (b"", ""),
    ],
)
def test_control_sequences_go_and_text_stays(raw: bytes, text: str) -> None:
    assert clean(raw) == text


def test_removing_one_sequence_cannot_build_another() -> None:
    assert "\x1b" not in clean(b"\x1b\x1b[0m[31mx\x1b\x1b]0;\x07[31m")


@pytest.mark.parametrize("piece", [b"\x1b", b"\x1b[", b"\x1b]", b"\x1b[1;", b"\r", b"\xff", b"\x1bP\x1b"])
def test_hostile_repetition_takes_linear_time(piece: bytes) -> None:
    start = time.perf_counter()
    clean(piece * 200_000)
    assert time.perf_counter() - start < 5
