"""What a paper defines for itself. Commands that begin a display (`\\be`, `\\begin{eq}`) and theorems are expanded.

Other macros stay as they are and are handed over as notation: a model reads `\\R` as well as `\\mathbb{R}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentsys.paper.latex.scan import ENVIRONMENTS, matching

ROUNDS = 4
"""How deep definitions may use each other."""
GROWTH = 1_000_000
"""Characters by which a source may grow: definitions can double each other."""
_DISPLAY = re.compile(r"\\(?:begin|end)\s*\{(?P<name>[A-Za-z0-9]+)\*?\}|(?<!\\)\\[\[\]]|\$\$")
_MACRO = re.compile(
    r"\\(?:(?:re|provide)?newcommand|renewcommand|DeclareRobustCommand)\*?\s*\{?\s*\\(?P<name>[A-Za-z@]+)\s*\}?"
    r"\s*(?:\[(?P<count>\d)\])?\s*(?:\[(?P<default>[^\]]*)\])?\s*(?=\{)"
    r"|\\def\s*\\(?P<def>[A-Za-z@]+)\s*(?P<marks>(?:#\d)*)\s*(?=\{)"
)
_OWN = re.compile(
    r"\\(?:re)?newenvironment\*?\s*\{(?P<name>[A-Za-z0-9*]+)\}\s*(?:\[(?P<count>\d)\])?\s*(?:\[(?P<default>[^\]]*)\])?"
    r"\s*(?=\{)"
)
_THEOREM = re.compile(
    r"\\(?:newtheorem\*?|declaretheorem)\s*(?:\[[^\]]*\])?\s*\{(?P<name>[A-Za-z0-9*]+)\}"
    r"\s*(?:\[[^\]]*\]\s*)?(?:\{(?P<title>[^{}]*)\})?"
)
_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand|renewcommand|DeclareMathOperator|DeclareRobustCommand)\*?\s*\{?\s*\\(?P<name>[A-Za-z@]+)\s*\}?"
    r"|\\def\s*\\(?P<def>[A-Za-z@]+)"
)
MAX_NOTATION = 6_000
"""Characters of notation that are handed over."""


@dataclass(frozen=True, slots=True)
class _Definition:
    """What a command or the `\\begin` of an environment stands for."""

    body: str
    count: int = 0
    default: str | None = None
    end: str = ""


def expand_displays(text: str) -> str:
    """Return LaTeX in which every display begins and ends with a command that everybody knows."""
    preamble, begin, body = text.partition("\\begin{document}")
    if not begin:
        preamble, body = "", text
    commands, environments = _displaying(_commands(text), _environments(text))
    limit = len(body) + GROWTH
    for _ in range(ROUNDS):
        before = body
        for name, definition in environments.items():
            body = _own_environment(body, name, definition, limit)
        for name, definition in commands.items():
            body = _own_command(body, name, definition, limit)
        if body == before:
            break
    return preamble + begin + _theorems(text, body)


def expand_words(text: str, source: str) -> str:
    """Return a short text with the macros without arguments that the source defines: a title may be one."""
    known = {name: item.body for name, item in _commands(source).items() if not item.count}
    for _ in range(ROUNDS):
        before = text
        text = re.sub(r"\\([A-Za-z@]+)(?:\s*\{\}|\\xspace|(?![A-Za-z@]))", lambda use: known.get(use[1], use[0]), text)
        if text == before or len(text) > MAX_NOTATION:
            break
    return text.replace("\\xspace", "")


def _displaying(
    commands: dict[str, _Definition], environments: dict[str, _Definition]
) -> tuple[dict[str, _Definition], dict[str, _Definition]]:
    """Return those definitions that begin or end a display or a float, be it by way of another definition."""
    shown: set[str] = set()
    own: set[str] = set()
    for _ in range(ROUNDS):
        shown |= {name for name, item in commands.items() if _shows(item.body, shown, own)}
        own |= {name for name, item in environments.items() if _shows(item.body, shown, own)}
    return (
        {name: item for name, item in commands.items() if name in shown},
        {name: item for name, item in environments.items() if name in own},
    )


def _shows(body: str, commands: set[str], environments: set[str]) -> bool:
    known = ENVIRONMENTS | environments
    return any(match["name"] in known or match["name"] is None for match in _DISPLAY.finditer(body)) or any(
        name in commands for name in re.findall(r"\\([A-Za-z@]+)", body)
    )


def _commands(text: str) -> dict[str, _Definition]:
    found: dict[str, _Definition] = {}
    for match in _MACRO.finditer(text):
        body = text[match.end() + 1 : matching(text, match.end())]
        count = len(match["marks"] or "") // 2 if match["def"] else int(match["count"] or 0)
        name = match["name"] or match["def"]
        # One that uses itself redefines what was there before, and cannot be told without running TeX.
        if not re.search(rf"\\{re.escape(name)}(?![A-Za-z@])", body):
            found[name] = _Definition(body, count, match["default"])
    return found


def _environments(text: str) -> dict[str, _Definition]:
    found: dict[str, _Definition] = {}
    for match in _OWN.finditer(text):
        middle = matching(text, match.end())
        start = re.compile(r"\s*(?=\{)").match(text, middle + 1)
        if start is None:
            continue
        opens = text[match.end() + 1 : middle]
        closes = text[start.end() + 1 : matching(text, start.end())]
        if f"\\begin{{{match['name']}}}" not in opens:
            found[match["name"]] = _Definition(opens, int(match["count"] or 0), match["default"], closes)
    return found


def _own_command(body: str, name: str, definition: _Definition, limit: int) -> str:
    pattern = rf"(?<!\\)(?P<before>(?:\\\\)*)\\{re.escape(name)}(?![A-Za-z@])"
    return _substituted(body, pattern, definition, limit)


def _own_environment(body: str, name: str, definition: _Definition, limit: int) -> str:
    changed = _substituted(body, rf"(?P<before>)\\begin\s*\{{{re.escape(name)}\}}", definition, limit)
    return re.sub(rf"\\end\s*\{{{re.escape(name)}\}}", lambda _: definition.end, changed) if changed != body else body


def _substituted(body: str, pattern: str, definition: _Definition, limit: int) -> str:
    """Put a definition in the place of its uses, unless that makes the text longer than `limit`."""
    parts: list[str] = []
    position = 0
    size = len(body)
    for match in re.finditer(pattern, body):
        start = match.start()
        if start < position or re.search(r"(?:command\*?\s*\{?|\\def|\\let)\s*$", body[max(start - 20, 0) : start]):
            continue
        given, end = _arguments(body, match.end(), definition)
        most = len(definition.body) + definition.body.count("#") * max(map(len, given), default=0)
        size += most + len(definition.end)
        if size > limit:
            return body
        parts += [body[position:start], match["before"], _filled(definition.body, given)]
        position = end
    return "".join([*parts, body[position:]])


def _arguments(text: str, position: int, definition: _Definition) -> tuple[list[str], int]:
    """Return the arguments after `position` and where they end."""
    given: list[str] = []
    if definition.count and definition.default is not None:
        optional = re.compile(r"\s*\[([^\]]*)\]").match(text, position)
        given.append(optional[1] if optional else definition.default)
        position = optional.end() if optional else position
    while len(given) < definition.count:
        start = re.compile(r"\s*(?=\{)").match(text, position)
        if start is None:
            break
        end = matching(text, start.end())
        given.append(text[start.end() + 1 : end])
        position = end + 1
    return given, position


def _filled(body: str, given: list[str]) -> str:
    return re.sub(r"#(\d)", lambda mark: given[int(mark[1]) - 1] if 0 < int(mark[1]) <= len(given) else "", body)


def _theorems(text: str, body: str) -> str:
    """Write the printed name for `\\begin{thm}[note]`: a paper's own abbreviations say little."""
    for match in _THEOREM.finditer(text):
        name = match["name"]
        title = (match["title"] or name.capitalize()).strip()
        head = rf"\\begin\s*\{{{re.escape(name)}\}}\s*(?:\[((?:[^\[\]]|\[[^\]]*\])*)\])?"
        body = re.sub(head, lambda found, title=title: _head(title, found[1]), body)
        body = re.sub(rf"\\end\s*\{{{re.escape(name)}\}}", "\n\n", body)
    return body


def _head(title: str, note: str | None) -> str:
    return f"\n\n**{title}{f' ({note.strip()})' if note and note.strip() else ''}.** "


def used_macros(source: str, body: str) -> str:
    """Return the definitions, in their order, of macros that occur in `body`."""
    found: dict[str, str] = {}
    for match in _DEFINITION.finditer(source):
        name = match["name"] or match["def"]
        brace = source.find("{", match.end())
        if brace < 0 or brace - match.end() > 60:
            continue
        found[name] = source[match.start() : matching(source, brace) + 1]
    wanted = {name for name in found if re.search(rf"\\{re.escape(name)}(?![A-Za-z@])", body)}
    for _ in range(5):
        more = {
            other for name in wanted for other in re.findall(r"\\([A-Za-z@]+)", found[name]) if other in found
        } - wanted
        if not more:
            break
        wanted |= more
    text = "\n".join(" ".join(found[name].split()) for name in found if name in wanted)
    return text[:MAX_NOTATION]
