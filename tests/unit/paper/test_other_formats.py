"""HTML, Markdown, text and PaperCoder's JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.errors import PaperError
from agentsys.paper import read_paper, to_markdown

HTML = """<!DOCTYPE html><html><head><title>t</title><style>x{}</style></head><body><article class="ltx_document">
<h1 class="ltx_title ltx_title_document">A <em>Good</em> Paper</h1><div class="ltx_authors">Ada</div>
<div class="ltx_abstract"><h6 class="ltx_title">Abstract</h6><p class="ltx_p">We show.</p></div>
<section class="ltx_section"><h2 class="ltx_title"><span class="ltx_tag">1 </span>Intro</h2>
<div class="ltx_para"><p class="ltx_p">Let <math alttext="x_{1}"><mi>x</mi><annotation>x_1</annotation></math> be.
<span style="display:none">ignore this</span></p></div>
<table class="ltx_equation"><tr class="ltx_eqn_row"><td><math alttext="\\displaystyle E=mc^{2}"></math></td>
<td><span class="ltx_tag ltx_tag_equation">(1)</span></td></tr></table>
<section class="ltx_subsection"><h3 class="ltx_title"><span class="ltx_tag">1.1 </span>Data</h3>
<figure class="ltx_table"><figcaption class="ltx_caption">Table 1: Sizes</figcaption>
<table class="ltx_tabular"><tr><td class="ltx_td">a</td><td class="ltx_td">1</td></tr></table></figure></section>
</section>
<figure class="ltx_figure"><img src="x"/><figcaption class="ltx_caption">Figure 2: Shape</figcaption></figure>
<section class="ltx_bibliography"><h2 class="ltx_title">References</h2>
<ul><li class="ltx_bibitem"><span class="ltx_tag">[1]</span> A. B. doi 10.1000/xyz</li></ul></section>
<script>alert(1)</script></article></body></html>"""


def test_arxiv_html_keeps_the_latex_of_formulas(tmp_path: Path) -> None:
    path = tmp_path / "paper.html"
    path.write_text(HTML)
    paper = read_paper(path)
    assert (paper.title, paper.authors, paper.abstract) == ("A Good Paper", "Ada", "We show.")
    titles = [(s.number, s.title, s.level, s.kind) for s in paper.sections]
    assert titles == [
        ("", "Abstract", 1, "abstract"),
        ("1", "Intro", 1, "body"),
        ("1.1", "Data", 2, "body"),
        ("", "References", 1, "references"),
    ]
    assert [(e.number, e.latex) for e in paper.equations] == [("1", "E=mc^{2}")]
    assert paper.tables[0].rows == (("a", "1"),) and paper.tables[0].label == "1"
    assert paper.figures[0].caption == "Figure 2: Shape"
    assert paper.references[0].doi == "10.1000/xyz"
    words = to_markdown(paper)
    assert "$x_{1}$" in words and "alert" not in words and "ignore this" not in words


def test_markdown_headings_formulas_and_tables(tmp_path: Path) -> None:
    path = tmp_path / "paper.md"
    path.write_text(
        "# Title\n\n## Abstract\n\nWe.\n\n## 1 Intro\n\nText\nmore.\n\n$$\na=b \\tag{3}\n$$\n\n"
        "| A | B |\n| - | - |\n| 1 | 2 |\n"
        "\n### 1.1 Deep\n\n- one\n- two\n\n```python\nx = '# no heading'\n```\n"
    )
    paper = read_paper(path)
    assert paper.title == "Title"
    assert [(s.number, s.title, s.level) for s in paper.sections] == [
        ("", "Abstract", 1),
        ("1", "Intro", 1),
        ("1.1", "Deep", 2),
    ]
    assert (paper.equations[0].number, paper.equations[0].latex) == ("3", "a=b")
    assert paper.tables[0].rows == (("A", "B"), ("1", "2"))


def test_papercoder_json_is_read_and_its_losses_are_named(tmp_path: Path) -> None:
    body = [
        {"text": "We begin.", "section": "Introduction", "sec_num": "1"},
        {"text": "EQUATION", "section": "Model", "sec_num": "2.1"},
        {"text": "It is EQUATION .", "section": "Model", "sec_num": "2.1"},
    ]
    data = {
        "title": "T",
        "authors": [{"first": "A", "last": "B"}],
        "abstract": "Abs.",
        "pdf_parse": {
            "body_text": body,
            "ref_entries": {
                "TABREF0": {
                    "text": "Cap",
                    "type_str": "table",
                    "num": "1",
                    "content": "<table><tr><td>1</td></tr></table>",
                }
            },
            "bib_entries": {"BIBREF0": {"title": "X", "authors": [{"first": "C", "last": "D"}], "year": 2017}},
        },
    }
    path = tmp_path / "paper.json"
    path.write_text(json.dumps(data))
    paper = read_paper(path)
    assert (paper.title, paper.authors, paper.abstract) == ("T", "A B", "Abs.")
    assert [(s.number, s.title, s.level) for s in paper.sections] == [
        ("", "Abstract", 1),
        ("1", "Introduction", 1),
        ("2.1", "Model", 2),
    ]
    assert paper.tables[0].rows == (("1",),)
    assert paper.references[0].raw == "C D. X. 2017"
    assert "2 equations" in paper.warnings[0]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("paper.pdf", b"", 2),
        ("paper.pdf", b"<html></html>", 2),
        ("paper.json", b'{"a": 1}', 2),
        ("paper.json", b"[[[[", 2),
        ("paper.docx", b"PK\x03\x04\x00\x00", 2),
        ("paper.txt", b"  \n ", 2),
    ],
)
def test_what_is_no_paper_is_refused_in_words(name: str, data: bytes, code: int, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(PaperError) as caught:
        read_paper(path)
    assert caught.value.exit_code == code and caught.value.hint


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PaperError, match="there is no file"):
        read_paper(tmp_path / "none.pdf")
    with pytest.raises(PaperError, match="is a folder"):
        read_paper(tmp_path)


def test_captions_and_covered_cells_of_markdown_tables_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "paper.md"
    html = '<table><tr><td rowspan="2">M</td><td colspan="2">Acc</td></tr><tr><td>x</td><td>y</td></tr></table>'
    path.write_text(f"# T\n\n## A\n\nTable 1: First\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n{html}\n\nTable 2. Second\n")
    first, second = read_paper(path).tables
    assert (first.label, first.caption, first.rows) == ("1", "Table 1: First", (("a", "b"), ("1", "2")))
    assert (second.label, second.rows) == ("2", (("M", "Acc", ""), ("", "x", "y")))
