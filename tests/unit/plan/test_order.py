"""Questions are told what they need in the order with which the least is told anew."""

from __future__ import annotations

from itertools import combinations, takewhile

from agentsys.plan import order
from agentsys.plan.order import Orders

# The piece that saves most at first sight, `big`, stands in the way of two pairs.
CROSSED = {
    "one": {"big": "b" * 30, "left": "l" * 29},
    "two": {"big": "b" * 30, "right": "r" * 29},
    "three": {"left": "l" * 29, "rest": "x"},
    "four": {"right": "r" * 29, "rest": "x"},
}


def anew(found: dict[str, tuple[str, ...]], needed: dict[str, dict[str, str]]) -> int:
    texts = ["".join(needed[name][piece] for piece in pieces) for name, pieces in found.items()]
    told = 0
    for number, text in enumerate(texts):
        told += len(text) - max((alike(text, other) for other in texts[:number]), default=0)
    return told


def alike(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def test_each_question_is_told_all_it_needs_once() -> None:
    found = Orders(CROSSED).best()
    assert {name: sorted(pieces) for name, pieces in found.items()} == {
        name: sorted(pieces) for name, pieces in CROSSED.items()
    }


def test_a_piece_that_stands_in_the_way_of_others_does_not_come_first() -> None:
    assert anew(Orders(CROSSED).best(), CROSSED) == 30 + 30 + 29 + 29 + 1 + 1


def test_what_all_need_comes_first() -> None:
    needed = {name: {f"own {name}": name, **pieces, "all": "a"} for name, pieces in CROSSED.items()}
    assert all(pieces[0] == "all" for pieces in Orders(needed).best().values())


def test_many_questions_are_ordered_within_bounds() -> None:
    names = [f"piece {number}" for number in range(24)]
    pairs = list(combinations(names, 2))[:60]
    needed = {
        f"file {number}": {name: name * 9 for name in (*pair, names[number % 24])} for number, pair in enumerate(pairs)
    }
    search = Orders(needed)
    found = search.best()
    assert found.keys() == needed.keys() and len(search._known) < 30 * order.ENOUGH  # pyright: ignore[reportPrivateUsage]
