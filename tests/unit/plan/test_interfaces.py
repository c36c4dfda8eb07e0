"""What other files are shown of a finished one."""

from __future__ import annotations

from agentsys.code.interface_check import interface_violations
from agentsys.plan.interfaces import interface_of

SOURCE = '''"""Module."""
from dataclasses import dataclass
LIMIT: int = 3
NAMES = ("a", "b")
_HIDDEN = 1

@dataclass(frozen=True)
class Point:
    """A point."""
    x: float
    y: float = 0.0

    @property
    def norm(self) -> float:
        """Length."""
        return abs(self.x)

    def _private(self) -> None: ...

def move(p: Point, by: float = 1.0) -> Point:
    """Shift a point.

    More words.
    """
    return p
'''


def test_decorators_defaults_and_first_doc_lines_are_shown_and_private_names_are_not():
    lines = interface_of(SOURCE)
    assert "@dataclass(frozen=True)" in lines
    assert "    @property" in lines
    assert "    y: float = 0.0" in lines
    assert any(line.startswith("def move(p: Point, by: float=1.0) -> Point: ...  # Shift a point.") for line in lines)
    assert not any("_private" in line or "_HIDDEN" in line or "More words" in line for line in lines)


def test_a_file_that_does_not_parse_is_said_to_not_parse():
    assert interface_of("def (:") == ["# does not parse"]


def test_a_kept_interface_has_no_broken_promise():
    interface = """def move(p: Point, by: float = 1.0) -> Point  # shifts
class Point  # frozen dataclass: x, y
Point.norm -> float (property)
LIMIT: int
NAMES: tuple[str, ...]"""
    assert interface_violations(interface, SOURCE) == []


def test_missing_functions_classes_and_parameters_are_broken_promises():
    interface = "def move(p: Point, by: float, twice: bool) -> Point\ndef gone(x: int) -> int\nclass Nowhere"
    broken = interface_violations(interface, SOURCE)
    assert len(broken) == 3
    assert "twice" in broken[0] and "gone" in broken[1] and "Nowhere" in broken[2]


def test_a_parameter_that_callers_do_not_know_of_must_have_a_default():
    assert interface_violations("def f(a: int) -> int", "def f(a, b): ...")
    assert interface_violations("def f(a: int) -> int", "def f(a, b=1, *, c=2): ...") == []


def test_methods_are_compared_without_self():
    source = "class A:\n    def run(self, x, y): ...\n    @property\n    def size(self): ...\n"
    assert interface_violations("class A\nA.run(x: int, y: int) -> None\nA.size -> int", source) == []
    assert interface_violations("class A\nA.run(x: int, z: int) -> None", source)
    assert interface_violations("class A:\n    def run(self, x: int) -> None: ...", source)


def test_lines_that_are_no_signatures_promise_nothing():
    assert interface_violations("main: command line `python -m x CONFIG`\nsome words (a, b)", "x = 1") == []
