"""Cells of LaTeX tables, in the columns in which they are printed."""

from __future__ import annotations

import re

from agentsys.paper.latex import scan

TABLES = frozenset({
    "table", "wraptable", "sidewaystable", "longtable", "tabular", "supertabular", "xltabular", "tabularx", "tabulary",
})  # fmt: skip
MAX_SPAN = 60
"""Columns that one cell may cover."""
_BEGIN = re.compile(
    r"\\begin\s*\{(tabular[xy*]?|tabulary|tabularray|tblr|tabu|longtabu|NiceTabular[X*]?|longtable|xltabular"
    r"|supertabular|array)\}"
)
_RULES = re.compile(
    r"\\(?:top|mid|bottom|heavy|c?mid|c)rule\s*(?:\[[^\]]*\])?\s*(?:\([^)]*\))?\s*(?:\{[^{}]*\})?"
    r"|\\(?:hline|firsthline|lasthline)(?![a-zA-Z])|\\(?:cline|hhline|Xhline|cdashline)\s*\{[^{}]*\}"
    r"|\\Xcline\s*\{[^{}]*\}\s*\{[^{}]*\}|\\specialrule(?:\s*\{[^{}]*\}){3}|\\hdashline(?:\[[^\]]*\])?"
    r"|\\(?:addlinespace|noalign)\s*(?:\[[^\]]*\]|\{[^{}]*\})?|\\(?:endhead|endfirsthead|endfoot|endlastfoot)(?![a-zA-Z])"
)
_WRAPPERS = {
    "multicolumn": 2, "multirow": 2, "rotatebox": 1, "makecell": 0, "thead": 0, "shortstack": 0, "colhead": 0,
    "resizebox": 2, "scalebox": 1, "textcolor": 1, "colorbox": 1, "parbox": 1, "diagbox": 1,
}  # fmt: skip
"""Commands around the words of a cell, and how many arguments come before the words."""


def scan_rows(content: str) -> list[str]:
    """Split at `\\\\` outside of braces and inner environments."""
    rows: list[str] = []
    depth = 0
    start = 0
    for match in re.finditer(r"\\begin\b|\\end\b|\\\\|\\[{}]|[{}]", content):
        token = match[0]
        if token in ("\\begin", "{"):
            depth += 1 if token == "{" else 2
        elif token in ("\\end", "}"):
            depth -= 1 if token == "}" else 2
        elif token == "\\\\" and depth <= 0:
            rows.append(content[start : match.start()])
            start = match.end()
    rows.append(content[start:])
    return rows


def tabular_rows(content: str) -> tuple[tuple[str, ...], ...]:
    """Return the cells of every tabular inside `content`."""
    rows: list[tuple[str, ...]] = []
    for match in _BEGIN.finditer(content):
        end, _ = scan.environment_end(content, match[1], match.end())
        inner = _after_columns(content[match.end() : end], match[1])
        for row in scan_rows(inner):
            row = re.sub(r"^\s*\[[^\]]*\]", "", _RULES.sub("", row))
            cells = tuple(cell for part in split_cells(row) for cell in _expanded(part))
            if any(cells):
                rows.append(cells)
    return tuple(rows)


def _after_columns(inner: str, name: str) -> str:
    """Drop the arguments of `\\begin{tabular}`: position, width, columns."""
    inner = inner.lstrip()
    if inner.startswith("["):
        inner = inner[inner.find("]") + 1 :].lstrip()
    for _ in range(2 if name in ("tabularx", "tabulary", "tabular*") else 1):
        if inner.startswith("{"):
            inner = inner[scan.matching(inner, 0) + 1 :].lstrip()
    return inner


def split_cells(row: str) -> list[str]:
    """Split a row at `&` outside of braces."""
    cells: list[str] = []
    depth = start = 0
    for match in re.finditer(r"\\.|[{}&]", row, re.S):
        if match[0] == "&" and depth <= 0:
            cells.append(row[start : match.start()])
            start = match.end()
        depth += (match[0] == "{") - (match[0] == "}")
    return [*cells, row[start:]]


def _expanded(text: str) -> list[str]:
    """A cell, and the empty ones that it covers."""
    match = re.search(r"\\multicolumn\s*\{\s*(\d{1,2})\s*\}", text)
    covered = int(match[1]) - 1 if match else 0
    return [_cell(text), *[""] * min(max(covered, 0), MAX_SPAN)]


def _cell(text: str) -> str:
    """The words of a cell, without the commands that place, turn and colour them."""
    for name, count in _WRAPPERS.items():
        text = _unwrapped(text, name, count)
    text = re.sub(r"\\(?:rowcolor|cellcolor|columncolor)\s*(?:\[[^\]]*\])?\{[^{}]*\}", "", text)
    text = re.sub(r"\\begin\s*\{tabular\}\s*(?:\[[^\]]*\])?\s*\{(?:[^{}]|\{[^{}]*\})*\}|\\end\s*\{tabular\}", " ", text)
    return scan.plain(re.sub(r"^\{(.*)\}$", r"\1", text.strip(), flags=re.S))


def _unwrapped(text: str, name: str, count: int) -> str:
    """Replace a command by its last argument; `count` arguments come before that one."""
    pattern = re.compile(rf"\\{name}\*?(?![a-zA-Z])\s*")
    for _ in range(20):
        match = pattern.search(text)
        if match is None:
            break
        start = end = place = match.end()
        for _ in range(count + 1):
            place = _after_options(text, place)
            start, end = place + 1, scan.matching(text, place) if text[place : place + 1] == "{" else -1
            if end < 0:
                return text[: match.start()] + text[match.end() :]
            place = end + 1
        text = f"{text[: match.start()]} {text[start:end]} {text[place:]}"
    return text


def _after_options(text: str, place: int) -> int:
    """Step over `[...]`, `(...)` and space before the next argument."""
    match = re.compile(r"(?:\s|\[[^\[\]]*\])*").match(text, place)
    return match.end() if match else place


def deluxe(content: str) -> str:
    """Return AASTeX's `deluxetable` as a table with a caption and a tabular."""
    columns = re.match(r"\s*(?:\[[^\]]*\]\s*)?\{[^{}]*\}", content)
    body = content[columns.end() :] if columns else content
    title = scan.command_argument(body, "tablecaption") or ""
    head = scan.command_argument(body, "tablehead") or ""
    data = re.search(r"\\startdata(.*?)(?:\\enddata|\Z)", body, re.S)
    rows = f"{_unwrapped(head, 'colhead', 0)} \\\\ {data[1] if data else ''}".replace("\\nodata", "...")
    marks = "".join(f"\\label{{{label}}}" for label in scan.labels(content))
    caption = f"\\caption{{{title}}}" if title else ""
    return f"{caption}{marks}\\begin{{tabular}}{{c}}{rows}\\end{{tabular}}"
