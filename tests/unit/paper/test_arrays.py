"""Matrices and cases keep their rows and cells, and what stands between tall brackets stays with its formula."""

from __future__ import annotations

import pytest

from agentsys.paper.pdf.lines import page_lines
from agentsys.paper.pdf.mathfonts import Decoder, Repair
from agentsys.paper.pdf.mathitems import Item
from agentsys.paper.pdf.mathlayout import linear
from agentsys.paper.pdf.trust import well_formed
from agentsys.paper.pdf.wire import RawPage


def _glyph(text: str, x: float, base: float, size: float = 10.0) -> Item:
    return Item(text, x, base - 0.7 * size, x + 0.5 * size * len(text), base, base, size)


def _tall(text: str, x: float, top: float, bottom: float) -> Item:
    return Item(text, x, top, x + 5, bottom, top, 10, floating=True)


def test_a_matrix_has_rows_and_cells() -> None:
    items = [
        _glyph("A=", 0, 115),
        _tall("(", 12, 95, 130),
        *(_glyph(text, x, y) for text, x, y in (("a", 20, 105), ("b", 45, 105), ("cd", 20, 125), ("e", 45, 125))),
        _tall(")", 52, 95, 130),
        _glyph("T", 58, 100, 7),
    ]
    assert linear(items, []) == "A=( a & b \\\\ cd & e )^{T}"


def test_cases_have_no_closing_brace_and_may_hold_fractions() -> None:
    items = [
        _glyph("f=", 0, 115),
        _tall("{", 12, 90, 135),
        _glyph("x", 20, 97),
        _glyph("y", 20, 110),
        _glyph(",", 26, 103),
        _glyph("x>0", 50, 103),
        _glyph("0,", 20, 130),
        _glyph("otherwise", 50, 130),
    ]
    text = linear(items, [(19.0, 99.5, 26.0, 100.0)])
    assert text == "f={ \\frac{x}{y}, & x>0 \\\\ 0, & otherwise"
    assert well_formed(text)


def test_brackets_around_a_fraction_hold_no_matrix() -> None:
    brackets = [_tall("(", 0, 90, 120), _tall(")", 15, 90, 120)]
    items = [_glyph("c", -8, 107), *brackets, _glyph("a", 8, 101), _glyph("b", 8, 116)]
    assert linear(items, [(7.0, 104.0, 14.0, 104.4)]) == "c ( \\frac{a}{b})"


def test_a_rule_between_the_rows_of_a_matrix_is_no_bar_of_a_fraction() -> None:
    places = [
        (text, x, y) for y, row in ((100, "ab"), (115, "cd"), (130, "ef")) for text, x in zip(row, (8, 30), strict=True)
    ]
    items = [_tall("[", 0, 90, 133), *(_glyph(*place) for place in places), _tall("]", 38, 90, 133)]
    assert linear(items, [(7.0, 103.0, 36.0, 103.4)]) == "[ a & b \\\\ c & d \\\\ e & f ]"


def test_three_periods_above_each_other_are_the_dots_of_a_matrix() -> None:
    dots = [_glyph(".", 8, 111 + 4 * number) for number in range(3)]
    items = [_tall("(", 0, 90, 140), _glyph("a", 8, 101), *dots, _glyph("z", 8, 136), _tall(")", 15, 90, 140)]
    assert linear(items, []) == "( a \\\\ ⋮ \\\\ z )"


@pytest.mark.parametrize("text", ["= ⋮ b", "x ⋱ y", "."])
def test_rows_that_were_not_put_together_are_doubted(text: str) -> None:
    assert not well_formed(text)


def _page(*spans: tuple[str, float, float]) -> RawPage:
    rows = [(0, 0, [(text, 0, 10.0, 10.0, top, 15.0, bottom, top, 0)]) for text, top, bottom in spans]
    return RawPage.model_validate(
        {"kind": "page", "number": 1, "width": 600, "height": 800, "fonts": [("CMEX10", 400, 4)], "lines": rows}
    )


@pytest.mark.parametrize(
    ("codes", "shown"),
    [
        ("\uf8eb\uf8ec\uf8ed", "("),
        ("\uf8f9\uf8fa\uf8fb", "]"),
        ("\uf8f1\uf8f2\uf8f3", "{"),
        ("0B@", "("),
        ("\ue00c\ue00c", "|"),
    ],
)
def test_parts_of_a_tall_bracket_are_one_as_high_as_all(codes: str, shown: str) -> None:
    page = _page(*((code, 100.0 + 18 * place, 118.4 + 18 * place) for place, code in enumerate(codes)))
    (line,) = page_lines(page, Decoder([page]), Repair())
    (span,) = line.spans
    assert (span.text, span.y0, span.y1) == (shown, 100.0, 118.4 + 18 * (len(codes) - 1))
