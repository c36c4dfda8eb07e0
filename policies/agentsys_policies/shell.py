"""Shell text, parsed with the bash grammar: each simple command in it is judged, and how they are put together."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agentsys_policies.commands import check_argv
from agentsys_policies.expansion import Fields, Names, texts, words
from agentsys_policies.paths import GIVEN, HOLE, is_known, is_named, path_rule
from agentsys_policies.schema import Finding
from agentsys_policies.session import MOST_COMMANDS, Commands, Input, Judged, Session
from agentsys_policies.syntax import nodes, parse, source
from agentsys_policies.text import quote
from agentsys_policies.variables import assigned, collect, producer

if TYPE_CHECKING:
    from tree_sitter import Node

LONGEST = 100_000
"""Characters of shell text that are parsed; longer text is not allowed."""
MOST_PIPES = 1000
"""Parsing a chain of pipes takes quadratic time."""
_MOST_FORMS = 64
"""Forms of one command, by the values that its variables can have, that are all judged."""
_DEEPEST_CALL = 4
_HOOKS = r"(?:conda|mamba|micromamba) (?:shell\.(?:bash|posix) hook|shell hook -s (?:bash|posix))|pyenv init -"
"""Programs whose output sets up the shell, by their own documentation."""


@dataclass
class _Script:
    session: Session
    names: Names = field(default_factory=Names)
    functions: dict[str, list[Node]] = field(default_factory=dict[str, "list[Node]"])
    """By name; where one is defined more than once, each body counts."""
    found: list[Finding] = field(default_factory=list[Finding])
    depth: int = 0
    line: int = 0

    def add(self, rule: str, node: Node, detail: str) -> None:
        self.extend([self.session.commands.fault(rule, quote(source(node)), quote(detail))], node)

    def extend(self, found: list[Finding], node: Node) -> None:
        """Add findings, with the line on which the node stands where they name none."""
        line = node.start_point.row + 1 if not self.line else self.line
        for item in found:
            place = item.evidence.model_copy(update={"line": item.evidence.line or line, "path": ""})
            self.found.append(item.model_copy(update={"evidence": place}))


def check_text(text: str, commands: Commands) -> Judged:
    """Judge shell text; text that cannot be parsed completely is a finding itself."""
    session = Session(commands)
    return session.judged(examine(text, session))


def examine(text: str, session: Session) -> list[Finding]:
    """Return the findings on shell text as far as the text goes; what it does with files is added to the session."""
    script = _Script(session)
    if len(text) > LONGEST or text.count("|") > MOST_PIPES:
        limit = f"longer than {LONGEST} characters, or more than {MOST_PIPES} pipes"
        return [session.commands.fault("command.unparsed", quote(text), limit)]
    root = parse(text)
    parts = list(nodes(root))
    if root.has_error or not parts:
        script.add("command.unparsed", root, "syntax" if root.has_error else "nested too deep")
    if sum(node.type == "command" for node in parts) > MOST_COMMANDS:
        script.add("command.unparsed", root, f"more than {MOST_COMMANDS} commands")
        return script.found
    _define(parts, script)
    script.names = collect(parts)
    if parts:
        _walk(root, script, Input())
    called = {source(name) for node in parts if (name := _name_of(node)) is not None}
    for name, bodies in script.functions.items():
        for body in bodies if name not in called else ():
            _walk(body, script, Input())
    return script.found


def _name_of(node: Node) -> Node | None:
    return node.child_by_field_name("name") if node.type == "command" else None


def _define(parts: list[Node], script: _Script) -> None:
    for node in parts:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if node.type == "function_definition" and name is not None and body is not None:
            script.functions.setdefault(source(name), []).append(body)


# -- commands ----------------------------------------------------------------------------------------------------------


def _walk(node: Node, script: _Script, given: Input) -> None:
    match node.type:
        case "function_definition":
            _recursion(node, script)
        case "pipeline":
            _pipeline(node, script, given)
        case "redirected_statement":
            _redirected(node, script, given)
        case "command":
            _command(node, script, given)
        case "variable_assignment":
            _assigned(node, script)
            _children(node, script, Input())
        case "command_substitution" | "process_substitution":
            _children(node, script, Input())
        case _:
            _children(node, script, given)


def _children(node: Node, script: _Script, given: Input) -> None:
    for child in node.named_children:
        _walk(child, script, given)


def _assigned(node: Node, script: _Script) -> None:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if name is None or (value is not None and value.type == "array"):
        return
    for text in texts(value, script.names) if value is not None else [""]:
        script.extend(check_argv([f"{source(name)}={text}"], script.session), node)


def _pipeline(node: Node, script: _Script, given: Input) -> None:
    before: list[str] = []
    for index, child in enumerate(node.named_children):
        its = given if index == 0 else Input("pipe", words=tuple(before))
        _walk(child, script, its)
        known = producer(child, script.names)
        name = source(child).split()[:1]
        filters = name and name[0] in {"head", "tail", "sort", "uniq", "grep", "shuf", "tac"}
        before = before if index and filters else known


def _redirected(node: Node, script: _Script, given: Input) -> None:
    body = node.child_by_field_name("body")
    rest: list[Node] = []
    for item in node.children_by_field_name("redirect"):
        given, extra = _input(item, script, given)
        rest += extra
    if body is not None:
        _walk(body, script, given)
    for item in nodes(node):
        if item.type == "file_redirect" and item.parent is not None and _belongs(item, node):
            _redirect(item, script, body, given)
    for item in rest:
        _walk(item, script, Input("pipe") if item.type != "list" else Input())


def _belongs(redirect: Node, statement: Node) -> bool:
    parent = redirect.parent
    return parent is not None and (
        parent.id == statement.id
        or (parent.type == "heredoc_redirect" and parent.parent is not None and parent.parent.id == statement.id)
    )


def _input(item: Node, script: _Script, given: Input) -> tuple[Input, list[Node]]:
    """What a redirection makes the command read, and commands that stand behind the mark of a here-document."""
    if item.type == "heredoc_redirect":
        body = next((child for child in item.named_children if child.type == "heredoc_body"), None)
        rest = [
            child
            for child in item.named_children
            if child.type not in {"heredoc_start", "heredoc_body", "heredoc_end", "file_redirect", "file_descriptor"}
        ]
        if body is not None:
            _children(body, script, Input())
        return Input("text", _here(item, body, script.names)), rest
    if item.type == "herestring_redirect":
        return Input("text", "\n".join(texts(item.named_children[-1], script.names))), []
    target = item.child_by_field_name("destination")
    if item.type == "file_redirect" and target is not None and any(child.type == "<" for child in item.children):
        if target.type == "process_substitution":
            return Input("pipe"), []
        return Input("file", texts(target, script.names)[0]), []
    return given, []


def _here(item: Node, body: Node | None, names: Names) -> str:
    """The text of a here-document; what the shell puts into it is put in, as far as it is known."""
    if body is None:
        return ""
    start = next((source(child) for child in item.named_children if child.type == "heredoc_start"), "")
    raw, offset, at, parts = body.text or b"", body.start_byte, 0, list[str]()
    for child in body.named_children if not re.search(r"[\"'\\]", start) else []:
        if child.type == "heredoc_content":
            continue
        parts.append(raw[at : child.start_byte - offset].decode("utf-8", "replace"))
        parts.append(texts(child, names)[0])
        at = child.end_byte - offset
    return "".join([*parts, raw[at:].decode("utf-8", "replace")])


def _redirect(node: Node, script: _Script, body: Node | None, given: Input) -> None:
    target = node.child_by_field_name("destination")
    if target is None:
        return
    reads = any(child.type == "<" for child in node.children)
    _walk(target, script, Input())
    for word in texts(target, script.names):
        if word.startswith(("/dev/tcp", "/dev/udp")):
            script.add("command.backdoor", node, word)
        elif target.type == "process_substitution" or word.isdigit() or word == "-":
            continue
        else:
            rule = path_rule(word, "read" if reads else "write")
            if rule:
                script.add(rule, node, word)
            if not reads:
                script.session.make(word, _written(body, script, given))


def _written(body: Node | None, script: _Script, given: Input) -> str | None:
    """The text that a command writes into a file, if it is constant."""
    name = body.child_by_field_name("name") if body is not None and body.type == "command" else None
    if body is None or name is None:
        return None
    arguments = [word for child in body.children_by_field_name("argument") for word in words(child, script.names)[0]]
    if source(name) == "cat" and not arguments and given.kind == "text":
        return given.text
    if source(name) in {"echo", "printf"}:
        text = " ".join(item for item in arguments if item not in {"-e", "-n", "-en"})
        return text.replace("\\n", "\n") if "%" not in text and not re.search(r"\\[^n]", text) else None
    return None


def _command(node: Node, script: _Script, given: Input) -> None:
    name = node.child_by_field_name("name")
    for child in node.named_children:
        if child.type in {"herestring_redirect", "file_redirect"}:
            given, _ = _input(child, script, given)
        if child.type == "file_redirect":
            _redirect(child, script, None, given)
        else:
            _walk(child, script, Input())
    if name is None:
        return
    for form in _forms(node, name, script):
        _simple(form, node, name, script, given)


def _forms(node: Node, name: Node, script: _Script) -> list[list[str]]:
    """The words of a command, once for each value that its variables can have."""
    first = name.named_children[0] if name.named_children else name
    written = [
        _program_words(first, script.names),
        *(words(item, script.names) for item in node.children_by_field_name("argument")),
    ]
    count = 1
    for item in written:
        count *= max(1, len(item))
    if count <= _MOST_FORMS:
        combined: list[tuple[Fields, ...]] = list(itertools.product(*written))
    else:
        # One word at a time: what an argument may be does not depend on its neighbours.
        usual = [item[0] for item in written]
        combined = [(*usual[:index], form, *usual[index + 1 :]) for index, item in enumerate(written) for form in item]
    return [[word for part in form for word in part] for form in combined]


def _program_words(first: Node, names: Names) -> list[Fields]:
    """A program's name; where the environment may name another one, its owner answers for that."""
    found = words(first, names)
    chosen = [form for form in found if form != (GIVEN,)]
    positional = re.search(r"\$\{?[\d@*]", source(first)) is not None
    return chosen if chosen and not positional else found


