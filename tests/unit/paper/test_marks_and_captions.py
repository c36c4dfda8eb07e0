"""Overlines, glyphs of macOS's PDFs, notes at the foot of a page, and whose table stands between two captions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentsys.paper import read_paper
from agentsys.paper.pdf.fonts import Span, make_font
from agentsys.paper.pdf.glyphs import Char, Style, join_ligature
from agentsys.paper.pdf.lines import Line, mark_overlines
from agentsys.paper.pdf.mathfonts import Decoder, Repair
from unit.paper.conftest import LINES, Write, prose, text_at

MATH = make_font("CMMI10", 400, 0)
BASE = Span("k", MATH, 10.0, 100.0, 93.0, 105.0, 100.0, 100.0, False)
POWER = Span("r", MATH, 7.0, 106.0, 93.0, 109.4, 96.0, 96.0, False)
RULE = (105.3, 91.4, 110.1, 92.2)


# -- overlines ---------------------------------------------------------------------------------------------------------


def test_a_rule_close_above_a_power_is_an_overline_and_no_bar_of_a_fraction() -> None:
    spans = [replace(BASE), replace(POWER)]
    assert mark_overlines(spans, [RULE]) == []
    assert Line(1, spans).text == "k^{\\overline{r}}"
    assert Line(1, spans).plain == "kr"  # a command is no word


def test_one_overline_covers_all_spans_under_it() -> None:
    more = [replace(POWER, text="+", x0=109.8, x1=114.0), replace(POWER, text="1", x0=114.4, x1=117.5)]
    spans = [replace(BASE), replace(POWER), *more]
    mark_overlines(spans, [(105.3, 91.4, 118.2, 92.2)])
    assert Line(1, spans).text == "k^{\\overline{r+1}}"


@pytest.mark.parametrize(
    ("others", "rule"),
    [
        ([replace(POWER, text="1", y0=87.0, y1=90.8, base=90.8)], RULE),  # a numerator above
        ([replace(BASE, text="√", x0=97.0, x1=105.3, y0=91.4, y1=101.0)], RULE),  # the bar of a root
        ([], (105.3, 91.4, 125.0, 92.2)),  # wider than what is under it
        ([], (105.3, 88.0, 110.1, 88.8)),  # too far above
        ([], (105.3, 96.5, 110.1, 97.3)),  # an underline
    ],
)
def test_other_rules_stay_what_they_are(others: list[Span], rule: tuple[float, float, float, float]) -> None:
    spans = [replace(BASE), replace(POWER), *(replace(span) for span in others)]
    assert mark_overlines(spans, [rule]) == [rule]
    assert not any(span.opens for span in spans)


# -- glyphs whose meaning the file lost --------------------------------------------------------------------------------


@pytest.mark.parametrize(("wide", "high", "letter"), [(5.49, 6.8, "Γ"), (6.83, 6.8, "Π"), (6.1, 6.8, "\ufffd")])
def test_upright_greek_capitals_are_told_by_their_ink(wide: float, high: float, letter: str) -> None:
    repair = Repair()
    span = ["\ufffd", 0, 10.0, 0.0, 100.0 - high, wide, 100.0, 100.0, 0]
    assert Decoder([]).decode("AAAAAB+LMRoman10-Regular", span, repair) == letter  # type: ignore[arg-type]
    assert (repair.repaired, repair.lost) == ((0, 1) if letter == "\ufffd" else (1, 0))


def test_two_letters_in_one_box_of_a_mathematical_font_are_one_glyph() -> None:
    style = Style("LMMathItalic10-Regular", 10.0, 0, 400, 0, raw_codes=True)
    first, second = (Char(letter, 1.0, 0.0, 5.0, 7.0, 5.0, style, "g") for letter in "fl")
    assert join_ligature(first, second) == "ﬂ"
    assert join_ligature(first, replace(second, x0=5.0, x1=8.0)) == ""  # f times l
    words = replace(style, raw_codes=False)
    assert join_ligature(replace(first, style=words), replace(second, style=words)) == ""


# -- notes -------------------------------------------------------------------------------------------------------------


def test_a_note_whose_mark_is_far_above_its_words_is_a_footnote(write_pdf: Write) -> None:
    note = text_at(108, 124.2, "3", 5.5) + text_at(
        112, 120, "In all cases the size of the filter is four times larger.", 8
    )
    page = text_at(100, 700, "1   Introduction", 12, "F2") + prose(100, 680, LINES * 6) + note
    paper = read_paper(write_pdf([page]))
    assert paper.footnotes == ("3 In all cases the size of the filter is four times larger.",)
    assert not any("In all cases" in block.text or block.text == "3" for block in paper.blocks())


def test_the_notice_of_a_first_page_is_read_from_top_to_bottom(write_pdf: Write) -> None:
    notice = text_at(100, 130, "Proceedings of a made-up conference on papers,", 8) + text_at(
        100, 120, "held nowhere at all. Copyright by its authors.", 8
    )
    page = text_at(100, 700, "1   Introduction", 12, "F2") + prose(100, 680, LINES * 6) + notice
    (note,) = read_paper(write_pdf([page])).footnotes
    assert note.startswith("Proceedings of") and note.endswith("by its authors.")


def test_a_note_that_goes_on_from_the_page_before_is_no_paragraph(write_pdf: Write) -> None:
    rest = text_at(100, 120, "former is often called an encoder, and the latter is called a decoder.", 8)
    pages = [text_at(100, 700, "1   Introduction", 12, "F2") + prose(100, 680, LINES * 8), prose(100, 700, LINES * 8)]
    loose = read_paper(write_pdf([pages[0], pages[1] + rest]))
    ruled = read_paper(write_pdf([pages[0], pages[1] + "0.4 w 100 131 m 160 131 l S " + rest]))
    assert loose.footnotes == () and len(ruled.footnotes) == 1
    assert not any("former is" in block.text for block in ruled.blocks())


# -- whose table -------------------------------------------------------------------------------------------------------


def ruled_table(top: float, rows: list[tuple[str, str]]) -> str:
    """Return a table with rules at its top and bottom, 120 points wide."""
    bottom = top - 14 * len(rows) - 6
    lines = "".join(f"100 {y} m 220 {y} l S " for y in (top, bottom))
    cells = "".join(
        text_at(105, top - 12 - 14 * number, name) + text_at(190, top - 12 - 14 * number, value)
        for number, (name, value) in enumerate(rows)
    )
    return "0.8 w " + lines + cells


def test_a_table_between_two_captions_goes_to_the_one_that_has_no_other(write_pdf: Write) -> None:
    page = (
        ruled_table(700, [("Name", "One"), ("alpha", "1.11"), ("beta", "1.22")])
        + text_at(100, 630, "Table 1: The first results.")
        + ruled_table(615, [("Name", "Two"), ("gamma", "2.11"), ("delta", "2.22")])
        + text_at(100, 545, "Table 2: The second results.")
        + prose(100, 500, LINES * 4)
    )
    opening = text_at(100, 700, "1   Introduction", 12, "F2") + prose(100, 680, LINES * 4)
    first, second = read_paper(write_pdf([opening, page])).tables
    assert ("alpha", "1.11") in first.rows and ("gamma", "2.11") in second.rows
