"""nougat: pages are judged one by one, and nothing but its display equations replaces the text layer.

The tests with torch make their own checkpoints of a few kilobytes: one that writes a given text, one that never ends.
The code that loads, generates and cleans up is the real one. The package nougat-ocr has an environment of its own:

    AGENTSYS_NOUGAT_PYTHON=~/nougat-env/bin/python pytest -m slow tests/unit/paper/test_nougat.py
"""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.errors import PaperError
from agentsys.paper import ReadOptions, nougat, read_paper
from agentsys.paper.nougat import PageReading, find_model, judge, read_pages
from agentsys.paper.nougat_merge import merge
from unit.paper.conftest import LINES, prose, text_at
from unit.paper.scripted_nougat import make_checkpoint

Write = Callable[..., Path]
HAVE_TORCH = importlib.util.find_spec("torch") is not None and importlib.util.find_spec("transformers") is not None
needs_torch = pytest.mark.skipif(not HAVE_TORCH, reason="torch and transformers are not installed (agentsys[nougat])")
OTHER_PYTHON = os.environ.get("AGENTSYS_NOUGAT_PYTHON", "")
"""Interpreter of an environment with nougat-ocr, as docs/reading.md makes it; looked at before tests change it."""
needs_nougat_ocr = pytest.mark.skipif(
    not OTHER_PYTHON, reason="`AGENTSYS_NOUGAT_PYTHON` names no environment with nougat-ocr (docs/reading.md)"
)
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
    return PageReading.model_validate({"page": 1, "markdown": markdown, "probability": 0.9, **parts})


@pytest.mark.parametrize(
    ("page", "words", "why"),
    [
        (reading(WORDS), WORDS, ""),
        (reading(WORDS, cut=True), WORDS, "cut off"),
        (reading(""), WORDS, "empty"),
        (reading("[MISSING_PAGE_FAIL:1]"), WORDS, "empty"),
        (reading(WORDS + " and so on and on" * 200), WORDS, "repeats"),
        (reading(WORDS, probability=0.2), WORDS, "not sure"),
        (reading("Something else entirely was written here by the model."), WORDS, "holds"),
        (reading("A scan has no text layer to compare with."), "", ""),
    ],
)
def test_a_page_is_accepted_only_if_nothing_speaks_against_it(page: PageReading, words: str, why: str) -> None:
    verdict = judge(page, words)
    assert verdict.accepted == (not why)
    assert why in verdict.reason


def test_only_display_equations_are_taken(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([PAGE]))
    answer = reading(f"# 1 Introduction\n\nOther prose.\n\n\\[E=mc^{{2}} \\tag{{1}}\\]\n\n{WORDS}")
    merged = merge(paper, {1: answer})
    (equation,) = merged.equations
    assert (equation.latex, equation.source, equation.text) == ("E=mc^{2}", "nougat", paper.equations[0].text)
    before = [block.text for block in paper.blocks() if block.type == "paragraph"]
    assert [block.text for block in merged.blocks() if block.type == "paragraph"] == before


def test_an_equation_that_fits_none_stays(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([PAGE]))
    (equation,) = merge(paper, {1: reading("\\[\\sum_{i} w_{i} \\log q_{i} \\tag{7}\\]")}).equations
    assert equation.latex is None and equation.source == "text-layer"


