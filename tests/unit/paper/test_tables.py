"""Tables that are more than a grid: upright heads, names of groups, and numbered equations as rows."""

from __future__ import annotations

from agentsys.paper import read_paper
from unit.paper.conftest import HEAD, LINES, Write, prose, text_at


def upright(x: float, y: float, words: str) -> str:
    return f"BT /F2 9 Tf 0 1 -1 0 {x} {y} Tm ({words}) Tj ET\n"


def table(top: float, rows: list[list[tuple[float, str]]]) -> str:
    rules = "".join(f"100 {y} 300 0.5 re f\n" for y in (top + 12, top - 12 * len(rows) + 6))
    return rules + "".join(text_at(x, top - 12 * line, words) for line, row in enumerate(rows) for x, words in row)


def test_heads_that_stand_upright_go_over_their_columns(write_pdf: Write) -> None:
    rows = [[(100, "Method"), (340, "Test")]]
    rows += [[(100, "plain"), (220, "400"), (280, "500"), (340, f"1.{number}")] for number in range(4)]
    page = (
        HEAD
        + text_at(100, 640, "Table 1: Errors of four runs of it.")
        + "100 628 300 0.5 re f\n"
        + upright(230, 560, "Units")
        + upright(290, 560, "Weights")
        + table(565, rows)
        + prose(100, 460, LINES)
    )
    (found,) = read_paper(write_pdf([page])).tables
    assert found.rows[:2] == (("Method", "Units", "Weights", "Test"), ("plain", "400", "500", "1.0"))


def test_the_name_of_a_group_of_rows_is_no_entry_of_the_second_column(write_pdf: Write) -> None:
    rows = [
        [(100, "System"), (220, "Dev"), (380, "Test")],
        [(222, "Published")],
        [(100, "first one"), (220, "80.1"), (380, "81.2")],
        [(100, "second one"), (220, "82.3"), (380, "83.4")],
    ]
    page = (
        HEAD
        + text_at(100, 640, "Table 1: Two systems that were published.")
        + table(610, rows)
        + prose(100, 500, LINES)
    )
    (found,) = read_paper(write_pdf([page])).tables
    assert found.rows[1] == ("Published", "", "")
    assert found.rows[2] == ("first one", "80.1", "81.2")


def test_numbered_equations_in_a_table_are_rows_of_it_and_whole(write_pdf: Write) -> None:
    page = (
        HEAD
        + "100 636 400 0.5 re f 100 560 400 0.5 re f\n"
        + text_at(100, 620, "Recursion") + text_at(250, 620, "a = b + c") + text_at(408, 620, "(1)")
        + text_at(100, 590, "Ratio") + text_at(250, 590, "d = ") + text_at(270, 596, "e + f", 9)
        + "269 592.5 22 0.4 re f\n" + text_at(276, 583, "g", 9) + text_at(408, 590, "(2)")
        + text_at(100, 540, "Table 1: Properties that hold for all of them.")
        + prose(100, 500, LINES)
    )  # fmt: skip
    paper = read_paper(write_pdf([page]))
    assert [(item.number, item.text) for item in paper.equations] == [("1", "a = b + c"), ("2", "d = \\frac{e + f}{g}")]
    (found,) = paper.tables
    assert found.rows == (("Recursion", "a = b + c", "(1)"), ("Ratio", "d = \\frac{e + f}{g}", "(2)"))
