"""PaperBench's arithmetic on trees whose scores were worked out by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.errors import UsageError
from agentsys.report.evaluate.rubric import Node, by_category, prune, read_rubric, score
from unit.evaluate.four import RUBRIC

CODE, RUN, RESULT = "Code Development", "Code Execution", "Result Analysis"


def leaf(name: str, weight: float, category: str = CODE) -> dict[str, Any]:
    return {"id": name, "requirements": f"do {name}", "weight": weight, "task_category": category}


def inner(name: str, weight: float, *children: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "requirements": f"all of {name}", "weight": weight, "sub_tasks": list(children)}


TREE = inner(
    "root", 1,
    inner("a", 2, leaf("a1", 3), leaf("a2", 1, RUN)),
    inner("b", 1, leaf("b1", 1), leaf("b2", 1, RESULT), inner("b3", 5, leaf("b31", 2), leaf("b32", 5, RUN))),
    leaf("c", 4, RESULT),
)  # fmt: skip


def read(folder: Path, data: object) -> Node:
    (folder / "rubric.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return read_rubric(folder / "rubric.json")


def graded(*met: str) -> dict[str, int]:
    return dict.fromkeys(met, 1)


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        ((), Fraction(0)),
        # Everything met is 1, whatever the weights.
        (("a1", "a2", "b1", "b2", "b31", "b32", "c"), Fraction(1)),
        # a = 3/4; root = (2 * 3/4) / 7 = 3/14.
        (("a1",), Fraction(3, 14)),
        # b3 = 2/7; b = (1 + 5 * 2/7) / 7 = 17/49; root = 17/49 / 7 = 17/343.
        (("b1", "b31"), Fraction(17, 343)),
        # a = 1/4, b = 1/7, c = 1: (2/4 + 1/7 + 4) / 7 = (14/28 + 4/28 + 112/28) / 7 = 130/196 = 65/98.
        (("a2", "b2", "c"), Fraction(65, 98)),
    ],
)
def test_score_is_the_weighted_mean_worked_out_by_hand(
    tmp_path: Path, met: tuple[str, ...], expected: Fraction
) -> None:
    assert score(read(tmp_path, TREE), graded(*met)) == expected


def test_code_only_renormalises_by_itself(tmp_path: Path) -> None:
    tree = prune(read(tmp_path, TREE), (CODE,))
    assert tree is not None
    assert [item.id for item in tree.leaves()] == ["a1", "b1", "b31"]
    # a = 1 (weight 2), b = (1 * 0 + 5 * 1) / 6 (weight 1): (2 + 5/6) / 3 = 17/18.
    assert score(tree, graded("a1", "b31")) == Fraction(17, 18)


def test_each_category_is_scored_on_its_own_tree(tmp_path: Path) -> None:
    found = by_category(read(tmp_path, TREE), graded("a1", "a2", "c"))
    # Code: a = 1 (2), b = 0 (1). Execution: a = 1 (2), b3 = 0 (1). Results: b2 = 0 (1), c = 1 (4).
    assert found == {CODE: Fraction(2, 3), RUN: Fraction(2, 3), RESULT: Fraction(4, 5)}


def test_score_of_a_large_tree_is_exact(tmp_path: Path) -> None:
    tree = inner("root", 1, *(leaf(f"l{n}", 1) for n in range(1963)))
    # A sum of floats 1/1963 would not be it.
    assert score(read(tmp_path, tree), graded(*(f"l{n}" for n in range(0, 1963, 3)))) == Fraction(655, 1963)


def test_children_of_no_weight_score_nothing(tmp_path: Path) -> None:
    tree = inner("root", 1, leaf("a", 0), leaf("b", 0))
    assert score(read(tmp_path, tree), graded("a", "b")) == 0


def test_inner_grades_and_grades_other_than_one_do_not_count(tmp_path: Path) -> None:
    assert score(read(tmp_path, TREE), {"root": 1, "a": 1, "c": 5}) == 0


def test_rubrics_of_other_hands_are_read(tmp_path: Path) -> None:
    data = {
        "rubric": {
            "requirements": "root",
            "children": [
                {"id": "x", "requirements": "one", "weight": "0.5", "task_category": "code_development", "unknown": 3},
                {"id": "x", "requirements": "two", "task_category": "Result-Analysis", "sub_tasks": []},
                {"requirement": "three", "weight": None, "finegrained_task_category": "Logging"},
            ],
        }
    }
    root = read(tmp_path, data)
    assert [(item.id, item.category, item.weight) for item in root.leaves()] == [
        ("x", CODE, Fraction(1, 2)),
        ("x@1.2", RESULT, 1),
        ("1.3", CODE, 1),
    ]
    # (1/2) / (1/2 + 1 + 1) = 1/5: the second `x` is another leaf.
    assert score(root, graded("x")) == Fraction(1, 5)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "not JSON"),
        ([], "not an object"),
        ({"id": "a"}, "no `requirements`"),
        (inner("r", 1, leaf("a", -1)), "negative"),
        (inner("r", 1, {**leaf("a", 1), "weight": "much"}), "no number"),
        (inner("r", 1, leaf("a", 1, "Poetry")), "category `Poetry`"),
        ({"requirements": "r", "sub_tasks": {"a": 1}}, "not a list"),
    ],
)
def test_what_is_no_rubric_is_said_with_its_place(tmp_path: Path, data: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read(tmp_path, data)


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    tree = leaf("deep", 1)
    for depth in range(100):
        tree = inner(f"n{depth}", 1, tree)
    with pytest.raises(UsageError, match="too deeply"):
        read(tmp_path, tree)


def test_rubric_of_the_small_paper(tmp_path: Path) -> None:
    root = read(tmp_path, RUBRIC)
    assert score(root, graded("entry")) == Fraction(3, 20)
    assert score(root, graded("eq2", "entry")) == Fraction(3, 10)
    assert score(root, graded("eq1", "eq2", "entry")) == Fraction(3, 5)
