"""Shell text, parsed with the bash grammar: each simple command in it is checked, and how they are put together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from agentsys_policies.commands import HOLE, Commands, check_argv, fault, path_fault
from agentsys_policies.schema import Finding
from agentsys_policies.text import quote

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LONGEST = 100_000
"""Characters of shell text that are parsed; longer text is not allowed."""
MOST_PIPES = 1000
"""Parsing a chain of pipes takes quadratic time."""
MOST_COMMANDS = 1000
"""Commands in one text that are looked at; a text with more is not allowed."""
_CHAIN = 3
"""Variables that are put together from variables are followed this far."""
_INTERPRETERS = re.compile(r"^(?:ba|z|da|k)?sh$|^python[\d.]*$|^(?:perl|ruby|node|php|lua|xargs|parallel|source|\.)$")


@dataclass
class _Script:
    commands: Commands
    constants: dict[str, str] = field(default_factory=dict[str, str])
    functions: set[str] = field(default_factory=set[str])
    found: list[Finding] = field(default_factory=list[Finding])

    def add(self, rule: str, node: Node, detail: str) -> None:
        self.found.append(fault(self.commands, rule, quote(_source(node)), quote(detail)))


def check_text(text: str, commands: Commands) -> list[Finding]:
    """Return the findings on shell text; text that cannot be parsed completely is a finding itself."""
    if len(text) > LONGEST:
        return [fault(commands, "command.unparsed", quote(text), f"longer than {LONGEST} characters")]
    if text.count("|") > MOST_PIPES:
        return [fault(commands, "command.unparsed", quote(text), f"more than {MOST_PIPES} pipes")]
    root = _parser().parse(text.encode("utf-8", "replace")).root_node
    script = _Script(commands)
    if root.has_error:
        script.add("command.unparsed", root, "syntax")
    nodes = list(_walk(root))
    if sum(node.type == "command" for node in nodes) > MOST_COMMANDS:
        script.add("command.unparsed", root, f"more than {MOST_COMMANDS} commands")
        return script.found
    for _ in range(_CHAIN):
        _names(nodes, script)
    for node in nodes:
        _check(node, script)
    return script.found


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _walk(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def _names(nodes: list[Node], script: _Script) -> None:
    """Collect functions and the variables that have one constant value in the whole text."""
    values: dict[str, set[str]] = {}
    for node in nodes:
        if node.type == "function_definition":
            name = node.child_by_field_name("name")
            script.functions.add(_source(name) if name else "")
        elif node.type == "variable_assignment":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None:
                values.setdefault(_source(name), set()).add(_word(value, script) if value else "")
        elif node.type == "for_statement":
            name = node.child_by_field_name("variable")
            values.setdefault(_source(name) if name else "", set()).update({HOLE})
    script.constants = {name: next(iter(found)) for name, found in values.items() if len(found) == 1}


def _check(node: Node, script: _Script) -> None:
    match node.type:
        case "command":
            _command(node, script)
        case "pipeline":
            _pipeline(node, script)
        case "process_substitution":
            script.add("command.process-substitution", node, _source(node))
        case "function_definition":
            _recursion(node, script)
        case "file_redirect":
            _redirect(node, script)
        case "herestring_redirect" | "heredoc_redirect":
            _here(node, script)
        case "variable_assignment":
            check = check_argv([_source(node)], script.commands)
            script.found += check
        case "declaration_command":
            for child in node.named_children:
                if child.type == "variable_assignment":
                    script.found += check_argv([_source(child)], script.commands)
        case _:
            pass


def _command(node: Node, script: _Script) -> None:
    name = node.child_by_field_name("name")
    words = [_word(child, script) for child in node.children_by_field_name("argument")]
    first = _word(name, script) if name else ""
    if name is None:
        return
    if HOLE in first or not first or _obscured(name):
        script.add("command.computed", node, _source(name))
        return
    if first in script.functions:
        script.found += [item for word in words for item in path_fault(word, _source(node), script.commands)]
        return
    script.found += check_argv([first, *words], script.commands)


def _obscured(name: Node) -> bool:
    """Quotes in the middle of a command's name serve no purpose but to hide it."""
    text = _source(name)
    return bool(re.search(r"\w[\"'\\]|[\"'\\]\w*[\"']?\w", text)) and not re.fullmatch(
        r"\"[^\"]*\"|'[^']*'|\\\w+", text
    )


