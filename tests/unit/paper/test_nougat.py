"""nougat: pages are judged one by one, and nothing but its display equations replaces the text layer.

The tests with torch make their own checkpoints of a few kilobytes: one that writes a given text, one that never ends.
The code that loads, generates and cleans up is the real one.
"""

from __future__ import annotations

import importlib.util
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentsys.errors import PaperError
from agentsys.paper import ReadOptions, read_paper
from agentsys.paper.nougat import PageReading, find_model, judge, read_pages
from agentsys.paper.nougat_merge import merge
from unit.paper.conftest import LINES, prose, text_at
from unit.paper.scripted_nougat import make_checkpoint

Write = Callable[..., Path]
HAVE_TORCH = importlib.util.find_spec("torch") is not None and importlib.util.find_spec("transformers") is not None
needs_torch = pytest.mark.skipif(not HAVE_TORCH, reason="torch and transformers are not installed (agentsys[nougat])")
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
