"""nougat: pages are judged one by one, and nothing but its display equations replaces the text layer.

Two tests make checkpoints that write a given text and read with the real package, here or in another environment:

    AGENTSYS_NOUGAT_PYTHON=~/nougat-env/bin/python pytest -m slow tests/unit/paper/test_nougat.py
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.errors import PaperError
from agentsys.paper import ReadOptions, nougat, read_paper
from agentsys.paper.merge import with_pages
from agentsys.paper.nougat import PageReading, find_model, read_pages, why_refused
from unit.paper.conftest import LINES, Write, prose, text_at

PYTHON = os.environ.get("AGENTSYS_NOUGAT_PYTHON") or (sys.executable if importlib.util.find_spec("nougat") else "")
"""Interpreter of an environment with nougat-ocr; looked at before tests change it."""
needs_nougat = pytest.mark.skipif(not PYTHON, reason="nougat-ocr is not installed (docs/reading.md)")
SCRIPT = Path(__file__).with_name("scripted_nougat_ocr.py")
WORDS = " ".join(LINES)
PAGE = (
    text_at(100, 700, "1   Introduction", 12, "F2")
    + prose(100, 680, LINES)
    + text_at(250, 600, "E = mc2")
    + text_at(403, 600, "(1)")
    + prose(100, 570, LINES)
)


def reading(markdown: str, **parts: Any) -> PageReading:
    return PageReading.model_validate({"page": 1, "markdown": markdown, **parts})


@pytest.mark.parametrize(
    ("page", "words", "why"),
    [
        (reading(WORDS), WORDS, ""),
        (reading(WORDS, cut=True), WORDS, "cut off"),
        (reading(""), WORDS, "empty"),
        (reading("[MISSING_PAGE_FAIL:1]"), WORDS, "empty"),
        (reading(WORDS + " and so on and on" * 200), WORDS, "repeats"),
        (reading("Something else entirely was written here by the model."), WORDS, "holds"),
        (reading("A scan has no text layer to compare with."), "", ""),
    ],
)
def test_a_page_is_accepted_only_if_nothing_speaks_against_it(page: PageReading, words: str, why: str) -> None:
    refused = why_refused(page, words)
    assert why in refused and bool(why) == bool(refused)


def test_only_display_equations_are_taken(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([PAGE]))
    answer = f"# 1 Introduction\n\nOther prose.\n\n\\[E=mc^{{2}} \\tag{{1}}\\]\n\n{WORDS}"
    merged = with_pages(paper, {1: answer})
    (equation,) = merged.equations
    assert (equation.latex, equation.source, equation.text) == ("E=mc^{2}", "nougat", paper.equations[0].text)
    before = [block.text for block in paper.blocks() if block.type == "paragraph"]
    assert [block.text for block in merged.blocks() if block.type == "paragraph"] == before


def test_an_equation_that_fits_none_stays(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([PAGE]))
    (equation,) = with_pages(paper, {1: "\\[\\sum_{i} w_{i} \\log q_{i} \\tag{7}\\]"}).equations
    assert equation.latex is None and equation.source == "text-layer"


def test_without_a_model_the_message_says_how_to_get_one(
    write_pdf: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTSYS_NOUGAT_MODEL", raising=False)
    with pytest.raises(PaperError, match="needs a model") as caught:
        read_paper(write_pdf([PAGE]), ReadOptions(reader="nougat"))
    assert caught.value.exit_code == 3 and "CC-BY-NC" in caught.value.hint
    (tmp_path / "config.json").write_text('{"model_type": "vision-encoder-decoder"}')
    with pytest.raises(PaperError, match="kind `vision-encoder-decoder`"):
        find_model(tmp_path)


def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a shell script in the place of the interpreter; return a folder for a model."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("AGENTSYS_NOUGAT_PYTHON", str(program))
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "nougat"}')
    return model


def says(**parts: object) -> str:
    """A shell command that prints a record."""
    return f"cat <<'X'\n{json.dumps(parts)}\nX\n"


def answer(page: int, markdown: str = "x") -> str:
    return says(kind="page", page=page, markdown=markdown)


END = says(kind="end")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 1", "stopped"),
        ("echo nonsense", "not understood"),
        (says(kind="error", reason="missing", name="nougat"), "needs `nougat`"),
        (says(kind="error", reason="broken", name="RuntimeError: no nms"), "does not load: RuntimeError"),
        (answer(9), "another page"),
        (answer(1) + answer(1), "another page"),
        (says(kind="page", page=1), "not understood"),
        (END, "left out"),
        (answer(1), "stopped"),
        ("sleep 60", "took too long"),
    ],
)
def test_a_worker_that_misbehaves_is_an_expected_failure(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = worker(tmp_path, monkeypatch, script)
    monkeypatch.setattr(nougat, "PAGE_SECONDS", 2.0)
    with pytest.raises(PaperError, match=message) as caught:
        read_pages({1: b"png"}, model, None)
    assert caught.value.exit_code == 3 and caught.value.hint


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = worker(tmp_path, monkeypatch, "")
    monkeypatch.setenv("AGENTSYS_NOUGAT_PYTHON", "/no/such/python")
    with pytest.raises(PaperError, match="names no program") as caught:
        read_pages({1: b"png"}, model, None)
    assert caught.value.exit_code == 3 and "agentsys[nougat]" in caught.value.hint


def test_pages_that_were_read_are_not_read_again_unless_their_record_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = worker(tmp_path, monkeypatch, f"echo run >> {tmp_path}/runs\n{answer(1)}{END}")
    cache = tmp_path / "cache"
    for runs in (1, 1):
        assert read_pages({1: b"png"}, model, cache)[1].markdown == "x"
        assert len((tmp_path / "runs").read_text().split()) == runs
    (record,) = cache.iterdir()
    record.write_text("{broken")
    assert read_pages({1: b"png"}, model, cache)[1].markdown == "x"
    assert len((tmp_path / "runs").read_text().split()) == 2


def test_what_the_worker_reads_is_put_into_the_paper_and_what_is_refused_is_named(
    write_pdf: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formula = "\\[E=mc^{2} \\tag{1}\\]"
    model = worker(tmp_path, monkeypatch, answer(1, f"{WORDS} {formula}") + answer(2, "[MISSING_PAGE_FAIL:2]") + END)
    seen: list[tuple[int, int]] = []
    options = ReadOptions(
        reader="nougat", nougat_model=model, cache=tmp_path / "cache", progress=lambda *done: seen.append(done)
    )
    paper = read_paper(write_pdf([PAGE, prose(100, 700, LINES)]), options)
    assert [(item.number, item.latex, item.source) for item in paper.equations] == [("1", "E=mc^{2}", "nougat")]
    assert [page.source for page in paper.pages] == ["nougat", "text-layer"] and "1 of 2 pages" in paper.parser
    assert paper.warnings == ("page 2: not taken from nougat: empty",) and seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    "attempt", ["socket.getaddrinfo('localhost', 80)", "socket.create_connection(('127.0.0.1', 1))"]
)
def test_the_libraries_in_the_worker_reach_no_address(attempt: str, tmp_path: Path) -> None:
    (tmp_path / "nougat.py").write_text(f"import socket\n{attempt}\n")
    program = Path(nougat.__file__).with_name("nougat_worker.py")
    code = (
        f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['worker', {str(tmp_path)!r}]; "
        f"runpy.run_path({str(program)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], input=b"", capture_output=True, check=True)
    assert json.loads(done.stdout) == {"kind": "error", "reason": "broken", "name": "OSError: the network is not used"}


def checkpoint(folder: Path, text: str, *more: str) -> Path:
    """Make a checkpoint in the environment of nougat-ocr."""
    subprocess.run([PYTHON, "-I", str(SCRIPT), str(folder), text, *more], check=True, capture_output=True)
    return folder


@pytest.mark.slow
@needs_nougat
def test_nougat_ocr_reads_a_page_and_weights_that_do_not_fit_are_an_expected_failure(
    write_pdf: Write, tmp_path: Path
) -> None:
    model = checkpoint(tmp_path / "model", f"{WORDS}\n\n\\[E=mc^{{2}} \\tag{{1}}\\]")
    options = ReadOptions(reader="nougat", nougat_model=model, cache=tmp_path / "cache")
    paper = read_paper(write_pdf([PAGE]), options)
    assert [(item.number, item.latex, item.source) for item in paper.equations] == [("1", "E=mc^{2}", "nougat")]
    (model / "pytorch_model.bin").write_bytes(b"no weights")
    with pytest.raises(PaperError, match="nougat does not load") as caught:
        read_pages({1: b"png"}, model, None)
    assert "nougat-ocr==0.1.17" in caught.value.hint


@pytest.mark.slow
@needs_nougat
def test_nougat_ocr_in_a_loop_is_not_believed(write_pdf: Write, tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "model", "again and ", "loops")
    paper = read_paper(write_pdf([PAGE]), ReadOptions(reader="nougat", nougat_model=model, cache=tmp_path / "cache"))
    assert [item.source for item in paper.equations] == ["text-layer"]
    assert any("not taken from nougat: cut off" in warning for warning in paper.warnings)
