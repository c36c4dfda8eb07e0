"""The macros of a source that its body uses, handed over as they are."""

from __future__ import annotations

import re

from agentsys.paper.latex.scan import matching

_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand|renewcommand|DeclareMathOperator|DeclareRobustCommand)\*?\s*\{?\s*\\(?P<name>[A-Za-z@]+)\s*\}?"
    r"|\\def\s*\\(?P<def>[A-Za-z@]+)"
)
MAX_CHARS = 6_000


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
    return text[:MAX_CHARS]
