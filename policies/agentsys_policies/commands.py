"""Command gate: default deny. A command goes on if each of its programs is known and each argument is permitted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from agentsys_policies.decide import finding
from agentsys_policies.dependencies import host_permitted
from agentsys_policies.rulebook import CommandRules, HostRules, Program, Rule
from agentsys_policies.schema import Evidence, Finding
from agentsys_policies.text import quote

INSIDE = ("/workspace", "/work", "/repo", "/tmp")
"""Folders of the sandbox in which commands may work."""
HOLE = "\ufffd"
"""Stands in a word for what is known only at run time."""
SENSITIVE = re.compile(
    r"^/(?:etc|root|boot|sys|proc|dev|var|usr|bin|sbin|lib|lib64|opt|app)(?:/|$)|/\.(?:ssh|aws|gnupg|netrc|kube|docker)\b"
    r"|^~?/?\.?(?:ssh|aws)/|/\.(?:bashrc|profile|zshrc|bash_profile|bash_history)|^~/\.|^\$HOME/\."
)
"""System folders and places of credentials; a path that only leads outside is less."""
_ROOTS = re.compile(r"/|/\*|~/?\*?|\$\{?HOME\}?/?\*?|/(?:home|etc|usr|bin|lib|boot|var|root|dev)(?:/\*?)?")
_DEEPEST = 5
_OPEN_ENDED = frozenset({"python", "pytest", "sh"})
"""Programs of the repository itself may be given words that are known only at run time."""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_DANGEROUS_VARIABLES = re.compile(
    r"(?:(?:LD|DYLD|GIT)_\w+|PYTHONSTARTUP|BASH_ENV|PATH|IFS|PROMPT_COMMAND|(?:PIP|UV)_\w*(?:INDEX|FIND_LINKS|TRUSTED|CONFIG)\w*)="
)

CodeCheck = Callable[[str], Sequence[Finding]]
ShellCheck = Callable[[str], Sequence[Finding]]


@dataclass(frozen=True)
class Commands:
    """The command rules, prepared for look-up; `code` checks the text of `python -c`, `shell` that of `sh -c`."""

    rules: CommandRules
    hosts: HostRules
    code: CodeCheck
    shell: ShellCheck

    @cached_property
    def by_id(self) -> dict[str, Rule]:
        return {rule.id: rule for rule in self.rules.rules}

    @cached_property
    def programs(self) -> dict[str, Program]:
        return {name: program for program in self.rules.programs for name in program.names}


def check_argv(argv: Sequence[str], commands: Commands, depth: int = 0) -> list[Finding]:
    """Return the findings on one simple command; no finding of medium severity or more means that it may run.

    `depth` counts wrappers such as `env` around the program.
    """
    words = list(argv)
    text = quote(" ".join(words))
    found: list[Finding] = []
    while words and _ASSIGNMENT.match(words[0]):
        if _DANGEROUS_VARIABLES.match(words[0]):
            found.append(fault(commands, "command.environment", text, words[0]))
        words.pop(0)
    if not words:
        return found
    if depth > _DEEPEST:
        return [*found, fault(commands, "command.unparsed", text, f"more than {_DEEPEST} programs that start programs")]
    return [*found, *_program(words, text, commands, depth)]


def _program(words: list[str], text: str, commands: Commands, depth: int) -> Iterator[Finding]:
    name = words[0]
    base = PurePosixPath(name).name
    if base in commands.rules.blocked and ("/" not in name or name.startswith(("/bin", "/usr", "/sbin"))):
        yield fault(commands, commands.rules.blocked[base], text, base)
        return
    if name.startswith("./") or (name.startswith(INSIDE) and "/" in name[1:]):
        yield from _operands(words[1:], Program(names=(name,)), text, commands)
        if not inside(name):
            yield fault(commands, "command.path-outside", text, name)
        return
    program = commands.programs.get(name) or (commands.programs.get(base) if name.startswith("/usr/bin/") else None)
    if program is None and re.fullmatch(r"python3?(\.\d+)?", name):
        program = commands.programs.get("python")
    if program is None:
        yield fault(commands, "command.unknown-program", text, base)
        return
    yield from _arguments(words, program, text, commands, depth)


def _arguments(words: list[str], program: Program, text: str, commands: Commands, depth: int) -> Iterator[Finding]:
    arguments = words[1:]
    for pattern in program.deny:
        denied = next((item for item in arguments if re.search(pattern, item)), None)
        if denied is not None:
            yield fault(commands, "command.argument", text, denied)
    operands = [item for item in arguments if not item.startswith("-")]
    if program.first and (not operands or operands[0] not in program.first):
        yield fault(commands, "command.subcommand", text, operands[0] if operands else "no subcommand")
    if program.runs == "argv":
        rest = _nested(arguments)
        yield from check_argv(rest, commands, depth + 1) if rest else ()
    elif program.runs == "python":
        yield from _python(arguments, text, commands)
    elif program.runs == "shell":
        yield from _shell(arguments, text, commands)
    else:
        yield from _operands(arguments, program, text, commands)


def _operands(arguments: list[str], program: Program, text: str, commands: Commands) -> Iterator[Finding]:
    for item in arguments:
        value = item.partition("=")[2] if item.startswith("-") and "=" in item else item
        if "://" in value or re.match(r"[\w.-]+@[\w.-]+:", value):
            if program.indexes and not host_permitted(value, commands.hosts.indexes):
                yield fault(commands, "command.index", text, value)
            elif not program.indexes and not (program.hosts and host_permitted(value, commands.hosts.data)):
                yield fault(commands, "command.host", text, value)
        elif program.paths != "any" and not (value.startswith(HOLE) and program.names[0] in _OPEN_ENDED):
            yield from path_fault(value, text, commands, deletes=text.startswith(("rm ", "find ", "mv ")))


def _nested(arguments: list[str]) -> list[str]:
    """The command behind a wrapper such as `env A=1 nohup timeout 60 python x.py`."""
    rest = list(arguments)
    while rest and (rest[0].startswith("-") or re.fullmatch(r"\d+(\.\d+)?[smhd]?", rest[0])):
        rest.pop(0)
    return rest


def _python(arguments: list[str], text: str, commands: Commands) -> Iterator[Finding]:
    for index, item in enumerate(arguments):
        if item == "-c":
            yield from commands.code(arguments[index + 1] if index + 1 < len(arguments) else "")
            return
        if item == "-m":
            yield from _module(arguments[index + 1 :], text, commands)
            return
        if item == "-":
            yield fault(commands, "command.standard-input", text, "python -")
            return
        if not item.startswith("-"):
            yield from _operands(arguments[index:], Program(names=("python",)), text, commands)
            return
    if not any(item in {"-V", "--version", "-VV", "-h", "--help"} for item in arguments):
        yield fault(commands, "command.standard-input", text, "python without a file")


def _module(arguments: list[str], text: str, commands: Commands) -> Iterator[Finding]:
    name = arguments[0] if arguments else ""
    program = commands.programs.get(f"python -m {name}") or commands.programs.get(name)
    if program is not None and not program.runs:
        yield from _arguments([name, *arguments[1:]], program, text, commands, 0)
    elif program is not None or not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", name) or name in commands.rules.blocked:
        yield fault(commands, "command.unknown-program", text, f"python -m {name}")
    elif f"python -m {name}" in commands.rules.blocked:
        yield fault(commands, commands.rules.blocked[f"python -m {name}"], text, name)
    else:
        yield from _operands(arguments[1:], Program(names=("python",)), text, commands)


def _shell(arguments: list[str], text: str, commands: Commands) -> Iterator[Finding]:
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if re.fullmatch(r"-[a-z]*c", option):
            if rest:
                yield from commands.shell(rest[0])
            else:
                yield fault(commands, "command.standard-input", text, option)
            return
        if not re.fullmatch(r"-[euxo]+|--|--norc|--noprofile", option):
            yield fault(commands, "command.argument", text, option)
    if rest[:1] in (["pipefail"], ["errexit"]):
        rest.pop(0)
    if not rest:
        yield fault(commands, "command.standard-input", text, "a shell without a file")
        return
    yield from _operands(rest, Program(names=("sh",)), text, commands)


def path_fault(word: str, text: str, commands: Commands, deletes: bool = False) -> list[Finding]:
    """Return the finding on a word that is a path outside the repository, if it is one."""
    if not looks_like_path(word) or inside(word):
        return []
    if deletes and re.fullmatch(
        r"/|/\*|~/?\*?|\$\{?HOME\}?/?\*?|/(?:home|etc|usr|bin|lib|boot|var|root|dev)(?:/\*?)?", word
    ):
        return [fault(commands, "command.destructive", text, word)]
    rule = "command.sensitive-path" if SENSITIVE.search(word) else "command.path-outside"
    return [fault(commands, rule, text, word)]


def looks_like_path(word: str) -> bool:
    """True if a word can only be a path, or is known only at run time."""
    first = ("/", "~", "../", "$HOME", "${HOME", HOLE)
    return word.startswith(first) or word == ".." or "/../" in word or word.endswith("/..")


def inside(path: str) -> bool:
    """True if a path stays below the working folder, or lies in a folder of the sandbox meant for work."""
    if path.startswith(("~", "$", HOLE)):
        return False
    depth = 0
    parts = PurePosixPath(path).parts
    if path.startswith("/"):
        return path == "/dev/null" or (
            any(path == folder or path.startswith(f"{folder}/") for folder in INSIDE) and ".." not in parts
        )
    for part in parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True


def fault(commands: Commands, rule: str, text: str, detail: str) -> Finding:
    return finding(commands.by_id[rule], Evidence(quote=text), detail)
