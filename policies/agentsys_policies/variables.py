"""What the variables of a shell text can be, from every place that sets them, in whatever order the text has them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from agentsys_policies.expansion import Names, default_of, printed, texts, words
from agentsys_policies.paths import GIVEN, HOLE, NAME
from agentsys_policies.syntax import nodes, source

if TYPE_CHECKING:
    from tree_sitter import Node

_CHAIN = 3
"""Variables that are put together from variables are followed this far."""
_VARIABLE = re.compile(r"[A-Za-z_]\w*")


def collect(parts: Iterable[Node], arguments: tuple[str, ...] | None = None) -> Names:
    """Return what variables can be in a text with these nodes, for the arguments that it gets."""
    names = Names(arguments=arguments)
    for _ in range(_CHAIN):
        names = assigned(parts, names, Names(arguments=arguments))
    names.odd_fields = any(value.strip(" \t\n") for value in names.values.get("IFS", set()))
    return names


def assigned(parts: Iterable[Node], old: Names, new: Names) -> Names:
    """Add to `new` what the nodes set, with the values that variables have by `old`."""
    fed: set[str] = set()
    for node in parts:
        _assign(node, old, new, fed)
    return new


def producer(node: Node, names: Names) -> list[str]:
    """Return what the words are that a command writes into a pipe."""
    name = node.child_by_field_name("name") if node.type == "command" else None
    if name is None:
        return [HOLE]
    arguments = [word for child in node.children_by_field_name("argument") for word in words(child, names)[0]]
    if source(name) in {"echo", "printf"}:
        return _alike([word for word in arguments if not word.startswith("-") and "%" not in word]) or [HOLE]
    return printed(source(name), arguments)


def _assign(node: Node, old: Names, new: Names, fed: set[str]) -> None:
    match node.type:
        case "variable_assignment":
            _variable(node, old, new)
        case "for_statement" | "select_statement":
            name = node.child_by_field_name("variable")
            values = [
                word for child in node.children_by_field_name("value") for form in words(child, old) for word in form
            ]
            if name is not None:
                new.put(source(name), _alike(values or [GIVEN]))
        case "expansion":
            found = default_of(node, old)
            if found is not None:
                new.put(*found)
        case "pipeline":
            for first, second in itertools.pairwise(node.named_children):
                _read_in(second, producer(first, old), new, fed)
        case "command":
            _read_by(node, new, fed)
        case _:
            pass


def _variable(node: Node, old: Names, new: Names) -> None:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if name is None:
        return
    key, element, _ = source(name).partition("[")
    if value is None:
        new.put(key, [""])
    elif value.type == "array":
        parts = tuple(word for child in value.named_children for word in words(child, old)[0])
        new.put_list(key, parts, longer=any(child.type == "+=" for child in node.children))
    else:
        new.put(key, texts(value, old))
        if element:
            new.put_list(key, (HOLE,))


def _alike(values: list[str]) -> list[str]:
    """Many plain words of a loop count as one that is known only at run time."""
    if len(values) <= 4:
        return values
    plain = [value for value in values if re.fullmatch(r"[\w.,+:]+", value)]
    return [*(value for value in values if value not in plain), *([NAME] if plain else [])]


def _read_by(node: Node, new: Names, fed: set[str]) -> None:
    """`read x`, `mapfile x`, `getopts ab x`, `printf -v x`: the variable gets what comes in at run time."""
    name = node.child_by_field_name("name")
    program = source(name) if name is not None else ""
    given = [source(child) for child in node.children_by_field_name("argument")]
    if program == "printf":
        given = given[1:2] if given[:1] == ["-v"] else []
    elif program not in {"read", "mapfile", "readarray", "getopts"}:
        return
    for item in given:
        if _VARIABLE.fullmatch(item) and item not in fed:
            new.put(item, [HOLE])
            if program in {"mapfile", "readarray", "read"}:
                new.put_list(item, (HOLE,))


def _read_in(node: Node, given: list[str], new: Names, fed: set[str]) -> None:
    """`find ... | while read -r f`: what is read is what was found."""
    for part in nodes(node):
        name = part.child_by_field_name("name") if part.type == "command" else None
        if name is not None and source(name) == "read":
            for item in map(source, part.children_by_field_name("argument")):
                if _VARIABLE.fullmatch(item):
                    new.put(item, given)
                    fed.add(item)
