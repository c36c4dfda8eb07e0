"""Evidence: found symbols, tests that executed them, measured results; nothing more is claimed."""

from __future__ import annotations

import pytest

from agentsys.verify.fidelity.evidence import UNNAMED, RequirementEvidence, gather, read_results, read_tests

from .made import FILES, PROOF, RESULTS, plan, record


def look(*symbols: str, **changes: object) -> RequirementEvidence:
    """Evidence for one requirement that these symbols carry."""
    files = {**FILES, **changes.pop("files", {})}  # type: ignore[dict-item]
    seen = gather(plan({"R1": symbols}, **changes), files, record(), RESULTS, PROOF)  # type: ignore[arg-type]
    return seen.requirements[0]


@pytest.mark.parametrize(
    ("symbols", "state", "tests"),
    [
        (("scale",), "shown", ["test_scale", "test_model[1]"]),
        (("Model",), "shown", ["test_model[1]"]),
        (("Model.step",), "written", []),  # its only test failed
        (("Child.__init__",), "shown", ["test_model[1]"]),  # inherited
        (("unused",), "written", []),
        (("absent",), "not_done", []),
        (("Model.absent",), "not_done", []),
        (("config:train.rate",), "written", []),
        (("config:train.2",), "written", []),
        (("config:train.absent",), "not_done", []),
        (("result:table.loss",), "shown", []),
        (("result:large",), "not_attempted", []),
        (("result:absent",), "written", []),
        (("scale", "absent"), "shown", ["test_scale", "test_model[1]"]),
        (("absent", "result:table.loss"), "not_done", []),  # a result of code that is not there shows nothing
        (("`scale(x, d)`",), "shown", ["test_scale", "test_model[1]"]),
        (("made/core.py:scale",), "shown", ["test_scale", "test_model[1]"]),
        (("made/core.py::Model::step",), "written", []),
        (("made.core.scale",), "shown", ["test_scale", "test_model[1]"]),
        (("core.scale",), "shown", ["test_scale", "test_model[1]"]),
    ],
)
def test_state_follows_from_what_was_seen(symbols: tuple[str, ...], state: str, tests: list[str]) -> None:
    row = look(*symbols)
    assert (row.state, [name.rpartition("::")[2] for name in row.tests]) == (state, tests), row


@pytest.mark.parametrize("symbol", ["scale", "Model", "result:table.loss"])
def test_what_was_executed_or_measured_and_no_more_is_not_shown(symbol: str) -> None:
    seen = gather(plan({"R1": (symbol,)}), FILES, record(), RESULTS)
    assert seen.ids("executed") == ["R1"] and seen.ids("shown") == []


def test_missing_symbols_are_named_even_where_others_are_shown() -> None:
    assert "`absent`" in look("scale", "absent").note


def test_reason_for_what_was_not_attempted_is_the_runs_own() -> None:
    assert look("result:large").note == "needs the full data"


def test_lines_are_those_of_the_definitions() -> None:
    lines = {item.symbol: item.line for item in look("scale", "Model.step", "Child.step").symbols}
    assert lines == {"scale": 6, "Model.step": 17, "Child.step": 17}


def test_an_absent_owner_is_not_done_whatever_was_measured() -> None:
    row = look("result:table.loss", owners={"R1": "made/gone.py"})
    assert (row.state, row.owner) == ("not_done", "") and "made/gone.py" in row.note


def test_without_names_every_public_function_of_the_owner_counts_and_it_is_said() -> None:
    row = look()
    assert {item.symbol for item in row.symbols} == {"scale", "Model.__init__", "Model.step", "unused"}
    assert (row.state, row.named) == ("shown", False) and UNNAMED in row.note


def test_a_test_file_that_owns_a_requirement_is_shown_by_its_own_passed_tests() -> None:
    made = plan({"R1": ()}, owners={"R1": "tests/test_core.py"})
    seen = gather(made, FILES, record(), None, PROOF)
    assert seen.requirements[0].state == "shown" and seen.requirements[0].tests == ("tests/test_core.py::test_scale",)


def test_without_a_record_of_tests_nothing_is_shown_by_tests() -> None:
    seen = gather(plan({"R1": ("scale",)}), FILES, None, None)
    assert seen.ids("shown") == [] and seen.ids("written") == ["R1"] and not seen.looked_at_tests


@pytest.mark.parametrize("text", ["def f(:\n", "\0", "(" * 5000])
def test_a_file_that_does_not_parse_defines_nothing(text: str) -> None:
    assert look("scale", files={"made/core.py": text.encode()}).state == "not_done"


def test_a_configuration_that_is_no_yaml_holds_no_key() -> None:
    assert look("config:train.rate", files={"configs/full.yaml": b"a: [\n"}).state == "not_done"


@pytest.mark.parametrize("raw", [None, b"", b"[]", b'{"outcomes": {"a": NaN}}'])
def test_broken_records_are_no_records(raw: bytes | None) -> None:
    assert read_tests(raw) is None and read_results(raw) is None
