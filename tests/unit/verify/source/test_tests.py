"""The tests that exist are counted as pytest's default names would have them."""

from __future__ import annotations

import pytest

from agentsys.verify.source.tests import same_module_names, source_tests

ALL = """
import unittest
import pytest

def test_plain(): pass
async def test_async(): pass
def helper(): pass
@pytest.fixture
def test_data(): return 1

class TestPlain:
    def __init__(self): pass
    def test_method(self): pass
    def other(self): pass
    class TestInner:
        def test_deep(self): pass

class Contract:
    def test_not_counted(self): pass

class Case(unittest.TestCase):
    def test_case(self): pass
class Further(Case):
    def testCamel(self): pass

if True:
    def test_conditional(): pass
try:
    pass
except ValueError:
    def test_in_handler(): pass
"""


def test_functions_methods_cases_and_conditional_tests_are_counted() -> None:
    found = source_tests({"tests/test_a.py": ALL.encode()})
    assert [item.name for item in found] == [
        "test_plain", "test_async", "TestPlain::test_method", "TestPlain::TestInner::test_deep", "Case::test_case",
        "Further::testCamel", "test_conditional", "test_in_handler",
    ]  # fmt: skip
    assert found[0].id == "tests/test_a.py::test_plain" and found[0].line == 5
    assert not any(item.flaw for item in found)


def test_files_count_by_their_names_outside_ignored_folders() -> None:
    names = ["test_a.py", "deep/er/b_test.py", "check_c.py", "conftest.py", ".hidden/test_d.py", "build/test_e.py",
             "node_modules/x/test_f.py", "tests/test_syntax.txt"]  # fmt: skip
    found = source_tests(dict.fromkeys(names, b"def test_x(): pass\n"))
    assert [item.path for item in found] == ["deep/er/b_test.py", "test_a.py"]


FLAWED = {
    "def test_x(): assert 0\ndef test_x(): pass\n": "defined again",
    "def test_x():\n    yield\n    assert 0\n": "yield",
    "import unittest\nclass C(unittest.TestCase):\n    async def test_x(self): assert 0\n": "never awaits",
    "import unittest as u\nclass C(u.TestCase):\n    def run(self): pass\n    def test_x(self): pass\n": "by `run`",
}


@pytest.mark.parametrize(("text", "flaw"), FLAWED.items())
def test_a_test_that_runs_nothing_carries_its_flaw(text: str, flaw: str) -> None:
    assert flaw in source_tests({"test_a.py": text.encode()})[0].flaw


def test_an_inner_generator_and_an_awaited_case_are_sound() -> None:
    text = (
        "import unittest\n\ndef test_x():\n    def rows():\n        yield 1\n    assert list(rows()) == [1]\n"
        "class C(unittest.IsolatedAsyncioTestCase):\n    async def test_y(self): pass\n"
    )
    assert [item.flaw for item in source_tests({"test_a.py": text.encode()})] == ["", ""]


def test_files_of_one_name_are_told_apart_by_packages_only() -> None:
    two = {"a/test_x.py": b"", "b/test_x.py": b""}
    assert same_module_names(two)
    assert not same_module_names({**two, "a/__init__.py": b""})
    assert not same_module_names({"a/test_x.py": b"", "b/test_y.py": b"", "b/x.py": b""})
