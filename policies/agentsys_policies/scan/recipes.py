"""Shell texts and argument lists that stand in other files: Makefiles, container recipes, workflows, settings."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import yaml

from agentsys_policies.paths import GIVEN
from agentsys_policies.scan.files import Source
from agentsys_policies.scan.makefile import recipes as make_recipes
from agentsys_policies.scan.makefile import shell_of

_WORKFLOWS = re.compile(
    r"(?:^|/)(?:\.github/|\.circleci/|\.gitlab-ci|\.travis\.|azure-pipelines|bitbucket-pipelines|appveyor|action\.ya?ml|"
    r"Taskfile|dvc\.yaml|(?:docker-)?compose[^/]*\.ya?ml)"
)
_KEYS = frozenset(
    {"run", "script", "before_script", "after_script", "command", "commands", "entrypoint", "cmd", "cmds", "bash"}
    | {"before_install", "install", "postcreatecommand", "poststartcommand", "onCreateCommand"}
)
_MENTIONED = re.compile(r"(?i)\b(?:run|script|commands?|entrypoint|cmds?|bash|install|pip|\w+_script)[\"']?\s*:")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh"})
_MOST_NODES = 20_000


@dataclass(frozen=True)
class Recipe:
    """A text that is run."""

    kind: Literal["shell", "python", "requirement", "unreadable"]
    text: str
    lines: tuple[int, ...] = (1,)
    """For each line of the text, the line of the file; the last one counts for what follows."""

    def line(self, number: int) -> int:
        """The line of the file for a line of the text, both from 1."""
        return self.lines[min(max(number, 1), len(self.lines)) - 1]


def recipes(source: Source) -> Iterator[Recipe]:
    """Yield what a file that is neither program nor script has run."""
    name = source.path.rpartition("/")[2].lower()
    if source.kind == "make":
        yield from _make(source.text)
    elif source.kind == "container":
        yield from _container(source.text)
    elif name.endswith((".yml", ".yaml")):
        yield from _yaml(source)
    elif name in {"package.json", "devcontainer.json"}:
        yield from _json(source.text)
    elif name in {"tox.ini", "setup.cfg"}:
        yield from _ini(source.text)
    elif name == "pyproject.toml":
        yield from _tasks(source.text)


def _make(text: str) -> Iterator[Recipe]:
    program = shlex.split(shell_of(text), comments=True)[-1:] if '"' not in shell_of(text) else ["?"]
    usual = bool(program) and program[0].rpartition("/")[2] in _SHELLS
    for lines in make_recipes(text):
        numbers = [line.number for line in lines for _ in range(line.text.count("\n") + 1)]
        if usual:
            yield Recipe("shell", "\n".join(line.text for line in lines), tuple(numbers) or (1,))
            continue
        for line in lines:
            yield Recipe("shell", shlex.join([*program, "-c", line.text]), (line.number,))


# -- containers --------------------------------------------------------------------------------------------------------


def _container(text: str) -> Iterator[Recipe]:
    whole: list[str] = []
    numbers: list[int] = []
    folder = ""
    for number, word, rest in _instructions(text):
        if word == "WORKDIR":
            folder = rest.strip().rstrip("/")
        command = _instruction(word, rest)
        if not command:
            continue
        if re.fullmatch(r"/(?!etc|usr|bin|sbin|lib|root|var|boot|dev|proc|sys)[\w./-]+", folder):
            # What the recipe copies there is the repository.
            command = re.sub(rf"(?<![\w./-]){re.escape(folder)}(?=[/\s;\"']|$)", ".", command)
        whole.append(command)
        numbers += [number] * (command.count("\n") + 1)
    if whole:
        yield Recipe("shell", "\n".join(whole), tuple(numbers))


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, word and rest of each instruction, with its continued lines and here-documents."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        first, line = at, lines[at].strip()
        at += 1
        if not line or line.startswith("#"):
            continue
        while line.endswith("\\") and at < len(lines):
            following = lines[at].strip()
            at += 1
            line = line[:-1] + ("\\" if following.startswith("#") else " " + following)
        line = line.rstrip("\\")
        word, _, rest = line.partition(" ")
        for mark in re.findall(r"<<-?[\"']?(\w+)[\"']?", rest) if word.upper() == "RUN" else []:
            while at < len(lines):
                rest += "\n" + lines[at]
                at += 1
                if lines[at - 1].strip() == mark:
                    break
        yield first + 1, word.upper(), rest


def _instruction(word: str, rest: str) -> str:
    """The shell text of one instruction; empty where it runs nothing."""
    rest = rest.strip()
    if word in {"ONBUILD", "HEALTHCHECK"}:
        rest = re.sub(r"^(--\S+\s+)+", "", rest)
        inner, _, rest = rest.partition(" ")
        return _instruction(inner.upper(), rest)
    if word == "ENV":
        return f"export {rest}" if re.match(r"\w+=", rest) else "export " + rest.replace(" ", "=", 1)
    if word not in {"RUN", "CMD", "ENTRYPOINT", "SHELL"}:
        return ""
    rest = re.sub(r"^(--\S+\s+)+", "", rest)
    if rest.startswith("["):
        try:
            loaded = json.loads(rest)
        except ValueError:
            return rest
        words = [str(item) for item in cast("list[object]", loaded)]
        return shlex.join([*words, "true"] if word == "SHELL" else words)
    return f"bash {rest}" if rest.startswith("<<") else rest


# -- settings ----------------------------------------------------------------------------------------------------------


def _yaml(source: Source) -> Iterator[Recipe]:
    workflow = bool(_WORKFLOWS.search(source.path))
    if not workflow and not _MENTIONED.search(source.text):
        return
    try:
        composed = cast("Iterator[yaml.Node | None]", yaml.compose_all(source.text, Loader=yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]
        documents = list(composed)
    except (yaml.YAMLError, RecursionError):
        if workflow:
            yield Recipe("unreadable", "not YAML")
        return
    seen: set[int] = set()
    stack: list[tuple[yaml.Node, bool]] = [(node, workflow) for node in documents if node is not None]
    while stack and len(seen) < _MOST_NODES:
        node, here = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            stack += [(item, here) for item in cast("list[yaml.Node]", node.value)]
        elif isinstance(node, yaml.MappingNode):
            pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
            shell = next((str(value.value) for key, value in pairs if key.value == "shell"), "")
            for key, value in pairs:
                name = str(key.value).lower()
                if name in _KEYS:
                    yield from _entry(value, here, shell)
                elif name == "pip" and isinstance(value, yaml.SequenceNode):
                    for item in cast("list[yaml.Node]", value.value):
                        yield Recipe("requirement", str(item.value), (item.start_mark.line + 1,))
                stack.append((value, here or name == "steps"))
    if stack:
        yield Recipe("unreadable", "too large")


def _entry(node: yaml.Node, workflow: bool, shell: str) -> Iterator[Recipe]:
    """What stands behind `run:` and the like: a text, a list of texts, or a list of words."""
    kind: Literal["shell", "python"] = "python" if shell.startswith("python") else "shell"
    if isinstance(node, yaml.ScalarNode):
        text = re.sub(r"\$\{\{.*?\}\}", GIVEN, str(node.value))
        first = node.start_mark.line + (2 if node.style in {"|", ">"} else 1)
        if text.strip() and (workflow or _is_command(text)):
            yield Recipe(kind, text, tuple(range(first, first + text.count("\n") + 1)))
    elif isinstance(node, yaml.SequenceNode):
        parts = cast("list[yaml.Node]", node.value)
        texts = [str(item.value) for item in parts if isinstance(item, yaml.ScalarNode)]
        words = node.flow_style or all(" " not in text.strip() for text in texts)
        whole = shlex.join(texts) if words else "\n".join(texts)
        if texts and (workflow or _is_command(whole)):
            yield Recipe("shell", re.sub(r"\$\{\{.*?\}\}", GIVEN, whole), (node.start_mark.line + 1,))


def _is_command(text: str) -> bool:
    """In a configuration of an experiment `run: smoke` is a name; what can only be a command is taken for one."""
    return bool(
        re.search(r"[|;&<>`\n]|\$\(|^\s*\S*/\S+|^\s*(?:sudo|python3?|bash|sh|pip|curl|wget|git|rm)\s", text.strip())
    )


def _json(text: str) -> Iterator[Recipe]:
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        yield Recipe("unreadable", "not JSON")
        return
    table = cast("dict[str, object]", loaded) if isinstance(loaded, dict) else {}
    scripts = table.get("scripts")
    found: list[object] = [*cast("dict[str, object]", scripts).values()] if isinstance(scripts, dict) else []
    found += [value for key, value in table.items() if key.endswith("Command")]
    for value in found:
        text = shlex.join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)
        yield Recipe("shell", text)


def _ini(text: str) -> Iterator[Recipe]:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        yield Recipe("unreadable", "not an INI file")
        return
    for section in parser.sections():
        for key in ("commands", "commands_pre", "commands_post"):
            body = parser.get(section, key, fallback="") or ""
            body = re.sub(r"\{envpython\}", "python", body)
            for line in body.replace("\\\n", " ").splitlines():
                bare = re.sub(r"\{[^{}]*\}", GIVEN, line.strip().lstrip("-! "))
                if bare:
                    yield Recipe("shell", bare, (_line(text, line.strip()),))


def _line(text: str, part: str) -> int:
    at = text.find(part)
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def _tasks(text: str) -> Iterator[Recipe]:
    """Tasks of task runners: tables called `scripts` or `tasks` below `tool`."""
    try:
        tool = tomllib.loads(text).get("tool", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    stack: list[tuple[str, object]] = [("", tool)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, dict):
            table = cast("dict[str, object]", value)
            inside = "tasks" if name in {"scripts", "tasks"} else ""
            stack += [(inside or key, item) for key, item in table.items() if key not in {"help", "env", "description"}]
        elif isinstance(value, str) and name in {"tasks", "cmd", "shell"}:
            yield Recipe("shell", value, (_line(text, value),))
        elif isinstance(value, list) and name == "tasks":
            stack += [(name, item) for item in cast("list[object]", value)]
