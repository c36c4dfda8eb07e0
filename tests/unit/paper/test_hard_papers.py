"""Old, odd and other fields' papers: what was counted by eye on the rendered pages is found, or named as in doubt."""

from __future__ import annotations

import json
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


JSS = [
    "Abstract", "1 Introduction", "1.1 Interactive scientific model-discovery",
    "1.2 Multiway spectroscopy data and models", "1.3 An introduction to modeling with TIMP",
    "1.4 Hierarchical models for possibly many datasets", "2 The implementation of TIMP",
    "2.1 The role of S4 classes and methods in TIMP", "2.2 Model specification", "2.3 Parameter estimation",
    "2.4 Partitioned variable projection", "2.5 Validation", "3 User-accessible functions", "4 General model options",
    "4.1 Data weighting", "Specification in TIMP: Weighting", "4.2 Fixed parameters",
    "Specification in TIMP: Fixed parameters", "4.3 Constraint of clp",
    "Specification in TIMP: Constraint of clp to zero",
    "Specification in TIMP: Constraint of clp to a linear relationship", "4.4 Relations between nonlinear parameters",
    "Specification in TIMP: Nonlinear parameter relations", "4.5 Constraint of nonlinear parameters to positivity",
    "Specification in TIMP: Constraint of parameters to positivity", "5 Kinetic models",
    "5.1 Model for the decay of components", "Specification in TIMP: Kinetic decay rates",
    "5.2 Instrument response models", "Specification in TIMP: Gaussian IRF", "Specification in TIMP: Measured IRF",
    "5.3 Models for dependence of IRF parameters on spectral variable", "Specification in TIMP: Dispersion models",
    "5.4 Coherent artifact/scatter models",
    "An aside on the implementation of ultra-fast coherent artifact lifetimes",
    "Specification in TIMP: Coherent artifact/scatter models", "5.5 Compartmental models",
    "Specification in TIMP: Parallel/sequential compartmental model",
    "Specification in TIMP: Full compartmental model", "5.6 Case study: Multiexperiment analysis", "Data input",
    "Data preprocessing", "An initial model", "Fitting and validating the initial model",
    "Model refinement and re-validation", "A satisfactory model", "6 Spectral models", "6.1 Bandshape models",
    "Specification in TIMP: Bandshape model", "6.2 Dependence of bandshape parameters on independent variable",
    "Specification in TIMP: Dependence of bandshape parameters on independent variable",
    "6.3 Case study: Time-dependence of spectral parameters", "Data input", "Data preprocessing",
    "Initial model: Polynomial dependence of spectral variables on time",
    "Refined model: Exponential dependence of spectral variable on time", "7 Extension of supported model types",
    "8 Conclusions", "Acknowledgments", "References",
    "A Partitioned vs. unpartitioned variable projection algorithms",
    "A.1 Empirical comparison of partitioned and unpartitioned variable projection algorithms", "B New nls options",
    "C Data formats for input into TIMP", "C.1 Time explicit format", "C.2 Wavelength explicit format",
    "C.3 FLIM format",
]  # fmt: skip

