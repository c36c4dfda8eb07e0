"""Programs that run what they are handed: interpreters, wrappers such as `env`, `xargs`, `find -exec`, launchers."""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator

from agentsys_policies import operands
from agentsys_policies.options import parse
from agentsys_policies.paths import GIVEN, HOLE, NAME, PIPE, inside, is_known
from agentsys_policies.rulebook import Program
from agentsys_policies.schema import Finding
from agentsys_policies.session import Input, Language, Step

_ANY = Program(names=("a program of the repository",))
_MODULES = frozenset(
    {"json.tool", "venv", "compileall", "unittest", "doctest", "zipfile", "tarfile", "calendar", "this", "platform"}
    | {"gzip", "ensurepip", "sysconfig", "site", "ast", "tabnanny", "py_compile"}
)
"""Modules of the standard library that run nothing of what they are handed."""
_PROFILERS = frozenset({"cProfile", "profile", "trace", "pdb", "runpy", "coverage", "kernprof", "memory_profiler"})


def wrapper(arguments: list[str], program: Program, step: Step) -> Iterator[Finding]:
    """`env A=1 timeout 60 python x.py`: the command behind the wrapper's own options."""
    parsed = parse(arguments, program.options, stops=True)
    yield from operands.unlisted(parsed, step)
    for value in parsed.judged:
        yield from operands.path(value, "write", step)
    rest = parsed.operands[program.skip + len(program.names[0].split()) - 1 :]
    if parsed.given & {"-v", "-V"} and program.names[0] == "command":
        return
    yield from step.start(rest, step.given) if rest else ()


def python(arguments: list[str], program: Program, step: Step) -> Iterator[Finding]:
    """A program text, a module, a file, or what comes on standard input."""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        item = rest.pop(0)
        if item in {"--version", "--help", "-V", "-VV", "-h"}:
            return
        at = next((index for index, letter in enumerate(item) if letter in "cmWX"), 0)
        unknown = item.startswith("--") or re.fullmatch(r"-[bBdEiIOPqRsSuvx]*", item[:at] if at else item) is None
        if unknown:
            yield step.fault("command.option", item)
            return
        if not at:
            continue
        value = item[at + 1 :] or (rest.pop(0) if rest else "")
        if item[at] == "c":
            yield from text_of(value, "python", step)
            yield from words_of(rest, step)
            return
        if item[at] == "m":
            yield from _module([value, *rest], step)
            return
    if not rest or rest[0] in {"-", "/dev/stdin"}:
        yield from _standard_input("python", step)
    else:
        yield from _file(rest, "python", step)


def shell(arguments: list[str], program: Program, step: Step) -> Iterator[Finding]:
    """A text behind `-c`, a file, or what comes on standard input."""
    rest = list(arguments)
    while rest and rest[0].startswith(("-", "+")) and rest[0] != "-":
        option = rest.pop(0)
        if option in {"--norc", "--noprofile", "--login", "--posix", "--"}:
            continue
        if option == "--version":
            return
        if not re.fullmatch(r"[-+][eufxvnlEo]*[cs]?", option):
            yield step.fault("command.argument", option)
            continue
        if "o" in option and rest:
            rest.pop(0)
        if option.endswith("c"):
            if rest:
                yield from text_of(rest[0], "shell", step)
                yield from words_of(rest[1:], step)
            else:
                yield step.fault("command.standard-input", option)
            return
        if option.endswith("s"):
            yield from _standard_input("shell", step)
            return
    if not rest or rest[0] in {"-", "/dev/stdin"}:
        yield from _standard_input("shell", step)
    else:
        yield from _file(rest, "shell", step)


def source(arguments: list[str], program: Program, step: Step) -> Iterator[Finding]:
    """`source FILE`: shell text of a file; `source activate NAME` names an environment."""
    if arguments[:1] == ["activate"] or not arguments:
        yield from words_of(arguments, step)
    elif arguments[0] == "/dev/stdin":
        yield from _standard_input("shell", step)
    else:
        yield from _file(arguments, "shell", step)


def text_of(text: str, language: Language, step: Step) -> Iterator[Finding]:
    """Judge a text that is run; where parts of it are known only at run time, they may be data and no program."""
    if HOLE in text:
        yield step.fault("command.computed", "a part of the program is known only at run time")
    if language == "python":
        yield from step.commands.code(re.sub(f"[{HOLE}{NAME}{GIVEN}]", "x", text), step.session.fetched)
    else:
        yield from step.commands.shell(text, step.session)


def _standard_input(language: Language, step: Step) -> Iterator[Finding]:
    match step.given.kind:
        case "text":
            yield from text_of(step.given.text, language, step)
        case "file":
            yield from _file([step.given.text], language, step)
        case "pipe":
            yield step.fault("command.pipe-to-interpreter", step.text)
        case _:
            yield step.fault("command.standard-input", "no file is named")


def _file(words: list[str], language: Language, step: Step) -> Iterator[Finding]:
    name = words[0]
    if name == PIPE:
        yield step.fault("command.process-substitution", step.text)
        return
    suffix = {"python": (".py",), "shell": (".sh", ".bash")}.get(language, ("",))
    begins = name.partition("/")[0]
    named = is_known(name) or (name.endswith(suffix) and ("/" in name and (is_known(begins) or begins in {".", GIVEN})))
    if not named:
        yield step.fault("command.computed", name)
        return
    step.session.run(name, language, step.text)
    yield from operands.operand(name, _ANY.model_copy(update={"touches": "read"}), step)
    yield from words_of(words[1:], step)


