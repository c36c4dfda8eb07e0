"""Which files are asked about together."""

from __future__ import annotations

from agentsys.plan.groups import LARGE, MOST, together


def test_a_test_goes_with_what_it_tests_whatever_stands_between_them() -> None:
    told = {"a.py": {}, "b.py": {}, "test_b.py": {"b.py": "interface of b"}, "test_a.py": {"a.py": "interface of a"}}
    own = dict.fromkeys(told, "own " * 20)
    assert together(list(told), told, own) == [["a.py", "test_a.py"], ["b.py", "test_b.py"]]


def test_those_that_have_most_in_common_come_together_first() -> None:
    told = {"a.py": {"s": "section " * 9}, "b.py": {"t": "word"}, "c.py": {"s": "section " * 9, "t": "word"}}
    found = together(list(told), told, dict.fromkeys(told, "x" * (LARGE // 2)))
    assert found == [["a.py", "c.py"], ["b.py"]]


def test_a_group_has_bounds() -> None:
    paths = [f"{number}.py" for number in range(7)]
    told = {path: {"s": "section"} for path in paths}
    small = together(paths, told, dict.fromkeys(paths, "x"))
    assert max(map(len, small)) == MOST and sorted(path for group in small for path in group) == paths
    assert together(paths, told, dict.fromkeys(paths, "x" * LARGE)) == [[path] for path in paths]


def test_files_that_share_nothing_stay_alone() -> None:
    assert together(["a.py", "b.py"], {"a.py": {"s": "x"}, "b.py": {"t": "y"}}, {"a.py": "", "b.py": ""}) == [
        ["a.py"],
        ["b.py"],
    ]
