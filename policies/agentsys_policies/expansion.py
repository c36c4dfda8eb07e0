"""Words of shell text as the shell would pass them on, as far as that is known without running anything.

A variable may have several values: each of them counts, in whatever order the text assigns them.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentsys_policies.paths import GIVEN, HOLE, NAME, PIPE, inside
from agentsys_policies.syntax import source

if TYPE_CHECKING:
    from tree_sitter import Node

Fields = tuple[str, ...]
"""What one written word becomes: none, one or several words."""
MOST_VALUES = 8
"""Values of one variable or word; with more of them it is known only at run time."""
MOST_WORDS = 400
"""Words of all lists that one array can be."""
LONGEST_VALUE = 2000
"""Characters of a value that is put together."""
ENVIRONMENT = {
    **dict.fromkeys(("PWD", "OLDPWD", "SLURM_SUBMIT_DIR", "GITHUB_WORKSPACE", "CI_PROJECT_DIR", "PYTHONPATH"), "."),
    **dict.fromkeys(("TMPDIR", "TMP", "TEMP", "SLURM_TMPDIR", "RUNNER_TEMP"), "/tmp"),
    **dict.fromkeys(("RANDOM", "SECONDS", "LINENO", "UID", "EUID", "PPID", "BASHPID", "HOSTNAME", "USER"), NAME),
    **dict.fromkeys(("SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID", "SLURM_NTASKS", "CUDA_VISIBLE_DEVICES", "RANK"), NAME),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT", "OMP_NUM_THREADS", "?", "#", "$"), NAME),
    "HOME": "~",
    "XDG_CONFIG_HOME": "~/.config",
    "XDG_CACHE_HOME": "~/.cache",
    "CONDA_PREFIX": "/opt/conda",
    "VIRTUAL_ENV": "/opt/venv",
    "CUDA_HOME": "/usr/local/cuda",
    "PATH": "/usr/bin",
    "LD_LIBRARY_PATH": "/usr/lib",
    "0": f"./{NAME}/{NAME}",
    "BASH_SOURCE": f"./{NAME}/{NAME}",
    "!": "$!",
}
"""Variables whose values are known well enough to be judged."""
_EXPANSION = re.compile(r"\$\{(?P<mark>[!#]?)(?P<name>\w+|[@*?$!#-])(?P<index>\[[^\]]*\])?(?P<rest>.*)\}", re.DOTALL)
_FILTERS = frozenset({"head", "tail", "sort", "uniq", "grep", "tac", "shuf"})
_NUMBERS = frozenset(
    {"date", "nproc", "wc", "hostname", "whoami", "id", "uname", "stat", "du", "expr", "basename", "bc"}
)


@dataclass
class Names:
    """What the variables of a text can be."""

    values: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    lists: dict[str, list[Fields]] = field(default_factory=dict[str, list[Fields]])
    """Arrays, with every list of words that each can be."""
    arguments: Fields | None = None
    """Words that the function which is looked at was called with; None for a script's own, which its caller gives."""
    odd_fields: bool = False
    """True if the text changes how words are split, so that what stands unquoted is not known."""

    def put(self, name: str, values: Iterable[str]) -> None:
        """Add values of a variable."""
        known = self.values.setdefault(name, set())
        known.update(value if len(value) <= LONGEST_VALUE else HOLE for value in values)
        if len(known) > MOST_VALUES:
            self.values[name] = {HOLE}

    def shift(self) -> None:
        """Drop the first word that the function was called with."""
        self.arguments = self.arguments[1:] if self.arguments is not None else None

    def put_list(self, name: str, parts: Fields, *, longer: bool = False) -> None:
        """Add a list of words that an array can be, or make those that it can be longer."""
        known = self.lists.setdefault(name, [])
        if longer and known:
            known[:] = [(*before, *parts) for before in known]
        else:
            known.append(parts)
        if len(known) > MOST_VALUES or sum(map(len, known)) > MOST_WORDS:
            known[:] = [(HOLE,)]

    def get(self, name: str) -> set[str]:
        """Return what a variable can be."""
        if name.isdigit() and name != "0" and self.arguments is not None:
            at = int(name) - 1
            return {self.arguments[at]} if at < len(self.arguments) else {""}
        if name in {"@", "*"}:
            return {" ".join(self.arguments)} if self.arguments is not None else {GIVEN}
        if name in self.values:
            return self.values[name]
        return {ENVIRONMENT.get(name, HOLE if name in {"-", "_"} else GIVEN)}


