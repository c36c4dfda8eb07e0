"""A display keeps all that stands in it: units, numerators, the dots of a matrix; the words around it stay words."""

from __future__ import annotations

import pytest

from agentsys.paper.pdf import displays
from agentsys.paper.pdf.equations import Numbers, by_number
from agentsys.paper.pdf.fonts import Font, Span
from agentsys.paper.pdf.layout import Body, Page
from agentsys.paper.pdf.lines import Line
from agentsys.paper.pdf.wire import RawPage

ROMAN, ITALIC = Font("CMR10", False, False, False), Font("CMMI10", False, True, True)
BODY = Body(10, "CMR10", 12)
PROSE = "so that here are the words of a paragraph that is as wide as its column"


def _line(text: str, x: float, base: float, font: Font = ROMAN, *, high: float = 7, deep: float = 3) -> Line:
    width = 5.0 * len(text)
    return Line(1, [Span(text, font, 10, x, base - high, x + width, base + deep, base, False)])


def _shown(lines: list[Line], rules: list[tuple[float, float, float, float]] | None = None) -> list[bool]:
    raw = RawPage(kind="page", number=1, width=600, height=800, rules=rules or [])
    whole = [_line(PROSE, 100, base) for base in (60, 72, 84)]
    page = Page(1, 600, 800, [*whole, *lines], raw)
    return displays.find({1: page}, [*whole, *lines], BODY, Numbers())[3:]


def test_a_unit_at_the_height_of_a_display_belongs_to_it() -> None:
    formula = _line("v=ab", 150, 120, ITALIC, high=15, deep=10)
    assert _shown([formula, _line("kpc", 175, 118), _line(PROSE, 100, 150)]) == [True, True, False]


def test_a_short_line_of_words_below_a_display_stays_in_its_sentence() -> None:
    assert _shown([_line("v=ab", 150, 120, ITALIC), _line("kpc", 175, 140)]) == [True, False]


@pytest.mark.parametrize(("rules", "inside"), [([(180.0, 115.0, 245.0, 115.5)], True), ([], False)])
def test_a_numerator_without_a_relation_belongs_to_the_display_of_its_bar(
    rules: list[tuple[float, float, float, float]], inside: bool
) -> None:
    spans = [
        Span("exp(12345)(12345)", ROMAN, 10, 180, 104, 200, 114, 111, False),
        Span("kabcdefghi", ITALIC, 10, 200, 104, 225, 114, 111, False),
        Span("ref)", ROMAN, 10, 225, 104, 245, 114, 111, False),
    ]
    found = _shown([_line("v=ab", 150, 120, ITALIC), Line(1, spans), _line("α", 210, 125, ITALIC)], rules)
    assert found == [True, inside, True]


@pytest.mark.parametrize(("x", "joined"), [(100, False), (200, True)])
def test_where_at_the_edge_of_a_column_goes_on_with_the_sentence(x: float, joined: bool) -> None:
    assert _shown([_line("v=ab", 150, 120, ITALIC), _line("where", x, 132)]) == [True, joined]


def test_rows_between_tall_brackets_go_to_the_number_of_these() -> None:
    numbers = Numbers()
    tall = _line("[", 150, 100, high=0, deep=80)
    last = _line("z", 160, 175, ITALIC)
    first, second = _line("(1)", 500, 140), _line("(2)", 500, 190)
    numbers.lines = {id(first): "1", id(second): "2"}
    assert by_number([tall, last, first, second], numbers) == [[tall, last, first], [second]]
