"""A small scanner for LaTeX: braces, arguments, environments, headings. It runs nothing and follows nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

EQUATIONS = frozenset({
    "equation", "align", "gather", "multline", "eqnarray", "displaymath", "math", "alignat", "flalign", "dmath",
    "subequations",
})  # fmt: skip
ENVIRONMENTS = EQUATIONS | frozenset({
    "abstract", "table", "figure", "wrapfigure", "wraptable", "sidewaystable", "sidewaysfigure", "longtable",
    "algorithm", "algorithmic", "algorithm2e", "itemize", "enumerate", "description", "verbatim", "lstlisting",
    "minted", "thebibliography", "tabular", "SCfigure", "deluxetable", "longdeluxetable", "supertabular", "xltabular",
    "tabularx", "tabulary",
})  # fmt: skip
_MARK = re.compile(
    r"\\(?P<heading>(?:sub){0,2}section|chapter|part|paragraph)(?P<star>\*?)\s*(?:\[[^\]]*\]\s*)?(?=\{)"
    r"|\\(?P<appendix>appendix)(?![a-zA-Z])"
    r"|\\begin\s*\{(?P<name>[A-Za-z0-9]+)\*?\}"
    r"|(?P<dollars>(?<!\\)\$\$)|(?P<bracket>(?<!\\)\\\[)"
)


def matching(text: str, start: int, opening: str = "{", closing: str = "}") -> int:
    """Return the index of the brace that closes the one at `start`, or the end of the text."""
    depth = 0
    index = start
    while index < len(text):
        char = text[index]
        if char == "\\":
            index += 2
            continue
        if char == opening:
            depth += 1
        elif char == closing:
            depth -= 1
            if depth == 0:
                return index
        index += 1
    return len(text)


def command_argument(text: str, command: str) -> str | None:
    """Return the first argument of the first use of a command."""
    match = re.search(rf"\\{command}\*?\s*(?:\[[^\]]*\]\s*)?(?=\{{)", text)
    if match is None:
        return None
    return text[match.end() + 1 : matching(text, match.end())]


def environment_end(text: str, name: str, start: int) -> tuple[int, int]:
    """Return start and end of the `\\end{name}` that belongs to the `\\begin` before `start`."""
    depth = 1
    for match in re.finditer(rf"\\(begin|end)\s*\{{{re.escape(name)}\}}", text[start:]):
        depth += 1 if match[1] == "begin" else -1
        if depth == 0:
            return start + match.start(), start + match.end()
    return len(text), len(text)


def pieces(body: str) -> Iterator[tuple[str, str, str]]:
    """Yield `(kind, name, content)`: kind is `heading`, `appendix`, `environment` or `text`."""
    position = mark = 0
    while (match := _MARK.search(body, mark)) is not None:
        name = match["name"]
        if name is not None and name not in ENVIRONMENTS:
            mark = match.end()
            continue
        if match.start() > position:
            yield "text", "", body[position : match.start()]
        if match["heading"]:
            end = matching(body, match.end())
            yield "heading", match["heading"] + match["star"], body[match.end() + 1 : end]
            position = end + 1
        elif match["appendix"]:
            yield "appendix", "", ""
            position = match.end()
        elif name is not None:
            full = match[0][match[0].index("{") + 1 : -1]
            inner, position = environment_end(body, full, match.end())
            yield "environment", full, body[match.end() : inner]
        else:
            closing = "$$" if match["dollars"] else "\\]"
            end = body.find(closing, match.end())
            end = len(body) if end < 0 else end
            yield "environment", "displaymath", body[match.end() : end]
            position = end + 2
        mark = position
    if position < len(body):
        yield "text", "", body[position:]


_LABEL = re.compile(r"\\label\s*\{([^{}]*)\}")


def labels(text: str) -> list[str]:
    """Return the names of the `\\label`s in a text."""
    return [name.strip() for name in _LABEL.findall(text)]


_SPACING = re.compile(
    r"\\(?:label|vspace|hspace|vskip|hskip|addvspace)\*?\s*\{[^{}]*\}"
    r"|\\(?:maketitle|tableofcontents|newpage|clearpage|noindent|centering|bigskip|medskip|smallskip|FloatBarrier|balance)"
    r"(?![a-zA-Z])"
)


def tidy(text: str) -> str:
    """Return running text without commands that only move things about."""
    return re.sub(r"\s+", " ", _SPACING.sub(" ", text)).strip()


def plain(text: str) -> str:
    """Return a short text (title, caption) without its formatting; mathematics stays LaTeX."""
    text = tidy(text)
    text = re.sub(
        r"\\(?:thanks|footnote|footnotemark|footnotetext)\s*(?:\[[^\]]*\])?\s*\{(?:[^{}]|\{[^{}]*\})*\}", "", text
    )
    parts = re.split(r"((?<!\\)\$[^$]*\$)", text)
    return re.sub(r"\s+", " ", "".join(part if part.startswith("$") else _unwrap(part) for part in parts)).strip()


def _unwrap(text: str) -> str:
    text = re.sub(
        r"\\\\(?:\[[^\]]*\])?|\\(?:and|AND|And|newline|linebreak|newblock|q?quad|penalty\d*)(?![a-zA-Z])", " ", text
    )
    text = re.sub(r"\\footnotemark(?:\[[^\]]*\])?|\\href\s*\{[^{}]*\}\s*(?=\{)", "", text)
    for _ in range(4):
        text = re.sub(
            r"\\(?:text(?:bf|it|sc|tt|sf|rm|up|md|sl|normal)?|emph|underline|mbox|url|path|href|textsc|uppercase|MakeUppercase|texorpdfstring)"
            r"\s*\{((?:[^{}]|\{[^{}]*\})*)\}",
            r"\1",
            text,
        )
    text = re.sub(
        r"\\(?:bf|it|sc|tt|sf|rm|em|bfseries|itshape|scshape|ttfamily|large|Large|LARGE|huge|Huge|small)(?![a-zA-Z])",
        "",
        text,
    )
    text = re.sub(r"\\([&%$#_{}])", r"\1", text)
    return text.replace("~", " ").replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”")
