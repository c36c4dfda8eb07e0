"""The map of the paper claims what was seen, and its check finds every claim that is not so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsys.verify.fidelity.evidence import gather
from agentsys.verify.fidelity.papermap import map_faults, paper_map

from .made import FILES, PROOF, RESULTS, plan, record

PLAN = plan({"R1": ("scale", "result:table.loss"), "R2": ("unused",), "R3": ("absent",), "R4": ("result:large",)})


def made() -> tuple[str, str]:
    return paper_map(PLAN, gather(PLAN, FILES, record(), RESULTS, PROOF), FILES)


def test_map_holds_place_code_tests_and_evidence() -> None:
    page, raw = made()
    rows = {row["id"]: row for row in json.loads(raw)["requirements"]}
    assert rows["R1"]["place"] == {
        "section": "3.1", "label": "Eq. (2)", "page": 4, "quote": "we divide by the square root of d",
    }  # fmt: skip
    assert (rows["R1"]["owner"], rows["R1"]["evidence"]) == ("made/core.py", "shown")
    assert {(s["symbol"], s["line"], s["value"]) for s in rows["R1"]["symbols"]} == {
        ("scale", 6, None), ("table.loss", None, 0.5),
    }  # fmt: skip
    assert [rows[name]["evidence"] for name in ("R2", "R3", "R4")] == ["written", "not_done", "not_attempted"]
    first = next(line for line in page.splitlines() if line.startswith("| R1"))
    for word in ("3.1, Eq. (2) (p. 4)", "we divide", "`made/core.py:6` scale", "test_scale", "`table.loss` = 0.5"):
        assert word in first
    assert "1 of 4 requirements are shown" in page and "- R3 (not done)" in page and "- R2 (written" in page


def test_a_true_map_has_no_faults() -> None:
    assert map_faults(made()[1], FILES, record(), RESULTS) == []


def test_the_page_has_one_row_a_requirement_whatever_the_text_holds() -> None:
    rows = tuple(
        row.model_copy(update={"what": "a | b\n| c", "place": row.place.model_copy(update={"quote": "x | y\nz"})})
        for row in PLAN.requirements
    )
    hostile = PLAN.model_copy(update={"requirements": rows})
    page, _ = paper_map(hostile, gather(hostile, FILES), FILES)
    table = [line for line in page.splitlines() if line.startswith("| R")]
    assert len(table) == 4 and all(line.replace("\\|", "").count("|") == 8 for line in table)


def test_what_strangers_wrote_becomes_no_markup_of_the_page() -> None:
    text = "<img src=x> ![see](https://evil.example) `a` @all &lt; \\| \x1b[31m"
    rows = tuple(
        row.model_copy(update={"what": text, "place": row.place.model_copy(update={"quote": text})})
        for row in PLAN.requirements
    )
    hostile = PLAN.model_copy(update={"requirements": rows})
    page, _ = paper_map(hostile, gather(hostile, FILES), FILES)
    for mark in ("<img", "![", "](", "https://", "@all", " `a`", "\x1b"):
        assert mark not in page.replace("\\[", "(").replace("\\]", ")"), mark
    assert r"&amp;lt; &#92;\|" in page


def _claims(change: str, row: dict[str, Any]) -> None:
    symbol = row["symbols"][0]
    if change == "line":
        symbol["line"] += 1
    elif change == "symbol":
        symbol["symbol"] = "invented"
    elif change == "test":
        symbol["tests"].append("tests/test_core.py::test_invented")
    elif change == "failed test":
        symbol["tests"].append("tests/test_core.py::test_step")
    elif change == "value":
        row["symbols"][1]["value"] = 0.49
    elif change == "owner":
        row["owner"] = "made/gone.py"
    elif change == "shown":
        row["symbols"] = []
    else:
        row["tests"].append("tests/test_core.py::test_unrelated")


@pytest.mark.parametrize("change", ["line", "symbol", "test", "failed test", "value", "owner", "shown", "list"])
def test_a_claim_that_is_not_so_is_found(change: str) -> None:
    data = json.loads(made()[1])
    _claims(change, data["requirements"][0])
    assert map_faults(json.dumps(data), FILES, record(), RESULTS)


def test_something_that_is_no_map_is_a_fault() -> None:
    assert map_faults("[]", FILES, None, None)


def test_a_test_that_owns_a_requirement_must_have_passed() -> None:
    own = plan({"R1": ()}, owners={"R1": "tests/test_core.py"})
    _, raw = paper_map(own, gather(own, FILES, record(), None, PROOF), FILES)
    failed = record(outcomes={"tests/test_core.py::test_scale": "failed"})
    assert map_faults(raw, FILES, record(), None) == [] and map_faults(raw, FILES, failed, None)