def _pipeline(node: Node, script: _Script) -> None:
    for child in node.named_children[1:]:
        for part in _walk(child):
            name = part.child_by_field_name("name") if part.type == "command" else None
            if name is None:
                continue
            words = [_word(item, script) for item in part.children_by_field_name("argument")]
            base = _word(name, script).rpartition("/")[2]
            if base in {"sudo", "env", "nohup"} and words:
                base, words = words[0].rpartition("/")[2], words[1:]
            runs = [word for word in words if not word.startswith("-")]
            many = base in {"xargs", "parallel"}
            fed = any(_INTERPRETERS.match(word) for word in runs) if many else not runs and "-c" not in words
            if _INTERPRETERS.match(base) and fed:
                script.add("command.pipe-to-interpreter", node, _source(part))


def _recursion(node: Node, script: _Script) -> None:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is None or body is None:
        return
    own = _source(name)
    calls = [part for part in _walk(body) if part.type == "command_name" and _source(part) == own]
    if calls and ("&" in {part.type for part in _walk(body)} or any(part.type == "pipeline" for part in _walk(body))):
        script.add("command.fork-bomb", node, _source(node))


def _redirect(node: Node, script: _Script) -> None:
    target = node.child_by_field_name("destination")
    if target is None:
        return
    word = _word(target, script)
    if word.startswith(("/dev/tcp", "/dev/udp")):
        script.add("command.backdoor", node, word)
    elif (
        target.type != "process_substitution" and not word.isdigit() and word not in {"-", "/dev/stderr", "/dev/stdout"}
    ):
        script.found += path_fault(word, _source(node), script.commands)


def _here(node: Node, script: _Script) -> None:
    owner = node.parent
    body = owner.child_by_field_name("body") if owner is not None else None
    name = body.child_by_field_name("name") if body is not None and body.type == "command" else None
    arguments = body.children_by_field_name("argument") if body is not None else []
    operands = [item for item in arguments if not _source(item).startswith("-")]
    if name is not None and not operands and _INTERPRETERS.match(_source(name).rpartition("/")[2]):
        script.add("command.standard-input", node, _source(name))


def _word(node: Node, script: _Script) -> str:
    """The text of a word as the shell would pass it on; `HOLE` where that is known only at run time."""
    match node.type:
        case "word" | "number" | "command_name" | "special_variable_name":
            if node.named_children:
                return "".join(_word(child, script) for child in node.named_children)
            return re.sub(r"\\(.)", r"\1", _source(node))
        case "raw_string":
            return _source(node)[1:-1]
        case "string":
            return _string(node, script)
        case "concatenation":
            return "".join(_word(child, script) for child in node.children)
        case "simple_expansion":
            return script.constants.get(_source(node)[1:], HOLE)
        case "expansion":
            return script.constants.get(re.sub(r"^\$\{|\}$", "", _source(node)), HOLE)
        case (
            "ansi_c_string"
            | "command_substitution"
            | "arithmetic_expansion"
            | "process_substitution"
            | "brace_expression"
        ):
            return HOLE
        case _:
            return re.sub(r"\\(.)", r"\1", _source(node)) if not node.named_children else HOLE


def _string(node: Node, script: _Script) -> str:
    raw = node.text or b""
    start, at = node.start_byte, 1
    parts: list[str] = []
    for child in node.named_children:
        if child.type == "string_content":
            continue
        begin, end = child.start_byte - start, child.end_byte - start
        parts.append(raw[at:begin].decode("utf-8", "replace"))
        parts.append(_word(child, script))
        at = end
    parts.append(raw[at:-1].decode("utf-8", "replace"))
    return "".join(parts)


def _source(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
