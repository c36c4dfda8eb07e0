"""Type 3 fonts that were cut down: only the names of the glyphs say what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.paper import read_paper
from agentsys.paper.pdf.glyphnames import meaning
from unit.paper.conftest import LINES, pdf_bytes, prose

BAR = "<< /Length 40 >> stream\n500 0 0 0 400 700 d1 40 0 300 600 re f  \nendstream"
"""A glyph: what it looks like says nothing of what it means."""


def _type3(names: list[str]) -> str:
    """A font whose glyphs are numbered from 1 and have these names."""
    procs = " ".join(f"/{name} {{glyph}}" for name in names)
    listed = " ".join(f"/{name}" for name in names)
    widths = " ".join(["500"] * len(names))
    return (
        "<< /Type /Font /Subtype /Type3 /FontMatrix [0.001 0 0 0.001 0 0] /FontBBox [0 0 500 700] "
        f"/FirstChar 1 /LastChar {len(names)} /Widths [{widths}] /CharProcs << {procs} >> "
        f"/Encoding << /Type /Encoding /Differences [1 {listed}] >> >>"
    )


def _words(tmp_path: Path, shown: str, **fonts: list[str]) -> str:
    file = tmp_path / "paper.pdf"
    extra = {"glyph": BAR} | {name: _type3(names) for name, names in fonts.items()}
    file.write_bytes(pdf_bytes([prose(72, 700, LINES) + shown], extra))
    paper = read_paper(file)
    return "\n".join(block.text for block in paper.blocks())


def _coded(font: str, y: int, codes: list[int]) -> str:
    return f"BT /{font} 10 Tf 72 {y} Td <{''.join(f'{code:02x}' for code in codes)}> Tj ET\n"


def test_glyphs_are_read_by_their_names(tmp_path: Path) -> None:
    text = _words(tmp_path, _coded("FontA", 500, [2, 1, 4, 3]), FontA=["zero", "one", "a", "epsilon"])
    assert "10εa" in text


def test_the_numbers_in_use_tell_two_fonts_of_a_page_apart(tmp_path: Path) -> None:
    shown = _coded("FontA", 500, [1, 2, 3]) + _coded("FontB", 450, [1, 2, 3, 4])
    text = _words(tmp_path, shown, FontA=["five", "six", "seven"], FontB=["w", "o", "r", "d"])
    assert "567" in text
    assert "word" in text


def test_a_name_that_two_fonts_dispute_says_nothing(tmp_path: Path) -> None:
    shown = _coded("FontA", 500, [1, 2]) + _coded("FontB", 450, [1, 2])
    text = _words(tmp_path, shown, FontA=["five", "six"], FontB=["five", "nine"])
    assert "5\ufffd" in text
    assert "6" not in text
    assert "9" not in text


def test_a_font_whose_encoding_cannot_be_read_leaves_the_rest_of_the_page(tmp_path: Path) -> None:
    text = _words(tmp_path, _coded("FontA", 500, [1, 2, 3]), FontA=["one", "] 7 0 R [", "two"])
    assert LINES[0] in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [("one", "1"), ("A", "A"), ("minus", "−"), ("uni2208", "∈"), ("u1D465", "\U0001d465"), ("Omega", "Ω"), ("pi", "π")],
)
def test_names_of_the_glyph_list_are_known(name: str, shown: str) -> None:
    assert meaning(name) == shown


@pytest.mark.parametrize("name", ["a49", "g12", "uni00000013", "uniD800", "uniE001", "u110000", "", "withdasia", "é"])
def test_names_that_only_number_a_glyph_mean_nothing(name: str) -> None:
    assert meaning(name) == ""
