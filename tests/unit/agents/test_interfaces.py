"""What other files are shown of a finished one."""

from __future__ import annotations

from agentsys.agents.interfaces import interface_of, planned_names, top_level_names

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


def test_names_that_an_interface_promises_are_found():
    assert planned_names("def f(x: int) -> int\nclass A  # holds\nA.method() -> None\nX: int") == {"f", "A"}
    assert {"Point", "move", "LIMIT", "NAMES", "dataclass"} <= top_level_names(SOURCE)
