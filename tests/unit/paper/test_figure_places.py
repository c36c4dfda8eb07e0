"""Where the picture of a figure is: beside a table, between other floats, and beside its own caption."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from agentsys.paper import read_paper, write_paper
from agentsys.paper.model import Paper
from unit.paper.conftest import HEAD, LINES, Write, prose, text_at


def box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f"q {colour} rg {x} {y} {width} {height} re f Q\n"


def ruled_table(x: float, top: float) -> str:
    rules = "".join(f"{x} {y} 110 0.5 re f\n" for y in (top, top - 14, top - 62))
    rows = [("Arm", "Mean"), ("(1, 0)", "0.80"), ("(0, 1)", "0.75"), ("(1, 1)", "0.60"), ("(0, 0)", "0.20")]
    cells = "".join(
        text_at(x + 5, top - 11 - 12 * row, left) + text_at(x + 70, top - 11 - 12 * row, right)
        for row, (left, right) in enumerate(rows)
    )
    return rules + cells


def colours(paper: Paper, folder: Path) -> dict[str, set[tuple[int, ...]]]:
    """Label of each figure -> the strong colours of its picture."""
    found: dict[str, set[tuple[int, ...]]] = {}
    for figure in paper.figures:
        assert figure.image, figure.caption
        with Image.open(folder / figure.image) as picture:
            counts = picture.convert("RGB").getcolors(1 << 24)
        assert counts is not None
        found[figure.label] = {colour for count, colour in counts if count > 500 and max(colour) - min(colour) > 150}  # type: ignore[misc,arg-type]
    return found


def test_a_figure_beside_a_table_and_one_below_both_keep_their_own_pictures(write_pdf: Write, tmp_path: Path) -> None:
    page = (
        HEAD
        + text_at(120, 640, "Table 1: A small dataset.")
        + ruled_table(120, 630)
        + box(340, 560, 150, 90, "1 0 0")
        + text_at(340, 545, "Figure 1: The first of two.")
        + box(110, 400, 160, 90, "0 0 1")
        + box(340, 400, 160, 90, "0 0 1")
        + text_at(
            100, 380, "Figure 2: The second picture, which has two halves that stand side by side below the others."
        )
        + prose(100, 350, LINES)
    )
    path = write_pdf([page])
    paper = write_paper(read_paper(path), tmp_path / "out", path)
    assert colours(paper, tmp_path / "out") == {"1": {(255, 0, 0)}, "2": {(0, 0, 255)}}


def test_a_figure_beside_its_caption_is_found(write_pdf: Write, tmp_path: Path) -> None:
    words = [
        "Figure 1: A caption at the side",
        "of its picture, as wrapped",
        "floats have it, on four lines",
        "in all, and no more.",
    ]
    page = HEAD + box(110, 540, 190, 90, "1 0 0") + prose(330, 610, words) + prose(100, 510, LINES)
    path = write_pdf([page])
    paper = write_paper(read_paper(path), tmp_path / "out", path)
    assert colours(paper, tmp_path / "out") == {"1": {(255, 0, 0)}}
    (figure,) = paper.figures
    assert figure.caption.endswith("in all, and no more.")
    assert figure.bbox is not None and figure.bbox[1] < 792 - 629 and figure.bbox[3] > 792 - 541


def test_text_that_flows_around_a_figure_stays_text(write_pdf: Write) -> None:
    narrow = [f"Line {count} of the text beside it goes on" for count in range(14)]
    caption = ["Figure 1: A picture that the", "text flows around, with", "its caption below."]
    page = HEAD + box(330, 540, 150, 70, "1 0 0") + prose(100, 620, narrow) + prose(330, 500, caption)
    paper = read_paper(write_pdf([page + prose(100, 440, LINES)]))
    (figure,) = paper.figures
    assert figure.text == ""
    words = " ".join(block.text for block in paper.blocks() if block.type == "paragraph")
    assert all(line in words for line in narrow)


def test_a_caption_whose_lines_a_high_formula_pushes_apart_is_whole(write_pdf: Write) -> None:
    page = HEAD + box(110, 560, 190, 60, "1 0 0")
    page += text_at(100, 540, "Figure 1: A caption with a formula that needs more room than a line of words has, over")
    page += text_at(100, 522, "its second line") + text_at(170, 522, "[", 22) + text_at(180, 522, "x", 10)
    page += text_at(190, 522, "] and words that go on after it up to the end of this very line of it")
    paper = read_paper(write_pdf([page + prose(100, 480, LINES)]))
    (figure,) = paper.figures
    assert "up to the end of this very line" in figure.caption