def _simple(form: list[str], node: Node, name: Node, script: _Script, given: Input) -> None:
    first, rest = (form[0], form[1:]) if form else ("", [])
    if not form:
        script.add("command.computed", node, source(name))
    elif not is_named(first) or not first or _obscured(name) or "command_substitution" in {n.type for n in nodes(name)}:
        if first and _substituted(name) in _FINDS:
            script.extend(check_argv(form, script.session, given), node)
        else:
            script.add("command.computed", node, source(name))
    elif first in script.functions:
        _call(first, rest, node, script, given)
    elif first in {"eval", "trap"}:
        _text_command(first, rest, node, script)
    else:
        _follow(first, rest, script)
        if first == "tee":
            for word in rest:
                script.session.make(word if not word.startswith("-") else "", None)
        script.extend(check_argv(form, script.session, given), node)


_FINDS = frozenset({"which", "command"})


def _substituted(name: Node) -> str:
    """The program whose output is the name of a command: `$(which python) train.py`."""
    text = re.fullmatch(r"\"?\$\((\w+)(?: -v)? [\w.-]+\)\"?", source(name))
    return text[1] if text else ""


def _follow(first: str, rest: list[str], script: _Script) -> None:
    """Where `cd` leads."""
    if first in {"cd", "pushd"} and rest:
        script.session.folder = rest[-1] if is_known(rest[-1]) and not rest[-1].startswith("-") else ""


