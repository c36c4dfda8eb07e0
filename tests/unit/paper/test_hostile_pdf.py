"""A hostile file costs a bounded amount of time and memory, and never the parent."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest

from agentsys.core.errors import PaperError
from agentsys.paper import ReadOptions, read_paper
from agentsys.paper.pdf import wire
from agentsys.paper.pdf.process import run_worker
from unit.paper.conftest import LINES, Write, prose

REFUSED = {
    "bitflip": 2,
    "bomb_nested": 2,
    "bomb_text": 2,
    "bomb_ws1g": 2,
    "empty": 2,
    "enc_user": 3,
    "form_exp": 2,
    "form_loop": 2,
    "header_only": 2,
    "huge_image": 3,
    "huge_page": 2,
    "nonpdf_html": 2,
    "nonpdf_png": 2,
    "scanned": 3,
    "truncated": 2,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_in_words(name: str, shared: Path) -> None:
    started = time.monotonic()
    with pytest.raises(PaperError) as caught:
        read_paper(shared / "data" / "bad-pdf" / f"{name}.pdf", ReadOptions(timeout=60))
    assert caught.value.exit_code == REFUSED[name]
    assert caught.value.message and caught.value.hint and not caught.value.message.endswith(".")
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("name", ["enc_owner", "js_embedded", "junk_prefix", "pagetree_loop"])
def test_a_file_with_oddities_is_read(name: str, shared: Path) -> None:
    paper = read_paper(shared / "data" / "bad-pdf" / f"{name}.pdf")
    assert len(paper.pages) == 5 and paper.title.startswith("CharBERT")
    if name == "js_embedded":
        assert paper.audit.javascript and paper.audit.embedded_files == ("evil.sh",)


def test_pages_beyond_the_limit_are_named(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([prose(100, 700, LINES)] * 4), ReadOptions(max_pages=2))
    assert len(paper.pages) == 2
    assert paper.warnings == ("only the first 2 of 4 pages were read",)
    assert not paper.audit.checked


def child(code: str, timeout: float = 5.0, max_output: int = 1_000_000) -> list[dict[str, object]]:
    command = [sys.executable, "-I", "-c", code]
    return list(run_worker(io.BytesIO(), {}, timeout=timeout, command=command, max_output=max_output))


def test_a_child_that_ends_well_is_believed(tmp_path: Path) -> None:
    with (tmp_path / "empty").open("wb+") as file:
        code = 'print(\'{"kind": "x"}\'); print(\'{"kind": "end"}\')'
        assert list(run_worker(file, {}, timeout=10, command=[sys.executable, "-I", "-c", code])) == [{"kind": "x"}]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os; os.abort()", "stopped in the middle"),
        ("pass", "stopped in the middle"),
        ('print(\'{"kind": "page"}\')', "stopped in the middle"),
        ("import time; time.sleep(60)", "took too long"),
        ("while True: print('x' * 100000)", "not understood"),
        ('while True: print(\'{"kind": "x"}\')', "far more text"),
        ("import sys\nwhile True: sys.stdout.write('x' * 100000)", "far more text"),
        ("print('[1, 2]')", "not understood"),
        ("print('[' * 100000)", "not understood"),
        ("print('\\x00\\xff')", "not understood"),
        ("print('{\"kind\": 3}')", "not understood"),
        ("print('null')", "not understood"),
    ],
)
def test_a_child_that_dies_hangs_floods_or_lies_is_an_expected_failure(code: str, says: str, tmp_path: Path) -> None:
    with (tmp_path / "empty").open("wb+") as file, pytest.raises(PaperError, match=says):
        command = [sys.executable, "-I", "-c", code]
        list(run_worker(file, {}, timeout=2, command=command, max_output=1_000_000))


@pytest.mark.parametrize(
    "change",
    [
        {"number": 2},
        {"width": float("nan")},
        {"lines": [[0, 0, [["x", 7, 10, 0, 0, 1, 1, 1, 0]]]]},
        {"lines": [[0, 0, [["x", 0, 10, 0, 0, 1e30, 1, 1, 0]]]]},
        {"lines": "x"},
        {"surprise": 1},
        {"chars": -1},
    ],
)
def test_a_page_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    good: dict[str, object] = {"kind": "page", "number": 1, "width": 100.0, "height": 100.0, "fonts": [["F", 400, 0]]}
    assert wire.page(good, 1).number == 1
    with pytest.raises(PaperError):
        wire.page({**good, **change}, 1)