def words(node: Node, names: Names) -> list[Fields]:
    """Return what a word can become; each alternative is the words that the program gets."""
    spread = _spread(node, names)
    if spread is not None:
        return spread
    values = texts(node, names)
    if node.type in {"string", "raw_string", "ansi_c_string"}:
        return [(value,) for value in values]
    if node.type in {"word", "concatenation"} and re.search(r"\{[^{}]*,[^{}]*\}", source(node)):
        return [tuple(part for value in values for part in _braces(value))]
    if any(child.type in {"simple_expansion", "expansion", "command_substitution"} for child in (node, *node.children)):
        if names.odd_fields:
            return [(HOLE,)]
        return [tuple(value.split()) if value.split() else () for value in values]
    return [(value,) for value in values]


def texts(node: Node, names: Names) -> list[str]:
    """Return the texts that a node can stand for, unsplit."""
    match node.type:
        case "string":
            found = _joined(_parts_of_string(node, names))
        case "concatenation":
            found = _joined(texts(child, names) for child in node.children)
        case "raw_string":
            found = [source(node)[1:-1]]
        case "ansi_c_string":
            found = [_ansi(source(node)[2:-1])]
        case "simple_expansion":
            found = sorted(names.get(source(node)[1:]))
        case "expansion":
            found = _expansion(node, names)
        case "command_substitution":
            found = output(node, names)
        case "arithmetic_expansion" | "brace_expression":
            found = [NAME]
        case "process_substitution":
            found = [PIPE]
        case _ if node.named_children:
            found = _joined(texts(child, names) for child in node.named_children)
        case _:
            found = [re.sub(r"\\\n", "", re.sub(r"\\([^\n])", r"\1", source(node)))]
    return found if len(found) <= MOST_VALUES else [HOLE]


def _joined(parts: Iterable[list[str]]) -> list[str]:
    total = [""]
    for part in parts:
        total = [left + right for left, right in itertools.product(total, part)]
        total = list(dict.fromkeys(item if len(item) <= LONGEST_VALUE else HOLE for item in total))
        if len(total) > MOST_VALUES:
            return [HOLE]
    return total


def _parts_of_string(node: Node, names: Names) -> Iterator[list[str]]:
    raw, start, at = node.text or b"", node.start_byte, 1
    for child in node.named_children:
        if child.type == "string_content":
            continue
        yield [_unescaped(raw[at : child.start_byte - start])]
        yield texts(child, names)
        at = child.end_byte - start
    yield [_unescaped(raw[at:-1])]


def _unescaped(raw: bytes) -> str:
    return re.sub(r"\\([$`\"\\])", r"\1", raw.decode("utf-8", "replace").replace("\\\n", ""))


def _ansi(text: str) -> str:
    plain = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"', "r": "\r"}
    if re.search(r"\\[^nt\\'\"r]", text):
        return HOLE
    return re.sub(r"\\(.)", lambda match: plain[match[1]], text)


def _braces(text: str) -> Iterator[str]:
    """`{a,b}c` becomes `ac` and `bc`."""
    match = re.search(r"\{([^{}]*,[^{}]*)\}", text)
    if match is None:
        yield text
        return
    for part in match[1].split(",")[:50]:
        yield from _braces(text[: match.start()] + part + text[match.end() :]) if len(text) < 500 else (HOLE,)


def _spread(node: Node, names: Names) -> list[Fields] | None:
    """`"${list[@]}"` and `"$@"` become as many words as there are."""
    inner = node.named_children[0] if node.type == "string" and len(node.named_children) == 1 else node
    written = source(inner)
    if source(node) not in {written, f'"{written}"'}:
        return None
    if written in {"$@", "$*", "${@}", "${*}"}:
        return [names.arguments if names.arguments is not None else (GIVEN,)]
    match = re.fullmatch(r"\$\{(\w+)\[[@*]\](?::[^}]*)?\}", written)
    if match is None:
        return None
    return names.lists.get(match[1], [(GIVEN,)])