HEADINGS = {
    "algorithms-as-headings": [
        "Abstract", "1 Introduction", "2 Code Completion", "3 Threat Model", "3.1 Attacker’s Goal",
        "3.2 Attacker’s Knowledge", "4 The INSEC Attack", "4.1 Attack Template", "4.2 Attack String Initialization",
        "4.3 Attack String Optimization", "5 Experimental Evaluation", "5.1 Experimental Setup", "5.2 Main Results",
        "5.3 Ablation Studies", "5.4 Case Studies", "6 Related Work", "7 Discussion", "8 Conclusion", "References",
    ],
    "astro": [
        "ABSTRACT", "1 INTRODUCTION", "2 DATA REDUCTION", "2.1 IRC Data Sets", "2.2 Neighbor Dark Frames",
        "2.3 Earth Shine Light Removal", "2.4 Stacking", "2.5 WCS Registration", "2.6 PSF Correction",
        "2.7 A Ghost in MIR-S", "2.8 Regridding and Flux Calibration", "3 ANALYSIS",
        "3.1 Stellar Component Distribution", "3.2 Arm/Interarm Definition", "4 RESULTS",
        "4.1 Flux Distribution and Arm/Interarm Contrast", "4.2 Color Distribution", "4.2.1 S7 versus S11",
        "4.2.2 L15 and L24 versus S11", "4.3 Color–Color Diagram", "5 DISCUSSION", "5.1 PAH Ionization",
        "5.2 S11 Excess?", "5.3 PAH Fraction", "5.4 Very Small Grains?", "5.5 Extinction Effects", "6 SUMMARY",
        "APPENDIX. COMPARISON OF COLORS WITH LITERATURE VALUES", "A.1 S7 versus L15", "A.2 S7 versus L24",
        "REFERENCES",
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
    "type3-dvips": [
        "Abstract", "I INTRODUCTION", "II THE MODEL", "II-A Qq̄ and qQ̄ mesons", "II-B QQ̄ mesons",
        "III SOLUTION OF THE WAVE EQUATIONS", "III-A Qq̄ sector", "III-B QQ̄ sector", "IV RESULTS",
        "IV-A Qq̄ sector", "IV-B QQ̄ sector", "V CONCLUSION AND OUTLOOK", "ACKNOWLEDGEMENTS", "References",
    ],
    "jss-running-heads": JSS,
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


def _numbers(last: int) -> list[str]:
    return [str(number) for number in range(1, last + 1)]


PARTS = {"18": ["18a", "18b"], "46": [f"46{letter}" for letter in "abcdefg"]}
NUMBERS = {
    "algorithms-as-headings": _numbers(3), "jss-running-heads": _numbers(31), "two-column-journal": _numbers(9),
    "revtex-dvips": _numbers(62), "wrong-symbols": _numbers(7), "astro": _numbers(1),
    "old-symbols": [*_numbers(18), *(f"A.{number}" for number in range(1, 10))],
    "type3-dvips": [part for number in _numbers(71) for part in PARTS.get(number, [number])],
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_every_numbered_equation_is_found_and_holds_something(name: str) -> None:
    numbered = [item for item in _read(name).equations if item.number]
    assert [item.number for item in numbered] == NUMBERS[name]
    assert all(any(char.isalnum() for char in item.text) for item in numbered)


FORMULAS = {
    ("revtex-dvips", "12"): "v_{n} ≃ 515 \\frac{km}{s} (\\frac{v_{rot}}{220 km/s} ) .",
    ("revtex-dvips", "16"): (
        "d_{c,2} = 8 · 10^{−3} \\frac{M_{⊙}}{pc^{3}} (\\frac{v_{2}}{b_{2}}) (\\frac{kpc}{p_{2}}) ."
    ),
    ("revtex-dvips", "60"): (
        "ω(r = a + p − δ) ≃ √{2} \\frac{v_{rot}}{a} √{1 + \\frac{af}{2p}} ≃ \\frac{1}{5 × 10^{7} years} ."
    ),
    ("two-column-journal", "7"): (
        "F_{p} = { \\frac{min_{p̄∈S_{p}\\m(p)} C(p, p̄) − min_{p̄∈S_{p}} C(p, p̄)}{min_{p̄∈S_{p}\\m(p)} C(p, p̄)} , & "
        "|d_{p} − d_{p^{′}} | ≤ 1_{.} \\\\ 0, & otherwise"
    ),
    ("jss-running-heads", "1"): (
        "Ψ_{q} = [ λ_{1} & λ_{2} & . . . & λ_{n} \\\\ "
        "t_{1} & ψ(t_{1}, λ_{1}) & ψ(t_{1}, λ_{2}) & . . . & ψ(t_{1}, λ_{n}) \\\\ "
        "t_{2} & ψ(t_{2}, λ_{1}) & ψ(t_{2}, λ_{2}) & . . . & ψ(t_{2}, λ_{n}) \\\\ ⋮ & ⋮ & ⋮ & ⋱ & ⋮ \\\\ "
        "t_{m} & ψ(t_{m}, λ_{1}) & ψ(t_{m}, λ_{2}) & . . . & ψ(t_{m}, λ_{n}) ]"
    ),
    ("jss-running-heads", "28"): (
        "θ(t) = θ + ((θ_{0} − θ) \\frac{exp(−k_{1}(t − t_{ref})) + α_{2} exp(−k_{2}(t − t_{ref}))}{1 + α_{2}} ),"
    ),
    ("jss-running-heads", "3"): "= CE^{⊤}",
    ("type3-dvips", "1"): (
        "Γ(p, P ) = i ∫ \\frac{d^{4} k}{(2π)^{4}} V (p, k; P )S_{F}^{(1)} (k_{1}, m_{1})S_{F}^{(2)} (k_{2}, m_{2})"
        "Γ(k, P ),"
    ),
    ("type3-dvips", "3"): (
        "Λ^{+ (2)} (k_{2}, m_{2}) = ∑_{s_{2}^{′}} u^{(2)} (k_{2} , s_{2}^{′}, m_{2})ū^{(2)} (k_{2}, s_{2}^{′}, m_{2}),"
    ),
    ("type3-dvips", "46a"): "H_{0} = − \\frac{∇^{2}}{m_{Q}} + V_{s}(r) + V_{v} (r) + 2m_{Q},",
}


@pytest.mark.parametrize(("name", "number"), FORMULAS)
def test_fractions_matrices_and_cases_are_those_of_the_page(name: str, number: str) -> None:
    (equation,) = (item for item in _read(name).equations if item.number == number)
    assert equation.text == FORMULAS[name, number]


@pytest.mark.parametrize("number", ["7", "8", "9", "10"])
def test_a_column_without_brackets_is_doubted_and_named(number: str) -> None:
    paper = _read("jss-running-heads")
    (equation,) = (item for item in paper.equations if item.number == number)
    assert not equation.trusted and not paper.trusted
    assert f"equation ({number})" in "\n".join(trust_lines(paper))


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


ENDS: dict[str, dict[str, tuple[int, str]]] = json.loads((Path(__file__).parent / "hard_captions.json").read_text())
"""Words of each caption, and the last of them."""
COLOUR = " (A color version of this figure is available in the online journal.)"


@pytest.mark.parametrize("name", ENDS)
def test_every_caption_is_whole_and_has_nothing_else(name: str) -> None:
    paper = _read(name)
    found: dict[str, tuple[int, str]] = {}
    for block in (*paper.figures, *paper.tables, *paper.algorithms):
        words = block.caption.replace(COLOUR, "").split()
        if words:
            found[f"{block.type} {block.label}"] = (len(words), " ".join(words[-3:]))
    assert found == {label: tuple(end) for label, end in ENDS[name].items()}


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
    ("type3-dvips", "II", ("c", "0.02 GeV", "see eq. (27)")),
    ("type3-dvips", "III", ("D^{∗}_{2}", "2^{+}", "2.46", "2.46")),
    ("type3-dvips", "IV", ("J/ψ(1 S)", "1^{−−}", "3.10", "3.10")),
    ("type3-dvips", "V",
     ("1^{3}F_{4}", "10.36", "10.4164", "-0.0717", "-0.0001", "0.0035", "0.0250", "-0.0124", "0.0126")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "label", "row"), ROWS)
def test_cells_stand_in_their_columns(name: str, label: str, row: tuple[str, ...]) -> None:
    (table,) = (table for table in _read(name).tables if table.label == label)
    assert row in table.rows


COLUMNS: list[tuple[str, str, int, str]] = [
    ("type3-dvips", "III", 2, "theory 1.85 2.02 2.41 2.46 5.28 5.33 1.94 2.13 5.37 5.43"),
    ("type3-dvips", "III", 3, "experiment^{a} 1.87 2.01 2.42 2.46 5.28 5.33 1.97 2.11 5.38 5.43"),
    ("type3-dvips", "IV", 2,
     "theory 3.00 3.10 3.44 3.50 3.54 3.73 9.46 9.85 9.87 9.89 10.02 10.24 10.26 10.28 10.39"),
    ("type3-dvips", "IV", 3,
     "experiment 2.98 3.10 3.42 3.51 3.56 3.69 9.46 9.86 9.89 9.92 10.02 10.24 10.26 10.27 10.36"),
    ("two-column-journal", "I", 2, "Value 33 40 0.03 0.03 varied 0.01 3 0.08"),
    ("two-column-journal", "II", 2, "MDE/s^{1} 215.7 57.9 50.6 114.3 20.9 194.8 52.8 25.1"),
    ("two-column-journal", "II", 4, "Error^{3} 6.20 5.55 7.31 7.65 7.69 8.21 9.82 10.90"),
    ("algorithms-as-headings", "1", 3, "Avg LoC 16 14 9 15 19 19 23 22 26 34 14 18 22 14 21 25"),
    ("algorithms-as-headings", "1", 4, "Max LoC 22 28 19 30 27 32 33 35 54 75 34 22 68 18 52 31"),
    ("wrong-symbols", "3", 1, "10 0.82 0.90 0.56 0.82 0.76 0.83 0.68 0.71 0.82 0.96"),
    ("wrong-symbols", "3", 10, "100 0.56 0.42 na na 0.76 0.95 0.79 0.51 0.58 0.81"),
    ("wrong-symbols", "4", 5, "50 4.92 6.07 5.69 3.89 ns 8.64 9.01 6.88 6.89 10.78"),
    ("wrong-symbols", "1", 1, "8700 195 320 18 310 190 139 31 66 27"),
    ("ieee-1", "4", 2, "R2 5 1 0.33 0.33 6.66"),
    ("ieee-1", "6", 5, "Sum of rows 2.30 0.76 0.74 0.20"),
    ("astro", "3", 3, "L24/S11 1.7 ± 0.4 1.3 ± 0.4 1.4 ± 0.6 1.2 ± 0.3 1.2 ± 0.3"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "label", "column", "cells"), COLUMNS)
def test_columns_hold_their_numbers_in_order(name: str, label: str, column: int, cells: str) -> None:
    (table,) = (table for table in _read(name).tables if table.label == label)
    assert cells in " ".join(filter(None, (row[column] for row in table.rows if len(row) > column)))


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
    assert [(line.indent, line.text) for line in third.lines[-6:]] == [
        (1, "2 t = T.string_to_tokens(σ)"),
        (1, "3 n = sample([1, n_{σ}])"),
        (1, "4 I = sample_without_replacement([0, n_{σ} − 1], n)"),
        (1, "5 for i ∈ I do"),
        (2, "6 t[i] = T.random_token_from_vocab()"),
        (1, "7 return T.tokens_to_string(t)"),
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
