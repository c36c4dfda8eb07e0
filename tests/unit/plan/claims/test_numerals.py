"""Numbers as papers print them."""

from __future__ import annotations

import time

import pytest

from agentsys.plan.claims.numerals import numerals, same, states

TEXTS = {
    "28.4 BLEU on WMT 2014": [28.4, 2014],
    "93.2% ± 0.3, 99.9\\%": [93.2, 0.3, 99.9],
    "3.3 × 10^{18} FLOPs, $2.5\\times 10^{4}$, 10^{-3}, 1e-4": [3.3e18, 2.5e4, 1e-3, 1e-4],
    "a gap of 10^{-0.58}, against 10^-4.55 and 2 × 10^{1.5}": [10, -0.58, 10, -4.55, 2, 10, 1.5],
    "1,000 steps, 175B parameters, 3k": [1000, 175e9, 3000],
    "-0.3 −0.5 and a range 3-5": [-0.3, -0.5, 3, 5],
    "16x, 2.0× faster": [16, 2.0],
    "CIFAR-10, GPT-2, ResNet50, x_{1} and L2": [],
    "Table 2, Figures 3 and 4, Section 4.1, Eq. (5), Theorem 6, [7, 8]": [],
    "| Ours | 28.4 | 41.8 |": [28.4, 41.8],
    "no numbers here": [],
}


@pytest.mark.parametrize("text", TEXTS)
def test_the_numbers_that_a_text_states_are_read_and_those_in_names_are_not(text: str) -> None:
    assert [row.value for row in numerals(text)] == pytest.approx(TEXTS[text])


def test_a_share_and_its_percentage_are_one_number_and_neighbours_are_not() -> None:
    assert same(numerals("93.2 %")[0], numerals("0.932")[0])
    assert not same(numerals("93.2 %")[0], numerals("93.1 %")[0])
    assert not same(numerals("93.2")[0], numerals("0.932")[0])


def test_a_rounded_number_counts_only_where_it_is_asked_for_and_only_downwards_in_digits() -> None:
    short, exact = numerals("69.9")[0], numerals("69.86")[0]
    assert same(short, exact, rounded=True)
    assert not same(short, exact)
    assert not same(exact, short, rounded=True)
    assert not same(numerals("7")[0], numerals("6.8")[0], rounded=True)


def test_a_value_is_stated_as_printed_or_in_per_cent() -> None:
    assert states(69.86, numerals("69.86 %"))
    assert states(0.6986, numerals("69.86 %"))
    assert not states(69.85, numerals("69.86 %"))


def test_numbers_beyond_all_bounds_are_none_and_match_nothing() -> None:
    assert numerals("9" * 400 + " and 5e999 and 1,000 × 10^{999}") == []
    assert not states(1.5e308, numerals("7 %"))


def test_long_runs_of_blanks_and_digits_take_time_in_proportion() -> None:
    texts = ["Table" + " " * 50_000, "1x10^" + " " * 50_000, "1," * 50_000, "[1" + ", 1" * 50_000]
    started = time.process_time()
    for text in texts:
        numerals(text)
    assert time.process_time() - started < 2.0
