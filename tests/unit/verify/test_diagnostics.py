from __future__ import annotations

import pytest

from agentsys.core.artifacts import Diagnostic, FileSpec, PaperPlace, Plan, Requirement
from agentsys.core.fingerprint import stable_text
from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.logs.diagnostics import ORDER, order_and_merge


def fault(**changes: object) -> Diagnostic:
    base: dict[str, object] = {
        "kind": "test",
        "check": "pytest",
        "path": "pkg/a.py",
        "symbol": "f",
        "message": "ValueError: x",
    }
    return Diagnostic.model_validate(base | changes)


def test_a_fingerprint_ignores_lines_numbers_addresses_and_counts() -> None:
    one = fault(line=3, message="ValueError: shape (3, 4) at 0x7f01 in /tmp/a1b2/x [2 times: a, b]")
    two = fault(
        line=30,
        message="ValueError: shape (5, 6) at 0x7fff in /tmp/zzzz/x",
        frames=("pkg/a.py:30 in f",),
        detail="more",
    )
    assert one.fingerprint == two.fingerprint


def test_a_fingerprint_tells_apart_kind_file_function_and_words() -> None:
    base = fault()
    others = [fault(path="pkg/b.py"), fault(symbol="g"), fault(message="TypeError: x"), fault(kind="type")]
    assert len({item.fingerprint for item in [base, *others]}) == 5


def test_one_fault_in_the_method_is_one_whichever_check_meets_it() -> None:
    seen = [fault(), fault(kind="runtime", check="smoke"), fault(kind="import", check="imports")]
    assert len({item.fingerprint for item in seen}) == 1
    assert len(order_and_merge(seen)) == 1


def test_faults_in_tests_stay_apart() -> None:
    seen = [fault(path="tests/test_a.py", symbol="test_one"), fault(path="tests/test_a.py", symbol="test_two")]
    assert len(order_and_merge(seen)) == 2


def test_a_missing_distribution_is_one_fault_wherever_it_is_imported() -> None:
    seen = [fault(kind="missing_dependency", symbol="pyyaml", path=f"pkg/{name}.py", message=name) for name in "abc"]
    assert len(order_and_merge(seen)) == 1


def test_root_causes_come_first() -> None:
    seen = [fault(kind=kind, message=kind, path=f"tests/{kind}.py") for kind in reversed(ORDER)]
    assert [item.kind for item in order_and_merge(seen)] == list(ORDER)


def test_merging_keeps_the_richest_sighting_and_counts_the_rest() -> None:
    rich = fault(frames=("tests/t.py:1 in t", "pkg/a.py:3 in f"), line=3)
    (merged,) = order_and_merge([fault(), rich, fault()])
    assert merged.line == 3 and merged.message.startswith("ValueError: x [3 times")
    assert merged.fingerprint == fault().fingerprint


def test_a_fault_that_recurs_names_every_place_and_stays_the_same_fault() -> None:
    lines = (4, 9, 12, 30, 31, 40, 41, 42)
    seen = [fault(kind="type", check="pyright", symbol="", line=line, message="no `x` (rule)") for line in lines]
    (merged,) = order_and_merge(seen)
    assert merged.message.startswith("no `x` (rule) [8 times: ")
    assert all(f"pyright pkg/a.py:{line}" in merged.message for line in lines) and "..." not in merged.message
    assert merged.fingerprint == seen[0].fingerprint


def test_the_ledger_is_found_through_owner_and_file() -> None:
    plan = Plan(
        package="pkg", summary="s", architecture="a",
        requirements=(Requirement(id="R2", what="w", place=PaperPlace(section="1"), owner="pkg/a.py"),),
        files=(FileSpec(path="pkg/a.py", purpose="p", requirements=("R1",)),),
        config_full={}, config_smoke={}, experiments=({"name": "e", "what": "w", "full": "f", "smoke": "s"},),  # type: ignore[arg-type]
    )  # fmt: skip
    facts = RepoFacts(plan=plan)
    assert facts.requirements("pkg/a.py") == ("R1", "R2")
    assert facts.requirements("pkg/b.py") == facts.requirements("") == ()


def test_what_programs_printed_cannot_steer_a_terminal_or_a_path() -> None:
    hostile = fault(
        message="ValueError: \x1b[2J\x07x",
        detail="\x1b]0;title\x07",
        symbol="f\x1b[0m",
        frames=("a\x1b[1m",),
        path="../../etc/x",
    )
    (found,) = order_and_merge([hostile])
    text = found.model_dump_json()
    assert "\\u001b" not in text and "\x1b" not in text and "\\u0007" not in text and found.path == ""


def test_a_flood_of_diagnostics_is_bounded() -> None:
    assert len(order_and_merge([fault(symbol=f"f{'x' * n}") for n in range(500)])) == 100


@pytest.mark.timeout(10)
def test_a_hostile_message_is_fingerprinted_in_reasonable_time() -> None:
    for message in (" " * 500000, "[" * 500000, "1" * 500000, "0x" * 250000):
        assert stable_text(message) is not None


def test_stable_text_is_one_line() -> None:
    assert stable_text("a 1.5e-3\nsecond") == "a #"
