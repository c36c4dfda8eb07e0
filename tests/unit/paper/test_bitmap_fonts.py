"""Fonts of bitmaps, as dvips makes them: their glyphs alone say which of TeX's fonts they are."""

from __future__ import annotations

from agentsys.paper.pdf.extract import combine_accents
from agentsys.paper.pdf.facts import FontFacts
from agentsys.paper.pdf.glyphs import Char, Style
from agentsys.paper.pdf.texcodes import BARE

HEIGHTS = dict.fromkeys("acemnorsuvwxz", 4.3) | dict.fromkeys("bdfhikl", 7.0) | dict.fromkeys("pqgy", 6.2)
"""Heights in points of the letters of Computer Modern at 10 points."""


def _font(face: int, text: str, *, scale: float = 1.0, wide: float = 1.0, **sizes: tuple[float, float]) -> list[Char]:
    """Characters of one font in a row; `sizes` gives height and width by name, in points, where it is no letter."""
    style = Style("", 0.24, 0, 400, 0, True, face)
    chars: list[Char] = []
    x = 100.0
    for code in text:
        name = f"c{ord(code) - BARE:02x}" if ord(code) >= BARE else f"x{ord(code):02x}"
        height, width = sizes.get(name, (HEIGHTS.get(code, 6.83) * scale, 4.5 * scale * wide))
        chars.append(Char(code, x, 200 - height, x + width, 200.0, 200.0, style, "u" if ord(code) >= BARE else "g"))
        x += width + 0.3
    return chars


def _restored(*fonts: list[Char]) -> list[Char]:
    chars = [char for font in (_font(1, "thequickbrownfoxjumpsoverthelazydogs"), *fonts) for char in font]
    FontFacts().restore(chars)
    return chars


def test_accents_of_a_bitmap_font_come_onto_their_letters() -> None:
    words = _font(2, "r" + chr(BARE + 0x16) + "un" + "\x7f" + "os")
    for place in (1, 4):
        words[place].x0, words[place].x1 = words[place + 1].x0 + 0.5, words[place + 1].x1 - 0.5
    assert "".join(char.text for char in combine_accents(_restored(words)))[-5:] == "rūnös"


def test_the_letter_ell_of_mathematics_is_no_accent() -> None:
    style = Style("CMMI10", 10, 0, 400, 0, True, 3)
    ell, letter = (Char(code, 10, 190, 14, 200, 200, style, "g") for code in "`Y")
    assert [char.text for char in combine_accents([ell, letter])] == ["`", "Y"]


def test_wider_letters_of_a_bitmap_font_are_bold() -> None:
    bold, plain = _font(2, "model", wide=1.15), _font(3, "model", wide=1.03)
    _restored(bold, plain)
    assert [font[0].style.font for font in (bold, plain) if font[0].style] == ["Type3+CMBX10", "Type3+CMR10"]


def test_large_operators_do_not_make_a_font_large() -> None:
    operators = _font(2, "ZXZ", x5a=(22.1, 8), x58=(13.9, 13))
    _restored(operators)
    assert operators[0].style is not None
    assert (operators[0].style.font, round(operators[0].style.size)) == ("Type3+CMEX10", 10)


def test_a_slim_zero_is_a_prime() -> None:
    prime = _font(2, "0", x30=(3.64, 1.6))
    _restored(prime)
    assert prime[0].style is not None
    assert (prime[0].style.font, round(prime[0].style.size)) == ("Type3+CMSY10", 7)


def test_a_minus_says_how_large_its_font_is() -> None:
    minus = _font(2, chr(BARE) + "r", c00=(0.5, 6.1), x72=(7.0, 7.0))
    _restored(minus)
    assert minus[0].style is not None
    assert (minus[0].style.font, round(minus[0].style.size)) == ("Type3+CMSY10", 10)


def test_an_r_as_high_as_a_capital_is_the_nabla_of_bold_symbols() -> None:
    nabla = _font(2, "r", x72=(6.83, 7.5))
    _restored(nabla)
    assert nabla[0].style is not None
    assert (nabla[0].style.font, round(nabla[0].style.size)) == ("Type3+CMSY10", 10)


def test_bare_codes_alone_are_greek_if_they_are_as_high_as_that() -> None:
    greek = _font(2, chr(BARE + 0x0B) + chr(BARE + 0x0D), c0b=(4.3, 6), c0d=(6.25, 5))
    other = _font(3, chr(BARE + 0x14), c14=(7.7, 6.5))
    _restored(greek, other)
    assert [font[0].style.font for font in (greek, other) if font[0].style] == ["Type3+CMMI10", "Type3+unknown"]
    assert other[0].text == "\ufffd"


def test_typewriter_letters_keep_the_signs_of_programs() -> None:
    program = _font(2, "mainif{|}", x69=(6.1, 4.3), x7b=(9.0, 4.3), x7c=(9.0, 0.6), x7d=(9.0, 4.3))
    _restored(program)
    assert "".join(char.text for char in program) == "mainif{|}"
