"""Options of a program by a table: `-q` is a switch, `-o=` takes a file or an address, `-n:` another value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Parsed:
    """A program's arguments, sorted."""

    operands: list[str] = field(default_factory=list[str])
    values: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Option and value."""
    judged: list[str] = field(default_factory=list[str])
    """Values that are files or addresses."""
    given: set[str] = field(default_factory=set[str])
    """Names of the options that were given."""
    unknown: list[str] = field(default_factory=list[str])
    """Options that the table does not hold."""

    def take(self, name: str, value: str, kind: str) -> None:
        """Note the value of an option."""
        self.values.append((name, value))
        if kind == "=":
            self.judged.append(value)

    def value(self, *names: str) -> str:
        """Return the last value of one of these options, or an empty string."""
        return next((value for name, value in reversed(self.values) if name in names), "")


def parse(arguments: Sequence[str], table: Sequence[str], *, stops: bool = False) -> Parsed:
    """Sort arguments by a table of options; an empty table knows every option and no values.

    With `stops` everything from the first operand on is an operand, as for programs that start another one.
    """
    kinds = {entry.rstrip("=:"): entry[-1] if entry[-1] in "=:" else "" for entry in table}
    parsed, rest = Parsed(), list(arguments)
    while rest:
        item = rest.pop(0)
        if item == "--":
            parsed.operands += rest
            break
        if not item.startswith("-") or item == "-":
            parsed.operands.append(item)
            if stops:
                parsed.operands += rest
                break
        elif not kinds:
            parsed.given.add(item.partition("=")[0])
            if "=" in item or item[2:3] in {"/", "~"}:
                parsed.take(item[:2], item.partition("=")[2] if "=" in item else item[2:], "=")
        elif item.startswith("--") or item in kinds:
            _long(item, kinds, rest, parsed)
        else:
            _cluster(item, kinds, rest, parsed)
    return parsed


def _long(item: str, kinds: dict[str, str], rest: list[str], parsed: Parsed) -> None:
    name, sign, value = item.partition("=")
    if name not in kinds:
        parsed.unknown.append(item)
        return
    parsed.given.add(name)
    if kinds[name]:
        value = value if sign else rest.pop(0) if rest else ""
        parsed.take(name, value, kinds[name])


def _cluster(item: str, kinds: dict[str, str], rest: list[str], parsed: Parsed) -> None:
    """Several short options in one word, the last of which may take a value."""
    for index, letter in enumerate(item[1:], 1):
        name = f"-{letter}"
        if name not in kinds:
            if "-#" in kinds and item[index:].isdigit():
                return
            parsed.unknown.append(item)
            return
        parsed.given.add(name)
        if kinds[name]:
            value = item[index + 1 :] or (rest.pop(0) if rest else "")
            parsed.take(name, value, kinds[name])
            return