def words_of(words: list[str], step: Step) -> Iterator[Finding]:
    """Words for a program of the repository: they may be known only at run time, but not lead outside."""
    for word in operands.parse(words, ()).operands:
        if not word.startswith((HOLE, GIVEN)):
            yield from operands.operand(word, _ANY, step)
    for _, value in operands.parse(words, ()).values:
        if not value.startswith((HOLE, GIVEN)):
            yield from operands.operand(value, _ANY, step)


def _module(words: list[str], step: Step) -> Iterator[Finding]:
    name = words[0]
    rules = step.commands
    if f"python -m {name}" in rules.programs or (name in rules.programs and not rules.programs[name].runs):
        yield from step.start([name if name in rules.programs else f"python -m {name}", *words[1:]], step.given)
    elif f"python -m {name}" in rules.rules.blocked:
        yield step.fault(rules.rules.blocked[f"python -m {name}"], name)
    elif name == "timeit":
        for word in operands.parse(words[1:], ("-n:", "-r:", "-s=", "-u:", "-p", "-v")).operands:
            yield from text_of(word, "python", step)
    elif name in _PROFILERS:
        rest = operands.parse(words[1:], ("-o=", "-s:", "-m", "--source:", "-c:", "--count", "-l", "-v"), stops=True)
        yield from operands.unlisted(rest, step)
        yield from _file(rest.operands[rest.operands[:1] == ["run"] :] or [HOLE], "python", step)
    elif (
        not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", name)
        or name in rules.rules.blocked
        or name in rules.programs
        or (name.partition(".")[0] in sys.stdlib_module_names and name not in _MODULES)
    ):
        yield step.fault("command.unknown-program", f"python -m {name}")
    else:
        step.session.run(name.replace(".", "/") + ".py", "python", step.text)
        yield from words_of(words[1:], step)


def launcher(arguments: list[str], program: Program, step: Step) -> Iterator[Finding]:
    """`torchrun --nproc_per_node=2 train.py`: the first Python file is started."""
    script = next((item for item in arguments if item.endswith(".py")), "")
    if script:
        step.session.run(script, "python", step.text)
    yield from words_of(arguments, step)


def xargs(arguments: list[str], program: Program, step: Step) -> Iterator[Finding]:
    """The command behind `xargs`, with what comes through the pipe as its last words."""
    parsed = parse(arguments, program.options, stops=True)
    yield from operands.unlisted(parsed, step)
    if not parsed.operands:
        return
    words = step.given.words or (HOLE,)
    mark = parsed.value("-I", "--replace", "-J")
    for word in words:
        nested = [item.replace(mark, word) for item in parsed.operands] if mark else [*parsed.operands, word]
        if not mark and len(parsed.operands) == 1:
            yield from _fed(nested, step)
        yield from step.start(nested, Input())


def _fed(words: list[str], step: Step) -> Iterator[Finding]:
    """`... | xargs bash`: an interpreter that is handed the names of what it runs."""
    program = step.commands.programs.get(posixpath.basename(words[0]))
    if program is not None and program.runs in {"python", "shell", "source"}:
        yield step.fault("command.pipe-to-interpreter", words[0])


def parallel(arguments: list[str], program: Program, step: Step) -> Iterator[Finding]:
    """`parallel COMMAND ::: WORDS`: GNU parallel hands each line to a shell."""
    cut = next((index for index, item in enumerate(arguments) if item.startswith(":::")), len(arguments))
    parsed = parse(arguments[:cut], program.options, stops=True)
    yield from operands.unlisted(parsed, step)
    given = [item for item in arguments[cut:] if not item.startswith(":::")] if cut < len(arguments) else []
    line = " ".join(parsed.operands)
    if not line:
        yield step.fault("command.pipe-to-interpreter", "parallel without a command")
        return
    for word in given or step.given.words or (HOLE,):
        whole = line.replace("{}", word) if "{}" in line else f"{line} {word}"
        yield from step.commands.shell(re.sub(r"\{[\d./#%]+\}", NAME, whole), step.session)


def find(arguments: list[str], program: Program, step: Step) -> Iterator[Finding]:
    """`find ROOTS ... -exec COMMAND {} +`: roots are paths, and what is started is judged with what is found."""
    rest = [item for item in arguments if item not in {"-H", "-L", "-P"}]
    cut = next((index for index, item in enumerate(rest) if item.startswith(("-", "(", "!"))), len(rest))
    roots, expression = rest[:cut] or ["."], rest[cut:]
    deletes = "-delete" in expression
    for root in roots:
        yield from operands.path(root, "delete" if deletes else "read", step)
    outside = next((root for root in roots if not inside(root)), roots[0])
    found = f"{outside.rstrip('/') or '/'}/{NAME}"
    while expression:
        item = expression.pop(0)
        if re.fullmatch(r"-(?:exec|execdir|ok|okdir)", item):
            end = next((index for index, word in enumerate(expression) if word in {";", "+"}), len(expression))
            nested = [word.replace("{}", found) for word in expression[:end]]
            expression = expression[end + 1 :]
            yield from step.start(nested, Input()) if nested else ()
        elif re.fullmatch(r"-(?:fprint.*|fls)", item):
            yield step.fault("command.argument", item)


KINDS = {
    "argv": wrapper,
    "python": python,
    "shell": shell,
    "source": source,
    "launch": launcher,
    "xargs": xargs,
    "parallel": parallel,
    "find": find,
}
