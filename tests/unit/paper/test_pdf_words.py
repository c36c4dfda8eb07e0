"""Words that a line end has cut, and accents that the file draws as glyphs of their own."""

from __future__ import annotations

import pytest

from agentsys.paper.pdf.extract import combine_accents
from agentsys.paper.pdf.fonts import Span, make_font
from agentsys.paper.pdf.glyphs import Char, Style, to_lines
from agentsys.paper.pdf.lines import Line
from agentsys.paper.pdf.words import Vocabulary, join_lines, tidy, undivided

FONT = make_font("Times-Roman", 400, 0)


def line(text: str) -> Line:
    spans = [Span(word, FONT, 10.0, 0, 0, 5, 10, 8, space=number > 0) for number, word in enumerate(text.split())]
    return Line(1, spans)


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["the normal-", "ization of layers", "normalization"], "the normalization of layers"),
        (["a low-", "rank matrix", "a low-cost one of rank"], "a low-rank matrix"),
        (["shared source-", "target words", "the source and the target"], "shared source-target words"),
        (["Further-", "more we see", "further and more"], "Furthermore we see"),
        (["English-", "to-German text"], "English-to-German text"),
        (["the state-of-", "the-art result"], "the state-of-the-art result"),
        (["a non-", "Gaussian one"], "a non-Gaussian one"),
        (["pages 10-", "20 of it"], "pages 10-20 of it"),
        (["we use prob-", "ability"], "we use probability"),
    ],
)
def test_the_papers_own_words_decide_on_a_hyphen(lines: list[str], joined: str) -> None:
    vocabulary = Vocabulary(map(line, lines))
    assert join_lines([line(text) for text in lines[:2]], vocabulary) == joined


def test_ligatures_become_letters() -> None:
    assert tidy("eﬃcient ﬁgures\u00ad") == "efficient figures"


def test_an_accent_goes_onto_the_letter_below_it() -> None:
    style = Style("CMR10", 10.0, 0, 400, 0)

    def char(text: str, x: float) -> Char:
        return Char(text, x, 0.0, x + 5, 10.0, 8.0, style, "g")

    far = [char(letter, 6.0 * number) for number, letter in enumerate("Lorincz")]
    text = "".join(item.text for item in combine_accents([*far, char("¨", 6.5)]))
    assert text == "Lörincz"
    alone = [char("a", 0.0), char("˜", 50.0)]
    assert "".join(item.text for item in combine_accents(alone)) == "a˜"


@pytest.mark.parametrize(("word", "read"), [("L´orincz", "Lórincz"), ("and´ora", "and óra")])
def test_a_space_that_only_an_accent_made_goes_with_it(word: str, read: str) -> None:
    style = Style("CMR10", 10.0, 0, 400, 0)
    chars: list[Char] = []
    x = 0.0
    for letter in word:
        if letter == "´":
            # What PDFium hands out: it takes the way back to the accent for a gap.
            space = Char(" ", 0.0, 0.0, 0.0, 0.0, 0.0, None, "s")
            x += 0.3 if word.startswith("L") else 3.0
            chars += [space, Char("´", x + 1, 0.0, x + 3, 2.0, 8.0, style, "g"), space]
        else:
            chars.append(Char(letter, x, 2.0, x + 5, 10.0, 8.0, style, "g"))
            x += 5.2
    read_out = "".join(char.text for char in combine_accents(chars))
    assert " ".join(read_out.split()) == read


def test_a_word_broken_between_two_rows_of_a_table_is_whole() -> None:
    rows = [("Area", "Pre-treat-", "a-"), ("(ha)", "ment (years)", "b"), ("12", "fine", "c")]
    read = undivided(rows, Vocabulary([line("pre-treatment data")]))
    assert read == (("Area", "Pre-treatment", "a-"), ("(ha)", "(years)", "b"), ("12", "fine", "c"))


def test_a_row_far_back_and_below_begins_a_line_and_a_denominator_does_not() -> None:
    style = Style("Times-Roman", 10.0, 0, 400, 0)
    space = Char(" ", 0.0, 0.0, 0.0, 0.0, 0.0, None, "s")
    places = [("end", 400.0, 100.0), ("begin", 100.0, 112.0), ("over", 160.0, 112.0), ("under", 150.0, 120.0)]
    chars: list[Char] = []
    for word, x, base in places:
        chars += [Char(word, x, base - 7, x + 20, base, base, style, "g"), space]
    lines = to_lines(chars, set())["lines"]
    assert [[span[0] for span in line[2]] for line in lines] == [["end"], ["begin", "over", "under"]]
