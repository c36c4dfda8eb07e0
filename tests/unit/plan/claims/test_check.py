"""The source audit: what a claim quotes and every number of it, held against papers that the real readers read."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.paper import read_paper
from agentsys.plan.claims.check import audit
from agentsys.plan.claims.claim import Claim, Quote, Target
from agentsys.plan.claims.passages import Passages
from unit.plan.claims.papers import latex_paper, markdown_paper, written

ROW = "Averaged gradients | 69.86 | 0.35"


@pytest.fixture
def source(tmp_path: Path) -> Passages:
    return Passages(markdown_paper(tmp_path))


def claim(text: str, *places: tuple[str, str], targets: tuple[Target, ...] = (), **more: object) -> Claim:
    quotes = tuple(Quote(place=place, words=words) for place, words in places)
    return Claim.model_validate(
        {"id": "C1", "text": text, "kind": "number", "places": quotes, "targets": targets, **more}
    )


def target(value: float, where: str = "Table 1", spread: float | None = None) -> Target:
    return Target(value=value, unit="%", spread=spread, where=where)


def test_what_the_paper_says_where_it_says_it_is_left_as_it_is(source: Passages) -> None:
    said = claim("Averaged gradients reach 69.86 % (Table 1).", ("Table 1", ROW), targets=(target(69.86, spread=0.35),))
    assert audit(said, source) == (said, [])


def test_misquoted_words_and_their_number_are_corrected_from_the_paper_and_said(source: Passages) -> None:
    wrong = ROW.replace("69.86", "68.73")
    said = claim("They reach 68.73 % (Table 1).", ("Table 1", wrong), targets=(target(68.73),))
    checked, findings = audit(said, source)
    assert findings == []
    assert checked.text == "They reach 69.86 % (Table 1)."
    assert [row.words for row in checked.places] == [ROW]
    assert [row.value for row in checked.targets] == [69.86]
    assert {(row.what, row.said, row.paper) for row in checked.corrections} == {
        ("words", wrong, ROW),
        ("number", "68.73", "69.86"),
    }


def test_a_misquoted_count_is_corrected_from_the_one_number_that_is_quoted_instead(source: Passages) -> None:
    said = claim("It wins on 10 data sets.", ("Section 3", "We compare on 11 data sets of the collection"))
    checked, findings = audit(said, source)
    assert (checked.text, findings) == ("It wins on 11 data sets.", [])


def test_a_number_is_not_replaced_by_a_guess_where_two_could_be_meant(source: Passages) -> None:
    words = "reaches a mean accuracy of 69.86 %, against 66.20 % for plain descent"
    checked, findings = audit(claim("It reaches 68.0 %.", ("Abstract", words)), source)
    assert checked.text == "It reaches 68.0 %."
    assert findings == ["the number 68.0 of the claim stands at none of the places it names"]
    assert checked.doubts == tuple(findings)


def test_a_misquotation_that_a_model_names_is_taken_only_where_quoted_words_say_so(source: Passages) -> None:
    words = "reaches a mean accuracy of 69.86 %, against 66.20 % for plain descent"
    said = claim("It reaches 68.0 %.", ("Abstract", words))
    assert audit(said, source, [("68.0", "69.86")])[0].text == "It reaches 69.86 %."
    assert audit(said, source, [("68.0", "71.5")])[0].text == "It reaches 68.0 %."
    right = claim("It reaches 69.86 %.", ("Abstract", words))
    assert audit(right, source, [("69.86", "66.20")])[0].text == "It reaches 69.86 %."


def test_a_wrong_place_is_corrected_to_where_the_words_stand(source: Passages) -> None:
    said = claim("Plain.", ("Table 2", ROW), ("Section 1", "The learning rate was 0.01 for all methods"))
    checked, findings = audit(said, source)
    assert findings == []
    assert [row.place for row in checked.places] == ["Table 1", "Section 3"]
    assert [(row.what, row.said, row.paper) for row in checked.corrections] == [
        ("place", "Table 2", "Table 1"),
        ("place", "Section 1", "Section 3"),
    ]


@pytest.mark.parametrize("named", ["Table 2", "Tables 2 and 3", "Section 2", "Table 7, Section 9", "Eq. (3)"])
def test_a_wrong_place_in_the_sentence_itself_is_corrected_and_said(source: Passages, named: str) -> None:
    checked, findings = audit(claim(f"They reach 69.86 % ({named}).", ("Table 1", ROW)), source)
    assert (checked.text, findings) == ("They reach 69.86 % (Table 1).", [])
    assert [(row.what, row.said, row.paper) for row in checked.corrections] == [("place", named, "Table 1")]


@pytest.mark.parametrize(
    "named",
    [
        "Table 1",
        "Table 1a",
        "Table 1(b)",
        "Tables 1 and 2",
        "Tables 3, 2 and 1",
        "Section 3",
        "Sections 2 & 3",
        "Section 3, Table 1",
        "of the last kind",
    ],
)
def test_a_right_place_in_the_sentence_is_left_as_it_is(source: Passages, named: str) -> None:
    said = claim(f"They reach 69.86 % ({named}).", ("Table 1", ROW))
    assert audit(said, source) == (said, [])


def test_a_place_that_the_quoted_text_speaks_of_is_right_too(source: Passages) -> None:
    said = claim("It is the best of all methods (Table 1).", ("Section 3", "the best of all methods. Table 1 holds"))
    assert audit(said, source) == (said, [])


def test_words_that_stand_nowhere_are_not_kept_and_the_claim_counts_as_not_found(source: Passages) -> None:
    checked, findings = audit(claim("X.", ("Section 2", "the method needs no tuning at all, as we prove")), source)
    assert not checked.found
    assert findings == ["the words “the method needs no tuning at all, as we prove” stand nowhere in the paper"]


def test_the_same_words_with_another_number_are_no_quotation(source: Passages) -> None:
    assert source.quote("Table 1", ROW) is not None
    assert source.quote("Table 1", ROW.replace("69.86", "6.986")) is None  # the same digits


def test_a_target_that_the_paper_states_nowhere_is_dropped_with_a_finding(source: Passages) -> None:
    said = claim("They win (Table 1).", ("Table 1", ROW), targets=(target(12.5), target(69.86, spread=9.9)))
    checked, findings = audit(said, source)
    assert [(row.value, row.spread) for row in checked.targets] == [(69.86, None)]
    assert findings == [
        "the number 12.5 of its targets does not stand in Table 1",
        "the spread 9.9 does not stand in Table 1",
    ]


def test_an_assumption_that_the_paper_does_not_make_is_dropped(source: Passages) -> None:
    said = claim(
        "They win (Table 1).",
        ("Table 1", ROW),
        assumptions=(
            Quote(place="Section 2", words="We assume that the loss f is convex and smooth"),
            Quote(place="Section 2", words="We assume that the gradients are bounded everywhere"),
        ),
    )
    checked, findings = audit(said, source)
    assert [row.words for row in checked.assumptions] == ["We assume that the loss f is convex and smooth"]
    assert len(findings) == 1


def test_the_formula_behind_a_theorem_belongs_to_it(tmp_path: Path) -> None:
    theorem = "Theorem 1 Let f be convex. Then for every n\n\n$$ f_n \\le 37 / n $$\n\nProof. By induction.\n"
    source = Passages(read_paper(written(tmp_path, f"# T\n\n## 1 Results\n\nWe say more.\n\n{theorem}")))
    said = claim("The error is at most 37 / n (Theorem 1).", ("Theorem 1", "Let f be convex. Then for every n"))
    assert audit(said, source)[1] == []


def test_tables_and_formulas_of_a_latex_source_are_places_too(tmp_path: Path) -> None:
    source = Passages(latex_paper(tmp_path))
    said = claim(
        "The exponent is 1.94 for the low start (Table 1).",
        ("Table 1", "low | 1.94 | 0.02"),
        ("Eq. (1)", "x_{n+1} = \\frac{x_n}{2} + \\frac{1}{4}"),
        targets=(Target(value=1.49, spread=0.02, where="Table 1"),),
    )
    checked, findings = audit(said, source)
    assert findings == []
    assert checked.text == "The exponent is 1.49 for the low start (Table 1)."
    assert [row.place for row in checked.places] == ["Table 1", "Eq. (1)"]


def test_a_fall_may_be_told_without_the_sign_that_the_table_has(tmp_path: Path) -> None:
    table = "Table 1: Change of the rate.\n\n| Size | Change |\n| --- | --- |\n| small | -0.135 |\n"
    source = Passages(read_paper(written(tmp_path, f"# T\n\n## 1 Results\n\n{table}\nIt is small.\n")))
    said = claim("It lowers the rate by 0.135 (Table 1).", ("Table 1", "small | -0.135"), targets=(target(-0.135),))
    assert audit(said, source)[1] == []
    wrong = claim("It changes by this (Table 1).", ("Table 1", "small | -0.135"), targets=(target(0.135),))
    assert len(audit(wrong, source)[1]) == 1


def test_words_that_are_too_few_to_be_found_again_are_called_so(source: Passages) -> None:
    few = Quote(place="Section 2", words="for all n")
    findings = audit(claim("They win (Table 1).", ("Table 1", ROW), assumptions=(few,)), source)[1]
    assert findings == [
        "the words “for all n” of an assumption are too few to be found again: quote more of the sentence"
    ]
