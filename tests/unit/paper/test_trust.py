"""What was not read for certain is named page by page; nothing visible is lost in silence."""

from __future__ import annotations

import pytest

from agentsys.paper import ReadOptions, read_paper, to_markdown
from agentsys.paper.model import Equation
from agentsys.paper.pdf import read
from agentsys.paper.pdf.assemble import assemble
from agentsys.paper.pdf.layout import Page
from agentsys.paper.pdf.lines import page_lines
from agentsys.paper.pdf.mathfonts import Decoder, Repair
from agentsys.paper.pdf.trust import well_formed, with_doubts
from agentsys.paper.query import trust_lines
from unit.paper.conftest import HEAD, LINES, Write, pdf_bytes, prose, text_at


def test_a_paper_that_was_read_whole_has_no_doubts(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([HEAD]))
    assert paper.trusted and all("may be no paper" in line for line in trust_lines(paper))


def test_rows_that_went_nowhere_are_counted_and_quoted() -> None:
    document, raws = read.collect(pdf_bytes([HEAD]), ReadOptions())
    decoder = Decoder(raws)
    pages = [Page(raw.number, raw.width, raw.height, page_lines(raw, decoder, Repair()), raw) for raw in raws]
    paper = assemble(document, raws, "paper.pdf", "")
    (section,) = (item for item in paper.sections if item.blocks)
    emptied = paper.model_copy(update={"sections": (section.model_copy(update={"blocks": ()}),)})
    (doubt,) = with_doubts(emptied, pages).pages[0].doubts
    assert doubt.startswith(f"{sum(len(line.split()) for line in LINES)} words were read and went nowhere")
    assert LINES[0][:40] in doubt


def test_lines_of_few_words_before_the_first_heading_are_text(write_pdf: Write) -> None:
    short = [
        "Abstract - As compared to other software", "this is written in lines of few words,", "each of which is",
        "still a part of the abstract, and so", "nothing of it may be lost.",
    ]  # fmt: skip
    title = text_at(100, 760, "A Model for the Market", 18, "F2") + text_at(150, 735, "Ann Author, A University", 10)
    page = title + prose(100, 700, short) + text_at(100, 600, "1   Introduction", 12, "F2") + prose(100, 580, LINES)
    paper = read_paper(write_pdf([page]))
    assert paper.authors == "Ann Author, A University"
    assert paper.abstract == " ".join(short).removeprefix("Abstract - ")


def test_a_page_of_short_lines_without_a_heading_is_text(write_pdf: Write) -> None:
    lines = text_at(100, 700, "A line of words", 14) + text_at(100, 600, "White box") + text_at(100, 500, "Scale trick")
    words = to_markdown(read_paper(write_pdf([lines])))
    assert "White box" in words and "Scale trick" in words


def test_a_number_without_its_equation_gets_a_picture_and_a_doubt(write_pdf: Write) -> None:
    hidden = "1 g " + text_at(250, 640, "L = a + b", 10, "F4") + "0 g " + text_at(403, 640, "(1)")
    path = write_pdf([HEAD + hidden + prose(100, 610, LINES)])
    paper = read_paper(path)
    (equation,) = paper.equations
    assert (equation.number, equation.text, equation.trusted) == ("1", "", False)
    assert equation.bbox is not None and equation.bbox[2] - equation.bbox[0] > 200
    assert "page 1: read as a picture only: equation (1)" in trust_lines(paper)


def test_what_a_long_replacement_stands_for_is_read_as_it_is_shown(write_pdf: Write) -> None:
    replaced = "/Span << /ActualText (a very long replacement of a short word, which nobody sees) >> BDC "
    paper = read_paper(write_pdf([HEAD + replaced + text_at(100, 300, "short word") + "EMC "]))
    assert "short word" in to_markdown(paper) and "nobody sees" not in to_markdown(paper)
    assert [found.reason for found in paper.audit.hidden_text] == ["more text than is shown"]


@pytest.mark.parametrize(("turn", "start"), [("0 1 -1 0", "100 100"), ("0 -1 1 0", "500 700")])
def test_a_sideways_page_is_turned(turn: str, start: str, write_pdf: Write) -> None:
    x, y = map(int, start.split())
    sign = 1 if turn.startswith("0 1") else -1
    rows = "".join(f"BT /F1 10 Tf {turn} {x + sign * 12 * n} {y} Tm ({line}) Tj ET " for n, line in enumerate(LINES))
    paper = read_paper(write_pdf([rows]))
    assert " ".join(LINES) in to_markdown(paper)
    assert (paper.pages[0].width, paper.pages[0].height) == (792, 612)


def test_a_page_limit_that_leaves_pages_out_is_said(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([HEAD] * 3), ReadOptions(max_pages=2))
    assert "only the first 2 of 3 pages were read" in paper.warnings


def test_a_number_for_which_no_equation_was_found_is_named(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([HEAD]))
    blocks = tuple(Equation(id=f"e{number}", page=1, text="a = b", number=number) for number in ("1", "2a", "2b", "4"))
    (section, *_) = paper.sections
    paper = paper.model_copy(update={"sections": (section.model_copy(update={"blocks": blocks}),), "pages": ()})
    assert [doubt for doubt in with_doubts(paper, []).doubts if "equation" in doubt] == [
        "no equation was found for the number 3"
    ]


BITMAPS = {
    # Two glyphs as boxes of a printer's dots, 41 high at 300 dots an inch.
    "High": "<< /Length 36 >> stream\n40 0 0 0 40 41 d1 0 0 36 41 re f    \nendstream",
    "Other": "<< /Length 36 >> stream\n40 0 0 0 40 41 d1 0 0 26 41 re f    \nendstream",
    "FontT": (
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 40 41] /FontMatrix [1 0 0 1 0 0] /FirstChar 65 /LastChar 66 "
        "/Widths [40 40] /Encoding << /Type /Encoding /Differences [65 /A /B] >> "
        "/CharProcs << /A {High} /B {Other} >> /Resources << >> >>"
    ),
}


def test_a_font_of_bitmaps_is_as_large_as_its_glyphs_and_not_hidden(write_pdf: Write) -> None:
    words = "BT /FontT 0.24 Tf 100 300 Td (ABBB ABBB BBBA) Tj ET "
    paper = read_paper(write_pdf([HEAD + words], extra=BITMAPS))
    assert "ABBB ABBB BBBA" in to_markdown(paper)
    assert not paper.audit.hidden_text


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("f(x) = [0, 1)", True),
        ("x = {0, otherwise", True),
        ("√{(a)}^{b}", True),
        ("R_{≥0}", True),
        ("(a + b", False),
        ("\\frac{m(p} C_{)}", False),
        ("q ∑_{∈Ω} w", False),
        ("\uf8f4 a", False),
    ],
)
def test_a_formula_that_cannot_be_right_is_noticed(text: str, whole: bool) -> None:
    assert well_formed(text) is whole