def test_without_a_model_the_message_says_how_to_get_one(
    write_pdf: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENTSYS_NOUGAT_MODEL", raising=False)
    with pytest.raises(PaperError, match="needs a model") as caught:
        read_paper(write_pdf([PAGE]), ReadOptions(reader="nougat"))
    assert caught.value.exit_code == 3 and "CC-BY-NC" in caught.value.hint
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(PaperError, match="kind `bert`"):
        find_model(tmp_path)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 1", "stopped"),
        ("echo nonsense", "not understood"),
        ('echo \'{"kind": "error", "reason": "missing", "name": "torch"}\'', "needs `torch`"),
        (
            'echo \'{"kind": "error", "reason": "broken", "name": "RuntimeError: no nms"}\'',
            "does not load: RuntimeError",
        ),
        ('echo \'{"kind": "ready"}\'; read line; echo \'{"page": 9, "markdown": "x"}\'', "another page"),
        ('echo \'{"kind": "ready"}\'; read line; echo \'{"page": 1}\'', "not understood"),
        ('echo \'{"kind": "ready"}\'; exit 0', "stopped"),
    ],
)
def test_a_worker_that_misbehaves_is_an_expected_failure(
    script: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setenv("AGENTSYS_NOUGAT_PYTHON", str(program))
    with pytest.raises(PaperError, match=says) as caught:
        read_pages({1: b"png"}, tmp_path, None)
    assert caught.value.exit_code == 3


@needs_torch
def test_a_checkpoint_of_the_library_is_loaded_and_its_equations_used(write_pdf: Write, tmp_path: Path) -> None:
    model = make_checkpoint(tmp_path / "model", f"{WORDS}\n\n\\[E=mc^{{2}} \\tag{{1}}\\]")
    seen: list[tuple[int, int]] = []
    options = ReadOptions(
        reader="nougat",
        nougat_model=model,
        cache=tmp_path / "cache",
        progress=lambda done, total: seen.append((done, total)),
    )
    path = write_pdf([PAGE])
    paper = read_paper(path, options)
    (equation,) = paper.equations
    assert (equation.number, equation.latex, equation.source) == ("1", "E=mc^{2}", "nougat")
    assert seen == [(1, 1)]
    assert paper.pages[0].source == "nougat" and "1 of 1 pages" in paper.parser


@needs_torch
def test_pages_that_were_read_are_not_read_again(
    write_pdf: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_checkpoint(tmp_path / "model", f"{WORDS}\n\n\\[E=mc^{{2}} \\tag{{1}}\\]")
    options = ReadOptions(reader="nougat", nougat_model=model, cache=tmp_path / "cache")
    path = write_pdf([PAGE])
    first = read_paper(path, options)
    monkeypatch.setenv("AGENTSYS_NOUGAT_PYTHON", "/bin/false")
    assert read_paper(path, options).equations == first.equations


@needs_torch
def test_a_model_in_a_loop_is_not_believed(write_pdf: Write, tmp_path: Path) -> None:
    model = make_checkpoint(tmp_path / "model", "again and ", loops=True)
    paper = read_paper(write_pdf([PAGE]), ReadOptions(reader="nougat", nougat_model=model, cache=tmp_path / "cache"))
    (equation,) = paper.equations
    assert equation.source == "text-layer" and equation.latex is None
    assert any("cut off at the longest answer" in warning for warning in paper.warnings)


def own_checkpoint(folder: Path, text: str, *more: str) -> Path:
    """Make a checkpoint of nougat-ocr in its own environment."""
    subprocess.run([OTHER_PYTHON, "-I", str(SCRIPT), str(folder), text, *more], check=True, capture_output=True)
    return folder


@pytest.mark.slow
@needs_nougat_ocr
def test_a_checkpoint_of_nougat_ocr_is_read_in_its_own_environment(write_pdf: Write, tmp_path: Path) -> None:
    model = own_checkpoint(tmp_path / "model", f"{WORDS}\n\n\\[E=mc^{{2}} \\tag{{1}}\\]")
    paper = read_paper(write_pdf([PAGE]), ReadOptions(reader="nougat", nougat_model=model, cache=tmp_path / "cache"))
    assert [(item.number, item.latex, item.source) for item in paper.equations] == [("1", "E=mc^{2}", "nougat")]
    assert "1 of 1 pages" in paper.parser


@pytest.mark.slow
@needs_nougat_ocr
def test_nougat_ocr_in_a_loop_is_not_believed(write_pdf: Write, tmp_path: Path) -> None:
    model = own_checkpoint(tmp_path / "model", "again and ", "loops")
    paper = read_paper(write_pdf([PAGE]), ReadOptions(reader="nougat", nougat_model=model, cache=tmp_path / "cache"))
    assert [item.source for item in paper.equations] == ["text-layer"]
    assert any("not taken from nougat: cut off" in warning for warning in paper.warnings)


@pytest.mark.parametrize(
    "attempt", ["socket.getaddrinfo('localhost', 80)", "socket.create_connection(('127.0.0.1', 1))"]
)
def test_the_libraries_in_the_worker_reach_no_address(attempt: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "nougat"}')
    (tmp_path / "nougat.py").write_text(f"import socket\n{attempt}\n")
    worker = Path(nougat.__file__).with_name("nougat_worker.py")
    program = (
        f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['worker', {str(tmp_path)!r}]; "
        f"runpy.run_path({str(worker)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], input=b"", capture_output=True, check=True)
    assert json.loads(done.stdout) == {"kind": "error", "reason": "broken", "name": "OSError: the network is not used"}


@pytest.mark.slow
@needs_nougat_ocr
def test_weights_that_do_not_fit_are_an_expected_failure(tmp_path: Path) -> None:
    model = own_checkpoint(tmp_path / "model", "Some words.")
    (model / "pytorch_model.bin").write_bytes(b"no weights")
    with pytest.raises(PaperError, match="nougat does not load") as caught:
        read_pages({1: b"png"}, model, None)
    assert "nougat-ocr==0.1.17" in caught.value.hint


def test_a_broken_page_in_the_cache_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    answer = json.dumps({"page": 1, "markdown": "x", "probability": 1.0})
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{{\"kind\": \"ready\"}}'; read line; echo '{answer}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("AGENTSYS_NOUGAT_PYTHON", str(program))
    cache = tmp_path / "cache"
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    assert read_pages({1: b"png"}, model, cache)[1].markdown == "x"
    (file,) = cache.iterdir()
    file.write_text("{broken")
    assert read_pages({1: b"png"}, model, cache)[1].markdown == "x"
