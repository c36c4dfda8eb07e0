"""Of a test file a reviewer is shown what no planted fault has proven, and whatever could make a test look right."""

from __future__ import annotations

from agentsys.verify.fidelity.longdata import shortened
from agentsys.verify.fidelity.unproven import unproven

FILE = """'''Tests.'''
import math
import sys
import pytest
from m.core import step, walk

LIMIT = 5
UNUSED = 7
sys.path.insert(0, "elsewhere")


def near(value):
    return pytest.approx(value, abs=LIMIT)


def only_proven(value):
    return value + 1


@pytest.fixture
def replaced(monkeypatch):
    monkeypatch.setattr("m.core.step", lambda x: 3)


@pytest.fixture
def start():
    return math.pi


def test_proven():
    assert step(only_proven(1)) == 3


@pytest.mark.parametrize("x", [1, 2])
def test_open(x, start):
    assert walk(x) == near(start)


def test_last():
    assert walk(0) == 0
"""


def test_unproven_tests_stand_with_all_that_they_use_and_nothing_else() -> None:
    text = unproven(FILE, ["test_proven"], 5000)
    assert "def near" in text and "LIMIT = 5" in text and "return math.pi" in text and "parametrize" in text
    assert "from m.core import step, walk" in text
    assert "only_proven(1)" not in text and "def only_proven" not in text and "UNUSED" not in text
    assert text.endswith("# noticed a fault planted in the code: test_proven\n")


def test_what_may_put_something_in_the_place_of_the_code_is_shown_whoever_uses_it() -> None:
    text = unproven(FILE, ["test_proven", "test_open", "test_last"], 5000)
    assert "monkeypatch.setattr" in text and "sys.path.insert" in text
    assert "def test_open" not in text and "def near" not in text


def test_a_proven_test_that_replaces_something_is_shown_all_the_same() -> None:
    body = "monkeypatch.setattr(core, 'slow', lambda x: 3)\n"
    alone = f"def test_fast(monkeypatch):\n    {body}    assert core.step(1) == 3\n"
    assert body in unproven(alone, ["test_fast"], 5000)
    inside = f"class TestIt:\n    def test_fast(self, monkeypatch):\n        {body}"
    inside += "\n    def test_plain(self):\n        assert 1\n"
    text = unproven(inside, ["TestIt.test_fast", "TestIt.test_plain"], 5000)
    assert body in text and "def test_plain" not in text


def test_beyond_the_limit_whole_tests_are_named_instead_and_what_replaces_goes_first() -> None:
    text = unproven(FILE, ["test_proven"], 150)
    assert "monkeypatch.setattr" in text and "sys.path.insert" in text
    assert text.splitlines()[-1] == "# not shown here, and did not notice one yet: test_open, test_last"
    one = unproven(FILE, ["test_proven"], 330)
    assert one.splitlines()[-1].endswith("yet: test_open") and "assert walk(0) == 0" in one


def test_a_test_file_that_is_no_python_is_shown_as_it_is() -> None:
    assert unproven("def (:\n" * 3, ["test_x"], 100) == "def (:\n" * 3


def test_of_a_long_table_the_ends_stand_and_its_lines_are_counted() -> None:
    rows = "\n".join(f"    {number}," for number in range(60))
    source = f"A = [\n{rows}\n]\n\n\ndef f() -> int:\n    return len(A)\n"
    text = shortened(source)
    assert (
        "... 48 lines of 62 are not shown here; no two are alike ..." in text
        and "    8,\n..." in text
        and "    59,\n]" in text
    )
    assert "    30," not in text and "return len(A)" in text


def test_of_a_long_table_it_is_told_how_many_lines_repeat_another() -> None:
    rows = "\n".join(f"    {number // 2}," for number in range(60))
    assert "not shown here; 30 of them repeat another ..." in shortened(f"A = [\n{rows}\n]\n")


def test_what_computes_and_what_documents_is_never_shortened() -> None:
    calls = "\n".join(f"    f({number})," for number in range(60))
    words = "\n".join(f"line {number}" for number in range(60))
    source = f'"""{words}"""\n\nA = [\n{calls}\n]\n'
    assert shortened(source) == source
