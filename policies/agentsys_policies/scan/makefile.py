"""Recipes of a Makefile as shell text: variables are put in as make does it, `$(shell ...)` becomes a substitution."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from agentsys_policies.paths import GIVEN, HOLE, NAME

MOST_FORMS = 4
"""Values of one variable that are looked at; with more, the last ones count."""
_DEEPEST = 12
_LONGEST = 100_000
_ASSIGNMENT = re.compile(r"^ *(?:export +|override +)*([\w.-]+) *(\+|\?|!|:{1,3})?= ?(.*)$")
_RULE = re.compile(r"^([^\t#=][^=#]*?)::?(?!=)([^;]*)(?:;(.*))?$")
_TAKES_NAMES = frozenset(
    {"patsubst", "subst", "filter", "filter-out", "foreach", "addsuffix", "notdir", "basename", "word"}
)
_SAME = frozenset({"wildcard", "sort", "strip", "abspath", "realpath", "firstword", "lastword"})


@dataclass(frozen=True)
class Line:
    """A command of a Makefile, and the line on which it stands."""

    text: str
    number: int


def recipes(text: str) -> Iterator[list[Line]]:
    """Yield all commands of a Makefile, once for each set of values of its variables."""
    lines = _logical(text)
    values: dict[str, list[str]] = defaultdict(list)
    commands: list[tuple[str, int, dict[str, str]]] = []
    automatic: dict[str, str] = {}
    for number, line in lines:
        assigned = _ASSIGNMENT.match(line) if not line.startswith("\t") else None
        rule = _RULE.match(line) if assigned is None else None
        if line.startswith("\t"):
            commands.append((line.strip(), number, automatic))
        elif assigned is not None:
            value = f"$(shell {assigned[3]})" if assigned[2] == "!" else assigned[3].strip()
            values[assigned[1]].append(value)
        elif rule is not None:
            automatic = _automatic(rule[1].strip(), rule[2].strip())
            if rule[3]:
                commands.append((rule[3].strip(), number, automatic))
    none: dict[str, str] = {}
    used = [(value, 1, none) for found in values.values() for value in found if "$(shell" in value]
    for form in range(min(MOST_FORMS, max((len(found) for found in values.values()), default=1))):
        chosen = {name: found[-1 - form] if form < len(found) else found[-1] for name, found in values.items()}
        yield [Line(_bare(expand(line, {**chosen, **extra})), number) for line, number, extra in [*used, *commands]]


def shell_of(text: str) -> str:
    """Return the program that runs the recipes, `sh` where the Makefile names none."""
    found = re.findall(r"^SHELL\s*[:?]?=\s*(.+)$", text, re.MULTILINE)
    return found[-1].strip() if found else "sh"


def _logical(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers; those that end in a backslash go on in the next one."""
    found: list[tuple[int, str]] = []
    whole, first = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        first = first if whole else number
        if line.endswith("\\"):
            whole += line + "\n" if whole.startswith("\t") or line.startswith("\t") else line[:-1] + " "
            continue
        found.append((first, whole + line))
        whole = ""
    return [*found, (first, whole)] if whole else found


def _automatic(targets: str, needs: str) -> dict[str, str]:
    target, needed = targets.split(" ")[0].replace("%", NAME), needs.replace("|", " ").replace("%", NAME)
    return {
        "@": target,
        "<": needed.split()[0] if needed.split() else NAME,
        "^": needed,
        "?": needed,
        "+": needed,
        "*": NAME,
        "@D": posixpath.dirname(target) or ".",
        "@F": posixpath.basename(target),
        "<D": posixpath.dirname(needed.split(" ")[0]) or ".",
        "<F": NAME,
    }


def _bare(line: str) -> str:
    return line.lstrip("@-+ \t")


def expand(text: str, values: dict[str, str], depth: int = 0) -> str:
    """Put the values of make's variables into a text; what it does not define is the environment's."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        here = text.find("$", at)
        if here < 0 or here + 1 >= len(text) or depth > _DEEPEST:
            break
        parts.append(text[at:here])
        mark = text[here + 1]
        if mark == "$":
            parts.append("$")
            at = here + 2
        elif mark in "({":
            end = _closing(text, here + 1)
            parts.append(_value(text[here + 2 : end], values, depth + 1))
            at = end + 1
        else:
            parts.append(values.get(mark, GIVEN))
            at = here + 2
    whole = "".join([*parts, text[at:] if depth <= _DEEPEST else HOLE])
    return whole if len(whole) <= _LONGEST else HOLE


def _closing(text: str, start: int) -> int:
    opening = text[start]
    closing, level = {"(": ")", "{": "}"}[opening], 0
    for index in range(start, len(text)):
        level += (text[index] == opening) - (text[index] == closing)
        if level == 0:
            return index
    return len(text)


def _value(inside: str, values: dict[str, str], depth: int) -> str:
    function, _, rest = inside.partition(" ")
    if function == "shell":
        return f"$({expand(rest, values, depth)})"
    if function in _SAME:
        return expand(rest, values, depth)
    if function in _TAKES_NAMES:
        return NAME
    if function == "dir":
        return f"{posixpath.dirname(expand(rest, values, depth)) or '.'}/"
    if function == "addprefix":
        return expand(rest.partition(",")[0], values, depth) + NAME
    name = inside.partition(":")[0]
    if name in values:
        return expand(values[name], values, depth)
    if name in {"CURDIR", "PWD"}:
        return "."
    if name in {"MAKE"}:
        return "make"
    return f"${{{name}}}" if re.fullmatch(r"\w+", name) else HOLE