def _expansion(node: Node, names: Names) -> list[str]:
    match = _EXPANSION.fullmatch(source(node))
    if match is None or match["mark"] == "!":
        return [HOLE]
    if match["mark"] == "#":
        return [NAME]
    name, rest = match["name"], match["rest"]
    index = match["index"]
    listed = {word for form in names.lists.get(name, []) for word in form} if index else set[str]()
    values = sorted(listed or names.get(name))
    if not rest or rest.startswith((":?", "?")):
        return values
    operator = rest[:2] if rest[:1] == ":" else rest[:1]
    if operator in {":-", "-", ":=", "=", ":+", "+"}:
        written = [
            child for child in node.named_children if child.type not in {"variable_name", "special_variable_name"}
        ]
        other = _joined(texts(child, names) for child in written) if written else [rest[len(operator) :]]
        return list(dict.fromkeys([*(values if operator not in {":+", "+"} else [""]), *other]))
    return list(dict.fromkeys(_cut(value, rest) for value in values))


def default_of(node: Node, names: Names) -> tuple[str, list[str]] | None:
    """Return the variable that `${NAME:=value}` sets, and the values."""
    match = _EXPANSION.fullmatch(source(node))
    if match is None or not match["rest"].startswith((":=", "=")):
        return None
    return match["name"], _expansion(node, names)


def _cut(value: str, rest: str) -> str:
    """What is left of a value after `%`, `#`, `/` and the like; its place in the tree is what counts."""
    ending = re.fullmatch(r"%%?([\w.-]+)", rest)
    if ending is not None:
        return value.removesuffix(ending[1])
    if rest in {"##*/", "#*/"}:
        return posixpath.basename(value) or NAME
    if rest in {"%/*", "%%/*"}:
        return posixpath.dirname(value) or "."
    if rest == "%/":
        return value.rstrip("/")
    if "/" not in value and (not rest.startswith("/") or "/" not in rest.lstrip("/").partition("/")[2]):
        return NAME if value != HOLE and value != GIVEN else value
    return HOLE


def output(node: Node, names: Names) -> list[str]:
    """What a command substitution gives, where that is known: a folder, a number, a text."""
    inner = node.named_children
    return _printed(inner[-1], names) if len(inner) == 1 else [HOLE]


def _printed(node: Node, names: Names) -> list[str]:
    if node.type == "redirected_statement":
        body = node.child_by_field_name("body")
        heredoc = any(child.type == "heredoc_redirect" for child in node.named_children)
        return _printed(body, names) if body is not None and not heredoc else [HOLE]
    if node.type == "list":
        last = node.named_children[-1]
        if source(last).split()[:1] == ["pwd"]:
            return _printed(node.named_children[0], names)
        return [HOLE]
    if node.type == "pipeline":
        first, *others = node.named_children
        names_of = [source(other).split()[0] for other in others if other.type == "command"]
        if names_of and names_of[-1] in _NUMBERS:
            return [NAME]
        return _printed(first, names) if set(names_of) <= _FILTERS and len(names_of) == len(others) else [HOLE]
    name = node.child_by_field_name("name") if node.type == "command" else None
    if name is None:
        return [HOLE]
    arguments = [words(child, names) for child in node.children_by_field_name("argument")]
    return printed(source(name), [word for item in arguments for word in item[0]])


def printed(program: str, arguments: list[str]) -> list[str]:
    """What a command with these arguments prints, where that is known."""
    plain = [item for item in arguments if not item.startswith("-")]
    match program:
        case "pwd":
            return ["."]
        case "mktemp":
            return [plain[-1].rstrip("X") + NAME if plain else f"/tmp/{NAME}"]
        case "dirname":
            return [posixpath.dirname(plain[0]) or "."] if plain else [HOLE]
        case "cd" | "realpath" | "readlink":
            return plain[:1] or ["~"]
        case "which" | "command":
            return plain[-1:] or [HOLE]
        case "echo" | "printf":
            return [" ".join(plain)] if "printf" not in program or "%" not in "".join(plain) else [HOLE]
        case "git":
            return ["."] if "--show-toplevel" in arguments else [f"./{NAME}"] if plain[:1] == ["ls-files"] else [NAME]
        case "seq":
            return [NAME]
        case "jobs":
            return ["$!"]
        case "find" | "ls":
            roots = itertools.takewhile(lambda item: not item.startswith(("-", "(", "!")), arguments)
            return found_in(list(roots) if program == "find" else plain)
        case _:
            return [NAME] if program in _NUMBERS else [HOLE]


def found_in(places: list[str]) -> list[str]:
    """Names of files that are listed in some places."""
    where = places or ["."]
    outside = next((place for place in where if not inside(place)), where[0])
    suffix = posixpath.splitext(outside)[1] if "*" in outside else ""
    folder = posixpath.dirname(outside) if "*" in outside else outside
    return [f"{folder or '.'}/{NAME}{suffix}"]
