from __future__ import annotations

from sgdlab.config import Data
from sgdlab.data import make


def test_rows_are_split_and_end_in_the_constant() -> None:
    train, held_out = make(Data())
    assert (len(train.rows), len(held_out.rows)) == (32, 16)
    assert all(row[-1] == 1.0 for row in (*train.rows, *held_out.rows))


def test_the_seed_decides_the_problem() -> None:
    assert make(Data()) == make(Data())
    assert make(Data()) != make(Data(seed=4))
