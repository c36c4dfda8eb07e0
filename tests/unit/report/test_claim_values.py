"""Which of a claim's raw rows its page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.report.claim_values import MOST_LINES, values
from unit.verify.claims.judging import Line, rows_of


def shown(tmp_path: Path, lines: list[Line]) -> tuple[list[tuple[str, str]], int]:
    found = values(rows_of(tmp_path, lines), "C1")
    return [(row[1], row[-1]) for row in found.lines], found.left


@pytest.mark.parametrize("place", [1, 137, 298])
@pytest.mark.parametrize("value", [-3.5, 1e9])
def test_of_many_lines_the_one_on_which_a_bound_is_decided_is_shown(tmp_path: Path, place: int, value: float) -> None:
    lines: list[Line] = [(0, f"n={n}", "a", value if n == place else 1.0 + n / 1000) for n in range(300)]
    found, left = shown(tmp_path, lines)
    assert (f"n={place}", f"0: {value:.6g}") in found
    assert len(found) == MOST_LINES and left == 300 - MOST_LINES
    numbers = [int(setting.partition("=")[2]) for setting, _ in found]
    assert numbers == sorted(numbers) and {0, 299} <= set(numbers)


def test_few_lines_are_all_shown_and_a_value_that_is_no_number_hides_none(tmp_path: Path) -> None:
    found, left = shown(tmp_path, [(0, "n=1", "a", "nan"), (0, "n=2", "a", 2.0), (1, "n=2", "a", 3.0)])
    assert (found, left) == ([("n=1", "0: nan"), ("n=2", "0: 2, 1: 3")], 0)


def test_where_more_is_to_be_kept_than_there_is_room_for_the_table_stays_as_long_as_it_is(tmp_path: Path) -> None:
    lines: list[Line] = [(0, f"n={n}", f"m{m}", float(n)) for n in range(3) for m in range(40)]
    found, left = shown(tmp_path, lines)
    assert len(found) == MOST_LINES and left == 120 - MOST_LINES
