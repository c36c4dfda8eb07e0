"""Shell text, parsed with the bash grammar: each simple command in it is judged, and how they are put together."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from agentsys_policies.commands import check_argv
from agentsys_policies.expansion import Fields, Names, printed, source, texts, words
from agentsys_policies.paths import GIVEN, HOLE, NAME, is_known, is_named, path_rule
from agentsys_policies.schema import Finding
from agentsys_policies.session import MOST_COMMANDS, Commands, Input, Judged, Session
from agentsys_policies.text import quote

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LONGEST = 100_000
"""Characters of shell text that are parsed; longer text is not allowed."""
MOST_PIPES = 1000
"""Parsing a chain of pipes takes quadratic time."""
DEEPEST = 120
"""Levels of syntax that are looked at."""
_CHAIN = 3
"""Variables that are put together from variables are followed this far."""
_MOST_FORMS = 64
"""Forms of one command, by the values that its variables can have, that are all judged."""
_DEEPEST_CALL = 4
_HOOKS = r"(?:conda|mamba|micromamba) (?:shell\.(?:bash|posix) hook|shell hook -s (?:bash|posix))|pyenv init -"
"""Programs whose output sets up the shell, by their own documentation."""


@dataclass
class _Script:
    session: Session
    names: Names = field(default_factory=Names)
    functions: dict[str, Node] = field(default_factory=dict[str, "Node"])
    called: set[str] = field(default_factory=set[str])
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
    # The grammar takes `time { ...; }` for a program called `time`.
    plain = re.sub(r"(^|[;&|\n]\s*)time(?: -p)?\s+(?=[{(])", r"\1", text)
    root = _parser().parse(plain.encode("utf-8", "replace")).root_node
    nodes = list(_nodes(root))
    if root.has_error or not nodes:
        script.add("command.unparsed", root, "syntax" if root.has_error else "nested too deep")
    if sum(node.type == "command" for node in nodes) > MOST_COMMANDS:
        script.add("command.unparsed", root, f"more than {MOST_COMMANDS} commands")
        return script.found
    _collect(nodes, script)
    if nodes:
        _walk(root, script, Input())
    for name, body in script.functions.items():
        if name not in script.called:
            _walk(body, script, Input())
    return script.found


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _nodes(root: Node) -> Iterator[Node]:
    """Every node of the syntax; none at all if it is nested deeper than is looked at."""
    stack: list[tuple[Node, int]] = [(root, 0)]
    found: list[Node] = []
    while stack:
        node, depth = stack.pop()
        if depth > DEEPEST:
            return
        found.append(node)
        stack.extend((child, depth + 1) for child in reversed(node.children))
    yield from found


# -- names -------------------------------------------------------------------------------------------------------------


def _collect(nodes: list[Node], script: _Script) -> None:
    """Collect functions, and what variables can be."""
    for node in nodes:
        name = node.child_by_field_name("name")
        body = node.child_by_field_name("body")
        if node.type == "function_definition" and name is not None and body is not None:
            script.functions[source(name)] = body
    for _ in range(_CHAIN):
        names = Names(arguments=script.names.arguments)
        for node in nodes:
            _assign(node, script.names, names)
        script.names = names
    separators = script.names.values.get("IFS", set())
    script.names.odd_fields = any(value.strip(" \t\n") for value in separators)
    script.called = {
        source(name)
        for node in nodes
        if node.type == "command" and (name := node.child_by_field_name("name")) is not None
    }


def _assign(node: Node, old: Names, new: Names) -> None:
    match node.type:
        case "variable_assignment":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is None:
                return
            key = source(name).partition("[")[0]
            if value is not None and value.type == "array":
                before = new.arrays.get(key, ()) if any(child.type == "+=" for child in node.children) else ()
                parts = tuple(word for child in value.named_children for word in words(child, old)[0])
                new.arrays[key] = (*before, *parts) if len(before) + len(parts) < 200 else (HOLE,)
            elif value is not None:
                new.put(key, texts(value, old))
            else:
                new.put(key, [""])
        case "for_statement" | "select_statement":
            name = node.child_by_field_name("variable")
            values = [
                word for child in node.children_by_field_name("value") for form in words(child, old) for word in form
            ]
            if name is not None:
                new.put(source(name), _alike(values or [GIVEN]))
        case "c_style_for_statement":
            new.put("i", [NAME])
        case "pipeline":
            for first, second in itertools.pairwise(node.named_children):
                _read_in(second, _producer(first, old), new)
        case "command":
            _read_by(node, new)
        case _:
            pass


def _alike(values: list[str]) -> list[str]:
    """Many plain words of a loop count as one that is known only at run time."""
    if len(values) <= 4:
        return values
    plain = [value for value in values if re.fullmatch(r"[\w.,+:]+", value)]
    return [*(value for value in values if value not in plain), *([NAME] if plain else [])]


def _read_by(node: Node, new: Names) -> None:
    """`read x`, `mapfile x`, `getopts ab x`: the variable gets what comes in at run time."""
    name = node.child_by_field_name("name")
    program = source(name) if name is not None else ""
    if program in {"read", "mapfile", "readarray", "getopts"}:
        plain = [
            item for item in map(source, node.children_by_field_name("argument")) if re.fullmatch(r"[A-Za-z_]\w*", item)
        ]
        for item in plain:
            if item not in new.values:
                new.put(item, [HOLE])
            new.arrays.setdefault(item, (HOLE,))


def _read_in(node: Node, given: list[str], new: Names) -> None:
    """`find ... | while read -r f`: what is read is what was found."""
    for part in _nodes(node):
        name = part.child_by_field_name("name") if part.type == "command" else None
        if name is not None and source(name) == "read":
            for item in part.children_by_field_name("argument"):
                if re.fullmatch(r"[A-Za-z_]\w*", source(item)):
                    new.values[source(item)] = set(given)


def _producer(node: Node, names: Names) -> list[str]:
    """What the words are that a command writes into a pipe."""
    name = node.child_by_field_name("name") if node.type == "command" else None
    if name is None:
        return [HOLE]
    arguments = [word for child in node.children_by_field_name("argument") for word in words(child, names)[0]]
    if source(name) in {"echo", "printf"}:
        return _alike([word for word in arguments if not word.startswith("-") and "%" not in word]) or [HOLE]
    return printed(source(name), arguments)


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
        known = _producer(child, script.names)
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
    for item in _nodes(node):
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
        if child.type == "herestring_redirect":
            given, _ = _input(child, script, given)
        elif child.type in {"file_redirect"}:
            given, _ = _input(child, script, given)
            _redirect(child, script, None, given)
        if child.type != "file_redirect":
            _children(child, script, Input())
        if child.type == "command_substitution" or child.type == "process_substitution":
            pass
    if name is None:
        for child in node.named_children:
            if child.type == "variable_assignment":
                _assigned(child, script)
        return
    for child in node.named_children:
        if child.type == "variable_assignment":
            _assigned(child, script)
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
    elif (
        not is_named(first) or not first or _obscured(name) or "command_substitution" in {n.type for n in _nodes(name)}
    ):
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
    root = _parser().parse(text.encode("utf-8", "replace")).root_node
    if root.has_error:
        script.add("command.unparsed", node, "syntax")
    nodes = list(_nodes(root))
    for part in nodes:
        _assign(part, inner.names, inner.names)
    if nodes:
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
    body = script.functions[name]
    script.names.arguments = tuple(rest)
    for child in body.named_children:
        if source(child).split()[:1] == ["shift"]:
            script.names.shift()
        else:
            _walk(child, script, given)
            if re.search(r"(?:;|&&|\n|^)\s*shift\b", source(child)):
                script.names.shift()
    script.names.arguments, script.depth = before, script.depth - 1


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
    own, parts = source(name), list(_nodes(body))
    calls = [part for part in parts if part.type == "command_name" and source(part) == own]
    if calls and ("&" in {part.type for part in parts} or any(part.type == "pipeline" for part in parts)):
        script.add("command.fork-bomb", node, source(node))
