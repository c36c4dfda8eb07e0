"""Command gate: default deny. A command goes on if each of its programs is known and each argument is permitted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from agentsys_policies import operands, starters
from agentsys_policies.paths import inside, is_named
from agentsys_policies.rulebook import Program
from agentsys_policies.schema import Finding
from agentsys_policies.session import MOST_COMMANDS, Commands, Input, Judged, Session, Step
from agentsys_policies.text import quote

_DEEPEST = 5
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_DANGEROUS_VARIABLES = re.compile(
    r"(?:(?:LD|DYLD)_\w+|PYTHONSTARTUP|PYTHONHTTPSVERIFY|PYTHONBREAKPOINT|BASH_ENV|ENV|PATH|PROMPT_COMMAND|PS4|SHELLOPTS"
    r"|GIT_(?:SSH\w*|SSL\w*|EXEC_PATH|CONFIG\w*|TEMPLATE_DIR|PROXY\w*|ASKPASS|EXTERNAL_DIFF|PAGER|EDITOR|ALLOW\w*)"
    r"|(?:CURL|REQUESTS)_CA_BUNDLE|SSL_\w+|NODE_TLS\w*|NODE_OPTIONS|PERL5OPT|RUBYOPT|(?i:https?_proxy|all_proxy)"
    r"|(?:PIP|UV)_\w*(?:INDEX|FIND_LINKS|TRUSTED|CONFIG|INSECURE|CERT)\w*)\+?="
)
_SEARCHED = re.compile(r"(?:PATH|LD_LIBRARY_PATH)\+?=(.*)", re.DOTALL)
_SYSTEM_FOLDER = re.compile(
    r"(?:/usr|/opt|/bin|/sbin|/lib|/lib64)(?:/[^:]*)?|~/(?:\.local|\.cargo|miniconda3?|anaconda3)/bin"
)
"""Folders that a search path may name: nothing of the repository lies there."""


def check_argv(argv: Sequence[str], session: Session, given: Input | None = None, depth: int = 0) -> list[Finding]:
    """Return the findings on one simple command; no finding of medium severity or more means that it may run.

    Args:
        session: what was found out about the text so far; files that are written and run are added to it.
        given: what the command reads on standard input.
        depth: programs around this one that start programs.
    """
    words = list(argv)
    text = quote(" ".join(words[:1000]))
    commands = session.commands
    found: list[Finding] = []
    while words and _ASSIGNMENT.match(words[0]):
        if _DANGEROUS_VARIABLES.match(words[0]) and not _only_system_folders(words[0]):
            found.append(commands.fault("command.environment", text, words[0]))
        words.pop(0)
    if not words:
        return found
    session.seen += 1
    if session.seen > MOST_COMMANDS:
        return [*found, commands.fault("command.unparsed", text, f"more than {MOST_COMMANDS} commands")]
    if depth > _DEEPEST:
        return [*found, commands.fault("command.unparsed", text, f"more than {_DEEPEST} programs that start programs")]

    def start(nested: Sequence[str], its_input: Input) -> list[Finding]:
        return check_argv(nested, session, its_input, depth + 1)

    return [*found, *_program(words, Step(session, text, given or Input(), start))]


def _only_system_folders(assignment: str) -> bool:
    """True for `PATH=/usr/local/cuda/bin:$PATH`."""
    match = _SEARCHED.match(assignment)
    return match is not None and all(
        _SYSTEM_FOLDER.fullmatch(part) and ".." not in part for part in match[1].split(":")
    )


def _program(words: list[str], step: Step) -> Iterator[Finding]:
    name, commands = words[0], step.commands
    base = PurePosixPath(name).name if "/" in name else name
    system = "/" not in name or name.startswith(("/bin/", "/usr/", "/sbin/"))
    pair = f"{base} {words[1]}" if len(words) > 1 else ""
    for key in (base, pair):
        if system and key in commands.rules.blocked:
            yield commands.fault(commands.rules.blocked[key], step.text, key)
            return
    if not is_named(name):
        yield step.fault("command.computed", name)
    elif "/" in name and not name.startswith(("/bin/", "/usr/bin/", "/usr/local/bin/")):
        yield from _own_program(words, step)
    else:
        program = commands.programs.get(pair) or commands.programs.get(base)
        if program is None and re.fullmatch(r"python3?(\.\d+)?", base):
            program = commands.programs.get("python")
        if program is None:
            yield step.fault("command.unknown-program", base)
            return
        yield from _arguments(words, program, step)


def _own_program(words: list[str], step: Step) -> Iterator[Finding]:
    """A program of the repository, or the interpreter of an environment in it."""
    name, base = words[0], PurePosixPath(words[0]).name
    if not inside(name):
        yield step.fault("command.path-outside", name)
        return
    step.session.run(name, "", step.text)
    interpreter = re.fullmatch(r"python3?(\.\d+)?|pip3?|pytest", base)
    if interpreter and name.endswith(f"/bin/{base}"):
        program = step.commands.programs.get("python" if base.startswith("python") else base)
        yield from _arguments([base, *words[1:]], program, step) if program is not None else ()
        return
    yield from starters.words_of(words[1:], step)


def _arguments(words: list[str], program: Program, step: Step) -> Iterator[Finding]:
    arguments = words[1:]
    for pattern in program.deny:
        denied = next((item for item in arguments if re.search(pattern, item)), None)
        if denied is not None:
            yield step.fault("command.argument", denied)
    if program.first:
        first = next(iter(operands.parse(arguments, program.options).operands), "")
        if first not in program.first and not (first == "" and arguments and set(arguments) <= _ASKS):
            yield step.fault("command.subcommand", first or "no subcommand")
    if program.obeys:
        step.session.run(program.obeys, "", step.text)
    if program.runs:
        yield from starters.KINDS[program.runs](arguments, program, step)
    else:
        yield from operands.judge(arguments, program, step)


_ASKS = frozenset({"--version", "-V", "--help", "-h"})


def check_command(argv: Sequence[str], commands: Commands) -> Judged:
    """Judge a whole command, what it does with files that it made included."""
    session = Session(commands)
    return session.judged(check_argv(argv, session))
