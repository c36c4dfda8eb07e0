"""Mathematics of a text layer: characters get their meaning back, and their places become structure."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from agentsys.paper.pdf import texcodes
from agentsys.paper.pdf.mathfonts import Decoder, Repair
from agentsys.paper.pdf.mathitems import Item
from agentsys.paper.pdf.mathlayout import linear
from agentsys.paper.pdf.wire import RawPage, RawSpan


def glyph(
    text: str, x: float, base: float, size: float = 10.0, wide: float | None = None, floating: bool = False
) -> Item:
    width = wide if wide is not None else 0.5 * size * len(text)
    return Item(text, x, base - 0.7 * size, x + width, base, base, size, floating=floating)


def test_a_fraction_with_a_root_below() -> None:
    items = [
        glyph("softmax(", 0, 100, wide=38),
        glyph("QK", 42, 93),
        glyph("T", 52, 89, 7),
        glyph("√", 42, 101, wide=7),
        glyph("d", 50, 108),
        glyph("k", 55, 110, 7),
        glyph(")V", 62, 100),
    ]
    rules = [(42.0, 96.8, 60.0, 97.3), (49.0, 99.5, 60.0, 100.0)]
    assert linear(items, rules) == "softmax( \\frac{QK^{T}}{√{d_{k}}} )V"


def test_limits_of_a_sum_and_scripts() -> None:
    items = [
        glyph("∑", 10, 104, wide=14, floating=True),
        glyph("n", 15, 88, 7),
        glyph("i=1", 11, 114, 7),
        glyph("x", 26, 100),
        glyph("i", 31, 102, 7),
        glyph("2", 31, 96, 7),
    ]
    assert linear(items, []) == "∑_{i=1}^{n}x_{i}^{2}"


def test_limits_go_to_the_nearest_operator() -> None:
    items = [
        glyph("max", 0, 100, wide=14),
        glyph("w", 4, 108, 7, wide=5),
        glyph("∑", 17, 104, wide=14, floating=True),
        glyph("i", 21, 114, 7, wide=3),
        glyph("∑", 33, 104, wide=14, floating=True),
        glyph("j∈A", 31, 114, 7, wide=17),
    ]
    assert linear(items, []).replace(" ", "") == "max_{w}∑_{i}∑_{j∈A}"


def test_the_reason_over_a_relation_is_not_what_stands_before_it() -> None:
    relation = Item("=", 10, 94, 17, 98, 100, 10)
    items = [glyph("(18)", 5, 92, 7, wide=14), relation, glyph("b", 25, 100), glyph("2", 30, 96, 7)]
    assert linear(items, []) == "=^{(18)} b^{2}"


def test_scripts_of_scripts_have_the_size_of_what_they_hang_on() -> None:
    items = [
        glyph("e", 0, 100, 8, wide=4),
        glyph("S·T", 5, 97, 6, wide=12),
        glyph("i", 17, 99, 6, wide=2),
        glyph("+", 22, 100, 8, wide=5),
        glyph("A", 30, 100, 8, wide=5),
        glyph("t", 35.5, 97, 6, wide=3),
        glyph("i", 35.5, 102, 6, wide=2),
        glyph("−1", 38.5, 102, 6, wide=5),
    ]
    assert linear(items, []) == "e^{S·T_{i}} + A_{i−1}^{t}"


def test_rows_of_a_display_are_lines() -> None:
    items = [glyph("a", 0, 100), glyph("=", 8, 100), glyph("b", 16, 100), glyph("c", 0, 120), glyph("=", 8, 120)]
    assert linear(items, []).splitlines() == ["a = b", "c ="]


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_lost_wherever_it_stands(seed: int) -> None:
    chance = random.Random(seed)
    names = "abcdefghijklmnop"
    items = [
        glyph(
            name,
            chance.uniform(0, 120),
            chance.uniform(80, 130),
            chance.choice([5.0, 7.0, 10.0]),
            floating=chance.random() < 0.2,
        )
        for name in names
    ]
    items += [glyph("max", 40, 100, 7), glyph("∑", 60, 104, wide=14, floating=True)]
    rules = [
        (x, y, x + chance.uniform(5, 60), y + 0.4)
        for x, y in ((chance.uniform(0, 100), chance.uniform(85, 125)) for _ in range(4))
    ]
    shown = re.sub(r"\\frac|[{}_^\s]", "", linear(items, rules))
    assert Counter(shown) == Counter(names + "max∑")


def span(text: str, box: tuple[float, float, float, float] = (0, 0, 5, 7), base: float = 7.0) -> RawSpan:
    return (text, 0, 10.0, *box, base, 0)


def decoded(font: str, text: str, seen: str = "", **parts: object) -> tuple[str, Repair]:
    page = RawPage.model_validate(
        {
            "kind": "page",
            "number": 1,
            "width": 1,
            "height": 1,
            "fonts": [[font, 400, 0]],
            "lines": [[0, 0, [span(seen or text)]]],
        }
    )
    repair = Repair()
    return Decoder([page]).decode(font, span(text, **parts), repair), repair  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("font", "text", "meaning"),
    [
        ("ABCDEF+CMMI10", "⌘⇡✓⇢↵", "ηπθρα"),
        ("ABCDEF+CMSY10", "⇥⇠", "×∼"),
        ("ABCDEF+CMEX10", "⇣", "("),
        ("ABCDEF+CMEX10", "X", "∑"),
        ("ABCDEF+CMMI7", "xyN", "xyN"),
        ("ABCDEF+CMSY7", "A|{", "A|{"),
        ("ABCDEF+CMMI10", "\ue00f", "ϵ"),
        ("ABCDEF+LMMathSymbols10-Regular", "≠ÆœÔÒ·", "−≤∈√∇·"),
        ("ABCDEF+LMMathItalic10-Regular", "÷—µ", "ηβµ"),
        ("ABCDEF+Times-Roman", "≠÷✓", "≠÷✓"),
    ],
)
def test_characters_of_mathematical_fonts_get_their_meaning(font: str, text: str, meaning: str) -> None:
    assert decoded(font, text)[0] == meaning


def test_a_latin_modern_file_that_is_right_is_left_alone() -> None:
    assert decoded("LMMathSymbols10-Regular", "−≤÷")[0] == "−≤÷"
    assert decoded("LMMathItalic10-Regular", "αβ")[1].repaired == 0


@pytest.mark.parametrize(
    ("font", "box", "base", "meaning"),
    [
        ("CMSY10", (0, 4.3, 7, 4.8), 7.0, "−"),
        ("CMSY10", (0, 0.6, 7, 8.4), 7.0, "≥"),
        ("CMMI10", (0, 2.7, 5, 8.9), 7.0, "γ"),
        ("CMMI10", (0, 0.0, 5.2, 8.9), 7.0, "β"),
        ("CMMI10", (0, 0.0, 4.4, 7.1), 7.0, "δ"),
        ("CMMI10", (0, 3.0, 4.4, 7.0), 7.0, texcodes.UNKNOWN),
    ],
)
def test_a_lost_code_is_told_by_the_shape_of_the_glyph(
    font: str, box: tuple[float, float, float, float], base: float, meaning: str
) -> None:
    text, repair = decoded(font, "\ue000", seen="\ue000⇡", box=box, base=base)
    assert text == meaning
    assert repair.lost == (meaning == texcodes.UNKNOWN)


def test_tables_of_codes_are_whole() -> None:
    assert [len(table) for table in (texcodes.OML, texcodes.OMS, texcodes.OMX)] == [128, 128, 128]
    assert max(texcodes.LMMI) == max(texcodes.LMSY) == max(texcodes.LMEX) == 255


def test_a_name_stands_apart_from_the_limit_before_it() -> None:
    items = [glyph("max", 0, 100, wide=14), glyph("w", 4, 108, 7, wide=5), glyph("log", 15.5, 100, wide=14)]
    assert linear(items, []) == "max_{w} log"
