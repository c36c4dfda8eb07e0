"""What a program is handed: options by its table, files, addresses, packages, and programs of sed and awk."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from agentsys_policies.dependencies import host_permitted
from agentsys_policies.filters import awk_fault, sed_fault
from agentsys_policies.options import Parsed, parse
from agentsys_policies.paths import GIVEN, HOLE, Use, is_known, path_rule
from agentsys_policies.rulebook import Program
from agentsys_policies.schema import Finding
from agentsys_policies.session import Step

_REMOTE = re.compile(r"[\w.-]+@[\w.-]+:|[\w.-]+::")
_ROOTS = re.compile(r"/|/\*|~/?\*?|/(?:home|etc|usr|bin|lib|boot|var|root|dev)(?:/\*?)?")
_ARCHIVE = re.compile(r"(?:\.tar)?\.(?:gz|tgz|bz2|xz|zip|tar|git)$")


def judge(arguments: Sequence[str], program: Program, step: Step) -> Iterator[Finding]:
    """Yield the faults of a program's arguments, and note what it writes."""
    parsed = parse(arguments, program.options)
    yield from unlisted(parsed, step)
    operands = parsed.operands[len(program.names[0].split()) - 1 :]
    if program.first and not program.options:
        operands = parsed.operands
    if program.pattern and operands and not parsed.given & {"-e", "--expression", "-f", "--file", "--regexp"}:
        yield from _script(operands.pop(0), program, step)
    for name, value in parsed.values:
        if program.pattern and name in {"-e", "--expression", "--regexp"}:
            yield from _script(value, program, step)
    if program.requirements and operands[:1] and operands[0] in {"install", "download", "wheel", "pip", "add"}:
        yield from _packages(operands, step)
    else:
        for word in operands:
            yield from operand(word, program, step)
    for value in parsed.judged:
        yield from operand(value, program, step, address="://" in value)
    for name in _saved(program.saves, parsed):
        step.session.fetch(name)


def unlisted(parsed: Parsed, step: Step) -> Iterator[Finding]:
    """Yield the options that the program's table does not hold."""
    for item in parsed.unknown:
        yield step.fault("command.option", item)


def operand(word: str, program: Program, step: Step, *, address: bool | None = None) -> Iterator[Finding]:
    """Yield the fault of one operand: an address that is not permitted, or a path that leads outside."""
    address = program.addresses if address is None else address
    unknown_address = address and not is_known("/".join(word.split("/")[:3]))
    if "://" in word or _REMOTE.match(word) or address:
        if program.indexes and not host_permitted(word, step.commands.hosts.indexes):
            yield step.fault("command.index", word)
        elif not program.indexes and (
            unknown_address or not (program.hosts and host_permitted(word, step.commands.hosts.data))
        ):
            yield step.fault("command.host", word)
    elif program.paths != "any":
        yield from path(word, program.touches, step)


def path(word: str, use: Use, step: Step) -> Iterator[Finding]:
    """Yield the fault of one word that is a path."""
    rule = path_rule(word, use)
    if (
        rule
        and use == "write"
        and _ROOTS.fullmatch(word)
        and step.text.startswith(("mv ", "find ", "chmod ", "chown "))
    ):
        rule = "command.destructive"
    if rule:
        yield step.fault(rule, word)


def _script(word: str, program: Program, step: Step) -> Iterator[Finding]:
    if program.pattern == "text":
        return
    wrong = sed_fault(word) if program.pattern == "sed" else awk_fault(word)
    if HOLE in word or GIVEN in word:
        wrong = wrong or ("" if program.pattern == "sed" and word.startswith("s") else word)
    if wrong:
        yield step.fault("command.argument", wrong)


def _packages(operands: list[str], step: Step) -> Iterator[Finding]:
    """Packages that are named on the command line are judged as those of a requirements file are."""
    names = operands[2:] if operands[0] == "pip" else operands[1:]
    if operands[0] == "pip" and operands[1:2] not in (["install"], ["download"], ["wheel"]):
        return
    for name in names:
        if not is_known(name):
            yield step.fault("command.computed", name)
        elif re.fullmatch(r"\.?/?[\w./-]*(?:\.whl|\.tar\.gz|/)|\.|\./.*|[\w.-]+/.*", name.partition("[")[0]):
            yield from path(name, "read", step)
            step.session.run(name.partition("[")[0], "", step.text)
        else:
            yield from step.commands.requirement(name)


def _saved(kind: str, parsed: Parsed) -> Iterator[str]:
    """What a program that downloads or unpacks leaves behind."""
    words = parsed.operands
    match kind:
        case "download":
            named = parsed.value("-o", "--output", "-O", "--output-document", "--output-dir")
            folder = parsed.value("-P", "--directory-prefix", "--output-dir")
            urls = [posixpath.basename(urlsplit(word).path) for word in words if "://" in word]
            yield from [named] if named not in {"", "-"} else (posixpath.join(folder, name) for name in urls if name)
        case "clone" if words[:1] == ["clone"] and len(words) > 1:
            yield words[2] if len(words) > 2 else _ARCHIVE.sub("", posixpath.basename(words[1].rstrip("/")))
        case "folder":
            yield parsed.value("--local-dir", "-p", "--path")
        case _:
            pass
