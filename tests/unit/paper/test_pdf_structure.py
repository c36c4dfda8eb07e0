"""What is found on a page: headings, paragraphs, captions, equations, footnotes."""

from __future__ import annotations

from agentsys.paper import find_section, read_paper, to_markdown
from unit.paper.conftest import LINES, Write, prose, text_at


def paper_page() -> str:
    return (
        text_at(150, 700, "A Method for Everything", 17, "F2")
        + text_at(250, 670, "Ada Author", 10)
        + text_at(270, 640, "Abstract", 12, "F2")
        + prose(100, 620, LINES)
        + text_at(100, 540, "1   Introduction", 12, "F2")
        + prose(100, 520, LINES)
        + text_at(100, 440, "1.1   Related Work", 10, "F2")
        + prose(100, 420, [*LINES, "The step size is 0.1 and it was never chang-", "ed; see Table 1 for results."])
    )


def second_page() -> str:
    return (
        text_at(100, 700, "2   Method", 12, "F2")
        + prose(100, 680, LINES)
        + text_at(250, 600, "y = a + b")
        + text_at(403, 600, "(1)")
        + prose(100, 570, LINES)
        + text_at(100, 480, "Table 1: Accuracy of the two models.")
        + text_at(120, 460, "Model")
        + text_at(220, 460, "Accuracy")
        + text_at(320, 460, "Seconds")
        + text_at(120, 446, "ours")
        + text_at(220, 446, "91.5")
        + text_at(320, 446, "12")
        + text_at(120, 432, "baseline")
        + text_at(320, 432, "7")
        + prose(100, 390, LINES)
    )


def test_sections_have_numbers_titles_levels_and_parents(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([paper_page(), second_page()]))
    found = [
        (section.number, section.title, section.level, section.parent) for section in paper.sections if section.title
    ]
    assert found == [
        ("", "Abstract", 1, None),
        ("1", "Introduction", 1, None),
        ("1.1", "Related Work", 2, "s1"),
        ("2", "Method", 1, None),
    ]
    assert paper.title == "A Method for Everything"
    assert paper.authors == "Ada Author"
    assert paper.abstract.startswith("We study a method that is simple and that works")


def test_a_word_cut_at_a_line_end_is_joined(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([paper_page(), second_page()]))
    section = find_section(paper, "1.1")
    assert section is not None
    assert "it was never changed; see Table 1" in section.blocks[0].text


def test_table_cells_keep_their_columns_where_one_is_blank(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([paper_page(), second_page()]))
    (table,) = paper.tables
    assert (table.label, table.caption) == ("1", "Table 1: Accuracy of the two models.")
    assert table.rows == (("Model", "Accuracy", "Seconds"), ("ours", "91.5", "12"), ("baseline", "", "7"))


def test_an_equation_has_its_number_apart_from_its_text(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([paper_page(), second_page()]))
    (equation,) = paper.equations
    assert (equation.number, equation.text, equation.page) == ("1", "y = a + b", 2)


def test_every_block_of_a_pdf_has_page_and_box(write_pdf: Write) -> None:
    paper = read_paper(write_pdf([paper_page(), second_page()]))
    for block in paper.blocks():
        assert block.page in (1, 2)
        assert block.bbox is not None and block.bbox[0] < block.bbox[2] and block.bbox[1] < block.bbox[3]


def test_running_heads_and_page_numbers_are_left_out(write_pdf: Write) -> None:
    pages = [
        text_at(200, 760, "Proceedings of Something 2020")
        + (text_at(100, 700, f"{number}   Part", 12, "F2"))
        + prose(100, 660, LINES)
        + text_at(300, 40, str(number))
        for number in (1, 2, 3)
    ]
    words = " ".join(block.text for block in read_paper(write_pdf(pages)).blocks())
    assert "Proceedings of Something" not in words
    assert "We study a method" in words


def test_a_superscript_two_alone_on_a_line_is_no_line_number(write_pdf: Write) -> None:
    page = text_at(100, 700, "1   Introduction", 12, "F2") + prose(100, 680, LINES) + text_at(40, 600, "\xb2")
    assert "We study a method" in read_paper(write_pdf([page])).sections[0].blocks[0].text


def test_a_list_item_with_a_number_is_no_heading(write_pdf: Write) -> None:
    page = (
        text_at(100, 700, "1   Introduction", 12, "F2")
        + prose(100, 680, LINES)
        + prose(110, 610, ["2. Regarding the analysis, we do it in the way that everyone does it in the field"])
        + prose(100, 590, LINES)
    )
    titles = [section.title for section in read_paper(write_pdf([page])).sections]
    assert titles == ["Introduction"]


def test_points_within_a_numbered_list_leave_its_numbers(write_pdf: Write) -> None:
    items = ["1. The first claim.", "\x95 A point on it.", "\x95 Another point.", "2. The second claim."]
    page = text_at(100, 700, "1   Introduction", 12, "F2") + prose(100, 680, LINES)
    page += "".join(text_at(110 if "." in item[:2] else 124, 600 - 14 * row, item) for row, item in enumerate(items))
    shown = to_markdown(read_paper(write_pdf([page])))
    assert "1. The first claim." in shown
    assert "- Another point." in shown
    assert "2. The second claim." in shown
