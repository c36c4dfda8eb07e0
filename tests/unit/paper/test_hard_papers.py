"""Old, odd and other fields' papers: what was counted by eye on the rendered pages is found, or named as in doubt."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from agentsys.paper import Paper, read_paper, to_markdown
from agentsys.paper.query import trust_lines
from unit.paper.conftest import SHARED


@cache
def _read(name: str) -> Paper:
    return read_paper(SHARED / "papers" / "hard" / f"{name}.pdf")


@pytest.fixture(autouse=True)
def _collected() -> None:
    if not (SHARED / "papers" / "hard").is_dir():
        pytest.skip("no ../shared beside the checkout: collected papers are not part of the project")


HEADINGS = {
    "algorithms-as-headings": [
        "Abstract", "1 Introduction", "2 Code Completion", "3 Threat Model", "3.1 Attacker’s Goal",
        "3.2 Attacker’s Knowledge", "4 The INSEC Attack", "4.1 Attack Template", "4.2 Attack String Initialization",
        "4.3 Attack String Optimization", "5 Experimental Evaluation", "5.1 Experimental Setup", "5.2 Main Results",
        "5.3 Ablation Studies", "5.4 Case Studies", "6 Related Work", "7 Discussion", "8 Conclusion", "References",
    ],
    "ieee-1": [
        "Abstract", "I INTRODUCTION", "II RELATED AREA AND LITERATURE STUDY",
        "III MDRPM (MARKET DRIVEN REQUIREMENT PRIORITIZATION MODEL)", "4.1 Step 1 (Requirement Initialization)",
        "4.2 Step 2 (Modified AHP Engine)", "4.3 Step 3 (Consistency Check)", "4.4 Step 4 (Requirement Prioritization)",
        "V VALIDATION OF MDRPM", "V.I Validation results", "V.I.I Practicality and applicability",
        "V.I.II Model Implementation", "V.I.III Effectiveness and Efficiency", "VI CONCLUSION", "VII REFERENCES",
    ],
    "old-symbols": [
        "Abstract", "1 Introduction", "2 The Buchert scheme", "3 The Lemaı̂tre–Tolman model",
        "4 The apparent and average accelerations", "5 Connection between the deceleration parameter and observations",
        "6 Conclusions", "Acknowledgments", "Appendix. Model specification", "References",
    ],
    "revtex-dvips": [
        "Abstract", "I INTRODUCTION", "II CAUSTIC RING PROPERTIES", "II-A Catastrophe structure",
        "II-B Predictions of the self-similar infall model", "II-C Summary of observational evidence",
        "II-D Expectations for the n = 2 caustic ring",
        "III EFFECT OF A CAUSTIC RING OF DARK MATTER UPON BARYONIC MATTER IN THE DISK",
        "III-A Gravitational field of a caustic ring", "III-B Effect on gas", "III-C Effect on star orbits",
        "III-C-1 Collision rate", "III-C-2 Orbit stability", "III-C-3 Circular orbits", "III-C-4 Non circular orbits",
        "IV CONCLUSIONS", "Acknowledgments", "References",
    ],
    "two-column-journal": [
        "Abstract", "I Introduction", "II Background", "III Method", "III-A Two-Pass Spatial Cost Aggregation",
        "III-B Temporal cost aggregation", "III-C Disparity Selection and Confidence Assessment",
        "III-D Iterative Disparity Refinement", "IV Results", "V Conclusion", "References",
    ],
    "wrong-symbols": [
        "Abstract", "1 Introduction", "2 Methods", "2.1 Characterisation of flow regime", "2.2 Zero flow day analysis",
        "2.3 Statistical analyses", "3 Data sets", "4 Results", "4.1 Model evaluation",
        "4.2 Adjusted FDCs—magnitude of flow reductions", "4.3 Timing of flow reductions",
        "4.4 Comparison with paired catchment studies", "4.5 Zero flow days", "5 Discussion",
        "6 Summary and conclusions", "Acknowledgements", "References",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", HEADINGS)
def test_headings_are_those_of_the_page_and_no_others(name: str) -> None:
    found = [f"{section.number} {section.title}".strip() for section in _read(name).sections if section.title]
    assert [title.lower() for title in found] == [
        title.lower() for title in HEADINGS[name]
    ]  # small capitals are either


TITLES = {
    "astro": "INTERSTELLAR DUST PROPERTIES OF M51 FROM AKARI MID-INFRARED IMAGES",
    "jss-running-heads": "TIMP: An R Package for Modeling Multi-way Spectroscopic Measurements",
    "type3-dvips": "Heavy Mesons In A Relativistic Model",
    "old-symbols": "Apparent and average accelerations of the Universe",
}


@pytest.mark.parametrize("name", TITLES)
def test_the_title_is_that_of_the_paper_and_not_of_its_journal(name: str) -> None:
    assert _read(name).title == TITLES[name]


NUMBERS = {
    "algorithms-as-headings": 3, "jss-running-heads": 31, "two-column-journal": 9, "revtex-dvips": 62,
    "wrong-symbols": 7, "astro": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_every_numbered_equation_is_found_and_holds_something(name: str) -> None:
    numbered = [item for item in _read(name).equations if item.number]
    assert [item.number for item in numbered] == [str(number) for number in range(1, NUMBERS[name] + 1)]
    assert all(item.text.strip() for item in numbered)


def test_fractions_and_roots_whose_bars_are_pictures_are_read() -> None:
    texts = {item.number: item.text for item in _read("revtex-dvips").equations}
    assert texts["7"] == "u = \\frac{v^{2}}{a} ."
    assert texts["4"] == "p = \\frac{1}{2} uτ_{0}^{2} , q = \\frac{√{27}}{4} \\frac{b}{√{us}} p ."
    assert texts["28"] == "Ω(r) = √{\\frac{g(r)}{r}} ."


@pytest.mark.parametrize("name", ["old-symbols", "wrong-symbols", "type3-dvips"])
def test_equations_with_misread_signs_are_doubted_and_named(name: str) -> None:
    paper = _read(name)
    doubtful = [item for item in paper.equations if not item.trusted]
    assert doubtful and not paper.trusted
    lines = "\n".join(trust_lines(paper))
    assert all(f"equation ({item.number})" in lines for item in doubtful if item.number)
    assert not any(char in item.text for item in paper.equations if item.trusted for char in "\ufffd÷Þð")


FLOATS: dict[str, tuple[range, list[str], list[str]]] = {
    "algorithms-as-headings": (range(1, 12), ["1"], ["1", "2", "3"]),
    "astro": (range(1, 12), ["1", "2", "3"], []),
    "ieee-1": (range(1, 7), list("12345678"), []),
    "jss-running-heads": (range(1, 22), ["1"], []),
    "revtex-dvips": (range(1, 4), [], []),
    "type3-dvips": (range(1, 12), ["I", "II", "III", "IV", "V"], []),
    "two-column-journal": (range(1, 6), ["I", "II"], []),
    "wrong-symbols": (range(1, 6), list("12345"), []),
}


@pytest.mark.parametrize("name", FLOATS)
def test_every_caption_is_found_once(name: str) -> None:
    paper, (figures, tables, algorithms) = _read(name), FLOATS[name]
    assert sorted(int(item.label) for item in paper.figures) == list(figures)
    assert sorted(item.label for item in paper.tables if item.caption) == tables
    assert [item.label for item in paper.algorithms] == algorithms


CAPTIONS = {
    "two-column-journal": ("Table II: A comparison of speed and accuracy for the implementations of many leading "
                           "real-time stereo matching methods."),
    "wrong-symbols": ("Table 5 Published flow reductions from paired catchment analyses, after Scott et al. (2000), "
                      "Hickel (2001), Nandakumar and Mein (1993) and Fahey and Jackson (1997) compared to estimated "
                      "reductions in this study"),
    "ieee-1": "Table 7 Eigen values of the matrix.",
}  # fmt: skip


@pytest.mark.parametrize("name", CAPTIONS)
def test_captions_are_whole(name: str) -> None:
    assert CAPTIONS[name] in [table.caption for table in _read(name).tables]


ROWS: list[tuple[str, str, tuple[str, ...]]] = [
    ("two-column-journal", "II", ("Our Method", "GeForce GTX 680", "215.7", "90", "6.20")),
    ("two-column-journal", "II", ("DCBGrid [19]", "Quadro FX 5800", "25.1", "10", "10.90")),
    ("astro", "3", ("Interarm 2", "0.9 ± 0.1", "1.1 ± 0.1", "1.2 ± 0.3")),
    ("astro", "2", ("", "", "S7, S11", "4, 12")),
    ("ieee-1", "4", ("Total", "1.54", "6.66", "9.11", "20")),
    ("ieee-1", "6", ("Requirements", "R1", "R2", "R3", "R4", "Sum of rows")),
    ("ieee-1", "6", ("R4", "0.09", "0.05", "0.01", "0.05", "0.20")),
    ("ieee-1", "2", ("9", "Extreme difference in importance")),
    ("wrong-symbols", "3",
     ("Biesievlei", "0.96", "0.96", "0.90", "0.82", "0.81", "0.88", "0.92", "0.94", "0.91", "0.81")),
    ("wrong-symbols", "2", ("Pine Ck", "", "P,T", "P,T", "P,T", "P,T", "T", "T", "T", "na", "na")),
    ("wrong-symbols", "1",
     ("Biesievlei (SA)", "27", "P. radiata", "98", "1332", "W", "10", "20", "1.5–2.0", "0.72", "Scott et al., 2000")),
    ("algorithms-as-headings", "1", ("943: Data Query Injection", "Python", "–", "25", "31")),
    ("type3-dvips", "V",
     ("1^{3}F_{4}", "10.36", "10.4164", "-0.0717", "-0.0001", "0.0035", "0.0250", "-0.0124", "0.0126")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "label", "row"), ROWS)
def test_cells_stand_in_their_columns(name: str, label: str, row: tuple[str, ...]) -> None:
    (table,) = (table for table in _read(name).tables if table.label == label)
    assert row in table.rows


def test_a_sideways_page_is_read_as_a_table() -> None:
    (table,) = _read("rotated").tables
    rows = {row[0]: row[1:] for row in table.rows}
    # The two columns of Rentals are grey and empty, but for their totals.
    assert rows["Texas"] == (
        "21,550", "56,941", "51,670", "2,532", "3,048", "0", "29", "20", "0", "5,748", "5,331", "21", "1", "2", "1",
        "", "", "42", "36", "4", "1", "5", "0", "146,982",
    )  # fmt: skip
    assert rows["Totals"][13:] == ("533", "44", "0", "0", "1,067", "905", "65", "31", "45", "5", "2,236,457")


def test_a_table_that_goes_on_over_columns_keeps_its_rows() -> None:
    rows = {row[0]: row for table in _read("ieee-1").tables for row in table.rows if len(row) == 3}
    assert set(map(str, range(1, 36))) <= set(rows)
    assert rows["25"][1:] == ("Privacy", "Built-in capabilities to protect the confidentiality of its users")


def test_lines_of_algorithms_are_in_order_and_nested() -> None:
    first, second, third = _read("algorithms-as-headings").algorithms
    assert [(line.indent, line.text) for line in second.lines[-6:]] == [
        (1, "2 V = [ ]"),
        (1, "3 for σ ∈ P do"),
        (2, "4 construct G^{adv} using the attack string σ"),
        (2, "5 v = vul_ratio(G^{adv}) w.r.t. D_{vul} and 1_{vul}"),
        (2, "6 V.append(v)"),
        (1, "7 return n best elements from P according to V"),
    ]
    for algorithm, count in ((first, 9), (second, 7), (third, 7)):
        numbers = [line.text.split()[0] for line in algorithm.lines if line.text.split()[0].isdecimal()]
        assert numbers == [str(number) for number in range(1, count + 1)]


REFERENCES = {
    "algorithms-as-headings": 32, "astro": 49, "ieee-1": 23, "jss-running-heads": 17, "old-symbols": 39,
    "revtex-dvips": 32, "two-column-journal": 21, "type3-dvips": 17, "wrong-symbols": 26,
}  # fmt: skip


@pytest.mark.parametrize("name", REFERENCES)
def test_every_reference_is_one_entry(name: str) -> None:
    assert len(_read(name).references) == REFERENCES[name]


def test_bitmap_fonts_are_no_hidden_text() -> None:
    paper = _read("type3-dvips")
    assert sum(page.hidden_chars for page in paper.pages) < 50
    assert "Recently, there has been great theoretical interest in hadrons containing b and c quarks." in to_markdown(
        paper
    )


def test_the_abstract_of_an_ieee_paper_is_whole() -> None:
    abstract = _read("ieee-1").abstract
    assert abstract.startswith(
        "As compared to bespoke software development, in market driven software development huge"
    )
    assert "where the aspects of practicality, applicability, Implementation, effectiveness, and efficiency" in abstract


def test_text_without_a_meaning_in_the_file_is_guessed_and_said_to_be() -> None:
    paper = _read("cid-no-tounicode")
    words = to_markdown(paper)
    assert "The quick brown fox jumps over the lazy dog 0123456789" in words
    assert "abcdefghijklmnopqrstuvwxyz" in words
    assert not paper.trusted and any("were guessed" in line for line in trust_lines(paper))


def test_a_line_that_is_only_a_superscript_digit_is_read() -> None:
    assert "²" in to_markdown(_read("superscript-two"))


def test_no_visible_row_of_words_is_lost_without_a_doubt(shared: Path) -> None:
    for file in sorted((shared / "papers" / "hard").glob("*.pdf")):
        paper = _read(file.stem)
        lost = [doubt for page in paper.pages for doubt in page.doubts if "went nowhere" in doubt]
        assert not lost or not paper.trusted, file.name
