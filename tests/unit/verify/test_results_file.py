from __future__ import annotations

import json

import pytest

from agentsys.verify.compare import compare, difference
from agentsys.verify.results_file import ResultsError, judge_results, parse_results
from unit.verify.tiny import PLAN


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not JSON"),
        (b"[1, 2]", "not an object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": [1, {"b": -Infinity}]}', "-Infinity"),
        (b'{"a": 1e999}', "finite"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"a": ' * 50 + b"1" + b"}" * 50, "deeply"),
        (b"[" * 200000, "deeply"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": ' + b"9" * 400 + b"}", "finite"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON|finite"),
    ],
)
def test_a_results_file_that_is_no_object_of_finite_numbers_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(ResultsError, match=said):
        parse_results(raw)


def test_values_are_found_flat_dotted_and_with_a_unit() -> None:
    raw = json.dumps({"a.b": 1, "t": {"acc": 0.5, "x": {"value": 2, "unit": "s"}}, "flag": True, "s": "1.0"})
    results = parse_results(raw.encode())
    assert results.value("a.b") == 1.0 and results.value("t.acc") == 0.5 and results.value("t.x") == 2.0
    assert results.value("flag") is None and results.value("s") is None and results.value("t.none.y") is None


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        ({"mean": 1.5, "large": 2.0}, []),
        ({"mean": 1.5, "not_attempted": {"large": "needs a GPU"}}, []),
        ({"mean": 1.5}, ["large"]),
        ({"mean": 1.5, "not_attempted": {"large": "  "}}, ["large"]),
        ({"mean": None, "large": "3.0"}, ["mean", "large"]),
        ({"not_attempted": {"mean": "later", "large": "later"}}, [""]),
        ({"not_attempted": {"mean": "later", "large": "later"}, "seed": 3, "config": {"n": 4}}, [""]),
    ],
)
def test_every_number_of_the_paper_needs_a_value_or_a_reason(data: dict[str, object], faults: list[str]) -> None:
    results = parse_results(json.dumps(data).encode())
    assert [key for key, _ in judge_results(results, PLAN)] == faults


def test_the_table_says_honestly_what_was_not_measured() -> None:
    data = {"mean": 1.2, "scale": "10 of 60000 images", "not_attempted": {"large": "needs a GPU"}}
    first, second = compare(PLAN, parse_results(json.dumps(data).encode()))
    assert first.measured == 1.2 and "10 of 60000 images" in first.scale and "smaller scale" in first.note
    assert difference(first.expected, first.measured) == pytest.approx(0.2) and first.grade == "within 20 %"
    assert second.measured is None and second.note == "not attempted at this scale: needs a GPU"
    assert second.grade == "not attempted"


def test_without_a_results_file_nothing_is_measured() -> None:
    rows = compare(PLAN, None)
    assert [row.measured for row in rows] == [None, None]
    assert all("no sound results file" in row.note for row in rows)


def test_the_full_profile_is_not_called_smaller() -> None:
    (first, _) = compare(PLAN, parse_results(b'{"mean": 1.5, "large": 3}'), profile="full")
    assert first.note == ""
