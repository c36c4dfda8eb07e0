"""Pictures, citing passages, candidates for hyper-parameters, scans, and a PDF with its source."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from agentsys.core.errors import PaperError
from agentsys.paper import ReadOptions, read_paper, write_paper
from agentsys.paper.hyper import candidates
from agentsys.paper.model import Paper, Paragraph, Section, Table
from unit.paper.conftest import LINES, Write, prose, text_at

DRAWING = "0.2 0.4 0.8 rg 150 420 200 100 re f 0 g "
PAGE = (
    text_at(100, 700, "1   Introduction", 12, "F2")
    + prose(100, 680, [*LINES, "The whole is drawn in Figure 1, as everyone can see who looks at it for long."])
    + DRAWING
    + text_at(150, 400, "Figure 1: A blue box that stands for the whole method.")
    + prose(100, 370, LINES)
)


def test_a_figure_is_cut_out_without_its_caption_and_cited(write_pdf: Write, tmp_path: Path) -> None:
    path = write_pdf([PAGE])
    paper = write_paper(read_paper(path), tmp_path / "out", path)
    (figure,) = paper.figures
    assert figure.label == "1" and figure.image == f"figures/{figure.id}.png"
    picture = Image.open(tmp_path / "out" / figure.image).convert("RGB")
    assert 380 < picture.width < 460 and 190 < picture.height < 240  # 200 x 100 points at 150 dpi, with a margin
    assert picture.getpixel((picture.width // 2, picture.height // 2))[2] > 150  # type: ignore[index]
    texts = {block.id: block.text for block in paper.blocks()}
    assert ["Figure 1" in texts[name] for name in figure.citing] == [True]
    sheet = (tmp_path / "out" / "figures" / "index.html").read_text()
    assert f"{figure.id}.png" in sheet and "A blue box" in sheet and "<script" not in sheet


def test_pictures_need_the_very_file_that_was_read(write_pdf: Write, tmp_path: Path) -> None:
    paper = read_paper(write_pdf([PAGE]))
    other = write_pdf([PAGE, PAGE], name="other.pdf")
    assert write_paper(paper, tmp_path / "out", other).figures[0].image is None
    assert not (tmp_path / "out" / "figures").exists()


def test_candidates_carry_the_words_around_them() -> None:
    text = "We trained with Adam and a learning rate of 0.001, batch size 32, for 20 epochs; dropout was set to 0.5."
    blocks = (
        Paragraph(id="b1", text=text),
        Table(id="b2", caption="Table 3: Hyper-parameters", rows=(("Name", "Value"), ("weight decay", "1e-4"))),
        Table(id="b3", caption="Table 4: Results", rows=(("Name", "Value"), ("accuracy", "97"))),
    )
    paper = Paper(source="", sha256="", format="pdf", parser="", sections=(Section(id="s1", title="T", blocks=blocks),))
    found = {(item.name, item.value, item.where) for item in candidates(paper)}
    assert found == {
        ("learning rate", "0.001", "b1"),
        ("batch size", "32", "b1"),
        ("epochs", "20", "b1"),
        ("dropout", "0.5", "b1"),
        ("weight decay", "1e-4", "b2"),
    }
    assert all(item.value in item.quote for item in candidates(paper))


def test_a_source_beside_the_pdf_gives_the_equations(write_pdf: Write, tmp_path: Path) -> None:
    page = (
        text_at(100, 700, "1   Introduction", 12, "F2")
        + prose(100, 680, LINES)
        + text_at(250, 600, "E = mc2")
        + text_at(403, 600, "(1)")
        + prose(100, 570, LINES)
    )
    source = tmp_path / "paper.tex"
    source.write_text("\\begin{document}\\newcommand{\\c}{c}\\begin{equation}E=m\\c^{2}\\end{equation}\\end{document}")
    paper = read_paper(write_pdf([page]), ReadOptions(latex_source=source))
    (equation,) = paper.equations
    assert (equation.latex, equation.source, equation.page) == ("E=m\\c^{2}", "latex", 1)
    assert paper.notation == "\\newcommand{\\c}{c}"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_a_scan_is_recognised(shared: Path) -> None:
    paper = read_paper(shared / "data" / "bad-pdf" / "scanned.pdf", ReadOptions(ocr=True))
    words = " ".join(block.text for block in paper.blocks())
    assert "Batch Normalization" in words and len(words) > 5_000
    assert all(block.source == "ocr" for block in paper.blocks())


def test_ocr_without_tesseract_says_so(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PaperError, match="needs tesseract") as caught:
        read_paper(shared / "data" / "bad-pdf" / "scanned.pdf", ReadOptions(ocr=True))
    assert caught.value.exit_code == 3
