"""Claims of known truth: no verdict says what is not so."""

from __future__ import annotations

import pytest

from benchmarks.claims_truth import Settled, settle


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> list[Settled]:
    return settle(tmp_path_factory.mktemp("truth"))


def test_no_claim_is_verified_or_falsified_wrongly(settled: list[Settled]) -> None:
    assert [row.case.name for row in settled if row.false] == []


def test_nine_of_ten_claims_are_settled_as_their_rows_deserve(settled: list[Settled]) -> None:
    assert len(settled) >= 30
    wrong = [(row.case.name, row.verdict, row.reasons) for row in settled if not row.right]
    assert len(wrong) <= len(settled) / 10, wrong


def test_true_claims_are_verified_and_altered_ones_falsified_among_them(settled: list[Settled]) -> None:
    assert {"verified", "falsified", "toy", "inconclusive", "contested", "blocked"} <= {row.verdict for row in settled}
