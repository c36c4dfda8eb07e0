"""A paper as Markdown, found again by section, and stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentsys.core.errors import PaperError
from agentsys.paper import cited_floats, excerpt, find_section, load_paper, summary_rows, to_markdown, write_paper
from agentsys.paper.model import Algorithm, Equation, Figure, Paper, Paragraph, Section, Table
from agentsys.paper.query import letters, stands_in
from agentsys.paper.render import MOST_WORDS, figure_words, one_by_one
from agentsys.plan.prompt_text import paper_part

PAPER = Paper(
    source="p.pdf",
    sha256="0",
    format="pdf",
    parser="t",
    title="Title",
    abstract="Short.",
    sections=(
        Section(id="abstract", title="Abstract", kind="abstract", blocks=(Paragraph(id="b0", text="Short."),)),
        Section(id="s1", number="1", title="Introduction", blocks=(Paragraph(id="b1", text="Hello."),)),
        Section(id="s3", number="3", title="Method", blocks=()),
        Section(
            id="s3.2",
            number="3.2",
            title="Scaled Attention",
            level=2,
            parent="s3",
            blocks=(
                Equation(id="b2", text="y = x (1)", number="1"),
                Table(id="b3", caption="Table 1: T", rows=(("a|b", "c"), ("1",))),
            ),
        ),
        Section(id="references", title="References", kind="references", blocks=(Paragraph(id="b4", text="[1] X."),)),
        Section(id="sA", number="A", title="Proofs", kind="appendix"),
    ),
)


def test_everything_but_the_references_and_one_line_on_what_is_left_out() -> None:
    text = to_markdown(PAPER)
    assert text.startswith("# Title\n")
    assert "### 3.2 Scaled Attention" in text and "    y = x    (1)" in text
    assert "| a\\|b | c |\n| --- | --- |\n| 1 |  |" in text
    assert "[1] X." not in text
    assert text.endswith("available: `references` References\n")


def test_a_section_brings_the_sections_below_it() -> None:
    text = to_markdown(PAPER, ["s3"])
    assert "## 3 Method" in text and "### 3.2 Scaled Attention" in text
    assert "Hello." not in text and "`s1` Introduction" in text.splitlines()[-1]


def test_who_cannot_ask_for_more_is_not_told_of_it() -> None:
    assert "available:" not in to_markdown(PAPER, ["s3"], left_out=False)
    assert "available:" not in to_markdown(PAPER, left_out=False)


CITING = PAPER.model_copy(
    update={
        "sections": (
            Section(id="s1", number="1", title="Introduction", blocks=(Paragraph(id="b1", text="No floats here."),)),
            Section(id="s2", number="2", title="Setup", blocks=()),
            Section(
                id="s2.1",
                parent="s2",
                title="Training",
                blocks=(
                    Paragraph(id="b2", text="Table 2 lists all settings, Figure 1 shows them, Algorithm 1 uses them."),
                    Table(id="b3", label="1", caption="Table 1: own", rows=(("own",),), citing=("b2",)),
                ),
            ),
            Section(
                id="sA",
                title="More",
                kind="appendix",
                blocks=(
                    Table(id="b4", label="2", caption="Table 2: settings", rows=(("rate", "0.1"),), citing=("b2",)),
                    Table(id="b5", label="3", caption="Table 3: other", rows=(("x", "y"),), citing=("b9",)),
                    Figure(id="b6", label="1", caption="Figure 1: parts", image="figures/b6.png", citing=("b2",)),
                    Algorithm(id="b7", label="1", caption="Algorithm 1: steps", text="go"),
                    Algorithm(id="b8", label="11", caption="Algorithm 11: none", text="stop"),
                    Paragraph(id="b9", text="Table 3 is for later."),
                ),
            ),
        )
    }
)


def test_floats_that_sections_speak_of_can_come_with_them() -> None:
    assert cited_floats(CITING, ["s2"]) == {"b4", "b6", "b7"}
    assert cited_floats(CITING, ["s1"]) == set() and cited_floats(CITING, ["s2", "sA"]) == set()
    text = to_markdown(CITING, ["s2"], left_out=False, floats=True)
    assert "| rate | 0.1 |" in text and text.count("Table 1: own") == 1
    assert "> Figure 1: parts" in text and "b6.png" not in text and "Algorithm 1: steps" in text
    assert "Table 3: other" not in text and "Algorithm 11" not in text
    assert "settings" not in to_markdown(CITING, ["s2"], left_out=False).replace("lists all settings", "")
    assert "Cited above" not in to_markdown(CITING, ["s1"], floats=True)


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("s3.2", "s3.2"),
        ("3.2", "s3.2"),
        ("Section 3.2", "s3.2"),
        ("§3.2.", "s3.2"),
        ("3.2 Scaled Attention", "s3.2"),
        ("scaled attention", "s3.2"),
        ("attention", "s3.2"),
        ("Appendix A", "sA"),
        ("a", "sA"),
        ("Nowhere", None),
        ("", None),
    ],
)
def test_a_section_is_found_by_id_number_or_title(ref: str, found: str | None) -> None:
    section = find_section(PAPER, ref)
    assert (section.id if section else None) == found


def test_an_excerpt_has_title_abstract_headings_and_introduction_and_keeps_its_length() -> None:
    text = excerpt(PAPER, 1000)
    assert all(part in text for part in ("Title", "Short.", "3.2 Scaled Attention", "Hello."))
    assert len(excerpt(PAPER, 20)) == 20


def test_a_paper_is_stored_and_loaded_whole(tmp_path: Path) -> None:
    write_paper(PAPER, tmp_path)
    assert load_paper(tmp_path) == PAPER
    assert (tmp_path / "paper.md").read_text() == to_markdown(PAPER)
    (tmp_path / "paper.json").write_text("{}")
    with pytest.raises(PaperError, match="does not hold a paper"):
        load_paper(tmp_path)
    with pytest.raises(PaperError, match="there is no"):
        load_paper(tmp_path / "none")


def test_the_summary_counts() -> None:
    rows = dict(summary_rows(PAPER))
    assert (rows["sections"], rows["equations"], rows["tables"]) == ("6", "1 (1 numbered)", "1")


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        (r"$D_n = \max_i \max\left( \frac{i}{n} - x_i, x_i-(i-1)/n \right)$", True),
        (r"$D_n = \max_i \max(i/n - x_i, x_i - (i-2)/n)$", False),
        (r"the star discrepancy is $D_n = \mathrm{whatever}$", True),
        ("...", False),
    ],
)
def test_a_formula_is_found_however_it_is_set_and_only_where_it_stands(quote: str, stands: bool) -> None:
    source = letters(r"For sorted points the star discrepancy is $D_n=\max_i\max(i/n-x_i,\,x_i-(i-1)/n)$ (1).")
    assert stands_in(quote, source) is stands


HEAD: dict[str, Any] = {"format": "markdown", "parser": "test", "source": "p.md", "sha256": "0" * 64, "title": "T"}
NOTES = ("Proceedings of a conference.", "1 We leave this for later.", "2We used a network from the end of training.")
NOTED = Paper(
    **HEAD,
    sections=(
        Section(id="s1", number="1", title="A", blocks=(Paragraph(id="b1", text="Table 2 shows 1200 units^{2}."),)),
        Section(id="s2", number="2", title="B", blocks=(Paragraph(id="b2", text="The loss is x^{1} + y^{2}."),)),
    ),
    footnotes=NOTES,
)


def test_footnotes_are_shown_with_chosen_sections_where_they_are_asked_for() -> None:
    assert NOTES[2] in to_markdown(NOTED, ["s1"], notes=True) and NOTES[2] not in to_markdown(NOTED, ["s1"])
    assert all(note in paper_part(NOTED).text for note in NOTES), "the planner decides, and footnotes do"


def test_a_section_brings_the_footnote_that_a_word_of_it_is_marked_with_and_no_power() -> None:
    assert one_by_one(NOTED, ["s1"])["footnote 2"] == f"Footnote: {NOTES[2]}"
    assert not [name for name in one_by_one(NOTED, ["s2"]) if name.startswith("footnote")]


CURVES = "5 10 15\nTurn\n5 10 15\nTurn\nx\nx x\nGain (bits)"
LATE = Paper(
    **HEAD,
    sections=(
        Section(id="s1", number="1", title="A", blocks=(Paragraph(id="b1", text="Figure 7 shows the lost games."),)),
        Section(
            id="refs",
            kind="references",
            title="References",
            blocks=(
                Paragraph(id="b2", text="A. Author. A paper. 2001."),
                Figure(id="b3", label="7", caption="Figure 7: Lost games.", text=CURVES, image="figures/b3.png"),
            ),
        ),
    ),
)


def test_the_words_inside_a_figure_stand_once_with_its_caption() -> None:
    assert "> Figure 7: Lost games.\n> (In the figure: 5 10 15 | Turn | x x | Gain (bits))" in paper_part(LATE).text


def test_a_figure_behind_the_bibliography_is_shown_and_the_bibliography_is_not() -> None:
    text = paper_part(LATE).text
    assert "Figure 7: Lost games." in text and "A. Author" not in text and "b3.png" not in text


def test_what_is_shown_of_a_figure_behind_the_bibliography_stands_in_the_whole_paper_too() -> None:
    whole = to_markdown(LATE)
    assert stands_in("Figure 7: Lost games.", letters(whole), 5) and "Gain (bits)" in whole and "A. Author" not in whole


def test_of_a_figure_full_of_words_no_more_is_shown_than_is_of_use() -> None:
    figure = Figure(id="b1", label="1", caption="c", text="\n".join(f"tick {number}" for number in range(400)))
    assert 0 < len(figure_words(figure)) < 2 * MOST_WORDS
