"""Tables with drawn walls, references and running heads of other fields' papers, in small files made for it."""

from __future__ import annotations

from agentsys.paper import read_paper
from unit.paper.conftest import HEAD, LINES, Write, prose, text_at

COLUMNS, ROWS = (100, 160, 300, 420), (640, 600, 570, 540)
"""Where the walls of a table stand, in points from the left and from below."""


def walls(columns: tuple[int, ...] = COLUMNS, rows: tuple[int, ...] = ROWS) -> str:
    level = "".join(f"{columns[0]} {y} {columns[-1] - columns[0]} 0.5 re f " for y in rows)
    return level + "".join(f"{x} {rows[-1]} 0.5 {rows[0] - rows[-1]} re f " for x in columns)


TABLE = (
    text_at(100, 655, "Table 1: What the bins are")
    + walls()
    + text_at(105, 618, "No") + text_at(165, 618, "Name") + text_at(305, 618, "Meaning")
    + text_at(105, 585, "1") + text_at(165, 585, "Access")
    + text_at(305, 590, "how far it can be") + text_at(305, 578, "used by all")
    + text_at(105, 555, "2") + text_at(165, 560, "Backup and")
    + text_at(165, 548, "recovery") + text_at(305, 555, "copies")
)  # fmt: skip


def test_words_that_were_broken_inside_of_walls_are_one_cell(write_pdf: Write) -> None:
    (table,) = read_paper(write_pdf([HEAD + TABLE + prose(100, 500, LINES)])).tables
    assert table.rows == (
        ("No", "Name", "Meaning"),
        ("1", "Access", "how far it can be used by all"),
        ("2", "Backup and recovery", "copies"),
    )


def test_a_table_with_walls_and_no_caption_is_a_table(write_pdf: Write) -> None:
    bare = TABLE.replace(text_at(100, 655, "Table 1: What the bins are"), "")
    paper = read_paper(write_pdf([HEAD + bare + prose(100, 500, LINES)]))
    (table,) = paper.tables
    assert (table.caption, len(table.rows)) == ("", 3)
    assert not any("recovery" in block.text for block in paper.blocks() if block.type == "paragraph")


def test_entries_with_hanging_indents_are_told_apart(write_pdf: Write) -> None:
    entries = "".join(
        text_at(100, 600 - 36 * number, f"Author, A. and Other, B. 20{number:02} A first line of words on a thing")
        + text_at(112, 588 - 36 * number, f"that goes on in a second line, Journal {number}, 1-10.")
        for number in range(1, 6)
    )
    found = read_paper(write_pdf([HEAD + text_at(100, 610, "References", 12, "F2") + entries])).references
    assert [entry.raw[:24] for entry in found] == ["Author, A. and Other, B."] * 5
    assert all(entry.raw.endswith("1-10.") for entry in found)


def test_a_bibliography_without_a_heading_is_found(write_pdf: Write) -> None:
    entries = "".join(
        text_at(100, 600 - 14 * n, f"[{n}] A. Author, Journal of Things {n} (200{n}) 1.") for n in range(1, 5)
    )
    paper = read_paper(write_pdf([HEAD + entries]))
    assert [entry.key for entry in paper.references] == ["1", "2", "3", "4"]
    assert paper.sections[-1].kind == "references"


def test_running_heads_inside_of_a_wide_margin_are_no_headings(write_pdf: Write) -> None:
    pages = [
        text_at(100, 680, f"{number}   A Package for the Modeling of Things", 10, "F2") + prose(100, 640, LINES)
        for number in range(1, 6)
    ]
    paper = read_paper(write_pdf(pages))
    assert not any("Package" in section.title for section in paper.sections)


def test_an_address_behind_a_raised_number_is_no_heading(write_pdf: Write) -> None:
    title = text_at(100, 760, "Accelerations of the Universe", 18, "F2") + text_at(
        100, 735, "Ann Author, Ben Other", 10
    )
    places = "".join(
        text_at(100, 718 - 12 * n, str(n), 6) + text_at(105, 714 - 12 * n, f"School {n} of Physics, Melbourne", 9, "F4")
        for n in (1, 2)
    )
    body = text_at(100, 640, "1   Introduction", 12, "F2") + prose(100, 620, LINES)
    paper = read_paper(write_pdf([title + places + body]))
    assert [section.title for section in paper.sections if section.title] == ["Introduction"]
