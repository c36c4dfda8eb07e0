"""Contradictions: found across the whole paper, kept only with two quotations that stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.paper import read_paper
from agentsys.plan.claims.claim import Claim, Contradiction, Quote
from agentsys.plan.claims.conflicts import against, doubtful, kept
from agentsys.plan.claims.passages import Passages
from unit.plan.claims.papers import latex_paper, markdown_paper, written

WINDOW = Quote(place="Section 2", words="The average runs over the last k = 5 gradients in all experiments")
OTHER = Quote(place="Appendix A", words="The average runs over the last k = 10 gradients in all experiments")


@pytest.fixture
def source(tmp_path: Path) -> Passages:
    return Passages(markdown_paper(tmp_path))


def test_a_passage_of_the_appendix_with_another_number_for_an_assumption_is_found(source: Passages) -> None:
    claim = Claim(id="C1", text="Averaged gradients win (Table 1).", kind="comparison", assumptions=(WINDOW,))
    found = doubtful([claim], source)
    assert found[0].line.text.startswith("The average runs over the last k = 10 gradients")
    assert [row.id for row in found] == [f"P{n}" for n in range(1, len(found) + 1)]


def test_a_sentence_that_gives_the_quantity_of_a_table_another_number_is_found(tmp_path: Path) -> None:
    source = Passages(latex_paper(tmp_path))
    claim = Claim(
        id="C1",
        text="The measured exponent of the error is 1.49.",
        kind="rate",
        places=(Quote(place="Table 1", words="low | 1.49 | 0.02"),),
    )
    assert any("exponent of 1.3 of the error" in row.line.text for row in doubtful([claim], source))


def test_a_score_is_known_by_the_word_before_its_number(tmp_path: Path) -> None:
    text = "Our model sets a score of 41.8 on the French task.\n\nMany other words stand here.\n\n"
    text += (
        "For the other pair, the large network, cheaper than everything published, has a score of 41.0, above others."
    )
    source = Passages(read_paper(written(tmp_path, f"# T\n\n## 1 Results\n\n{text}\n")))
    words = "Our model sets a score of 41.8 on the French task"
    claim = Claim(id="C1", text=f"{words} (Section 1).", kind="number", places=(Quote(place="Section 1", words=words),))
    assert [row.line.text[-29:] for row in doubtful([claim], source)] == ["a score of 41.0, above others."[-29:]]


def test_what_the_claim_itself_quotes_is_not_held_against_it(source: Passages) -> None:
    claim = Claim(id="C1", text=WINDOW.words, kind="qualitative", places=(WINDOW,))
    assert all("k = 5" not in row.line.text for row in doubtful([claim], source))


def test_a_contradiction_is_kept_with_both_quotations_and_their_places(source: Passages) -> None:
    found = kept(WINDOW, OTHER, "the window is 5 and 10", source)
    assert found is not None
    assert (found.first.place, found.second.place) == ("Section 2", "Appendix A")
    assert (found.first.words, found.second.words) == (WINDOW.words, OTHER.words)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (WINDOW.words, "The average runs over the last k = 20 gradients in all experiments", "invented number"),
        (WINDOW.words, "larger windows were never tried in this work", "invented words"),
        ("We never average more than three gradients at once", OTHER.words, "invented first place"),
        (WINDOW.words, "the last k = 5 gradients in all experiments", "the same words"),
        ("small batches is noisy. We average the last gradients", "We average the last gradients", "a part of it"),
        (
            "Averaged gradients reach a mean accuracy of 69.86 % over 20 seeds",
            "the best of all methods",
            "one sentence",
        ),
        ("We compare on 11 data sets of the collection", "On 11 data sets it reaches", "no other number"),
    ],
)
def test_a_contradiction_that_its_quotations_do_not_show_is_dropped(
    source: Passages, first: str, second: str, why: str
) -> None:
    assert kept(Quote(place="Section 2", words=first), Quote(place="", words=second), why, source) is None


def test_a_contradiction_with_another_claim_names_it_and_one_with_other_words_or_a_table_names_none() -> None:
    elsewhere = Quote(place="Section 4", words="Windows of 20 gradients were used throughout")
    table = OTHER.model_copy(update={"place": "Table 2"})

    def found(*others: Quote, theirs: Quote = OTHER) -> tuple[str, ...]:
        both = tuple(Contradiction(what="the window", first=WINDOW, second=other) for other in others)
        first = Claim(id="C1", text="k is 5.", kind="number", places=(WINDOW,), contradictions=both)
        return against(first, (first, Claim(id="C2", text="k is 10.", kind="number", places=(theirs,))))

    assert found(OTHER) == ("C2",)
    assert found(elsewhere) == found(OTHER, elsewhere) == found(table, theirs=table) == found() == ()