def _text_command(first: str, rest: list[str], node: Node, script: _Script) -> None:
    """`eval TEXT` and `trap TEXT SIGNAL` run a text in this shell."""
    rest = [item for item in rest if item != "--"]
    text = " ".join(rest) if first == "eval" else next(iter(rest), "")
    if first == "trap" and (text in {"", "-", "-l", "-p"} or len(rest) < 2):
        return
    written = next(iter(node.children_by_field_name("argument")), None)
    if first == "eval" and written is not None and re.fullmatch(rf"\"?\$\((?:{_HOOKS})\)\"?", source(written)):
        return
    if not is_known(text) or script.depth >= _DEEPEST_CALL:
        script.add("command.computed", node, source(node))
        return
    inner = _Script(script.session, replace(script.names), script.functions, depth=script.depth + 1)
    inner.line = node.start_point.row + 1
    root = parse(text)
    parts = list(nodes(root))
    if root.has_error or not parts:
        script.add("command.unparsed", node, "syntax")
    _define(parts, inner)
    assigned(parts, inner.names, inner.names)
    if parts:
        _walk(root, inner, Input())
    script.found += inner.found


def _call(name: str, rest: list[str], node: Node, script: _Script, given: Input) -> None:
    """A function is looked at with the words of each call."""
    for word in rest:
        rule = path_rule(word, "read")
        if rule and not word.startswith(HOLE):
            script.add(rule, node, word)
    script.session.seen += 1
    if script.depth >= _DEEPEST_CALL or script.session.seen > MOST_COMMANDS:
        if script.session.seen > MOST_COMMANDS or script.depth == _DEEPEST_CALL:
            script.add("command.unparsed", node, "calls that are nested too deep, or too many")
        return
    before, script.depth = script.names.arguments, script.depth + 1
    for body in script.functions[name]:
        script.names.arguments = tuple(rest)
        _body(body, script, given)
    script.names.arguments, script.depth = before, script.depth - 1


def _body(body: Node, script: _Script, given: Input) -> None:
    for child in body.named_children:
        if source(child).split()[:1] == ["shift"]:
            script.names.shift()
        else:
            _walk(child, script, given)
            if re.search(r"(?:;|&&|\n|^)\s*shift\b", source(child)):
                script.names.shift()


def _obscured(name: Node) -> bool:
    """Quotes in the middle of a command's name serve no purpose but to hide it."""
    text = source(name)
    if "$" in text:
        return False
    return bool(re.search(r"\w[\"'\\]|[\"'\\]\w*[\"']?\w", text)) and not re.fullmatch(
        r"\"[^\"]*\"|'[^']*'|\\\w+", text
    )


def _recursion(node: Node, script: _Script) -> None:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is None or body is None:
        return
    own, parts = source(name), list(nodes(body))
    calls = [part for part in parts if part.type == "command_name" and source(part) == own]
    if calls and ("&" in {part.type for part in parts} or any(part.type == "pipeline" for part in parts)):
        script.add("command.fork-bomb", node, source(node))
