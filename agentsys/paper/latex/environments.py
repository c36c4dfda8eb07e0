"""Blocks from LaTeX environments."""

from __future__ import annotations

import re
from collections.abc import Callable

from agentsys.paper.latex import scan
from agentsys.paper.model import Algorithm, AlgorithmLine, Block, Code, Equation, Figure, ListBlock, Table

_MANY = {"align", "gather", "eqnarray", "alignat", "flalign"}


def make_block(name: str, content: str, next_id: Callable[[], str], counters: dict[str, int]) -> list[Block]:
    """Return the blocks of one environment; `counters` holds the numbers of floats and equations."""
    bare = name.rstrip("*")
    if bare in scan.EQUATIONS:
        return [_equation(name, content, next_id, counters)]
    if bare in ("table", "wraptable", "sidewaystable", "longtable", "tabular"):
        return _table(bare, content, next_id, counters)
    if bare in ("figure", "wrapfigure", "sidewaysfigure", "SCfigure"):
        return _figure(content, next_id, counters)
    if bare in ("algorithm", "algorithm2e", "algorithmic"):
        return [_algorithm(content, next_id, counters)]
    if bare in ("itemize", "enumerate", "description"):
        return [_list(bare, content, next_id)]
    return [Code(id=next_id(), text=content.strip("\n"), source="latex")]


def _count(counters: dict[str, int], kind: str) -> str:
    counters[kind] = counters.get(kind, 0) + 1
    return str(counters[kind])


def _equation(name: str, content: str, next_id: Callable[[], str], counters: dict[str, int]) -> Equation:
    bare = name.rstrip("*")
    tag = scan.command_argument(content, "tag")
    numbers: list[str] = []
    if tag is not None:
        numbers = [tag]
    elif not name.endswith("*") and bare not in ("displaymath", "math"):
        rows = scan_rows(content) if bare in _MANY else [content]
        for row in rows:
            if row.strip() and not re.search(r"\\(?:nonumber|notag)\b", row):
                numbers.append(_count(counters, "equation"))
    latex = re.sub(r"\\label\s*\{[^{}]*\}", "", content).strip()
    if bare in _MANY:
        latex = f"\\begin{{{bare}*}}\n{latex}\n\\end{{{bare}*}}"
    return Equation(id=next_id(), latex=latex, text=latex, number=", ".join(numbers), source="latex")


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


def _captions(content: str) -> list[str]:
    """Return the captions of a float; those of its sub-figures are not its own."""
    own = re.sub(r"\\begin\s*\{(subfigure|subtable)\}.*?\\end\s*\{\1\}", "", content, flags=re.S)
    found: list[str] = []
    for match in re.finditer(r"\\caption\*?\s*(?:\[[^\]]*\]\s*)?(?=\{)", own):
        found.append(scan.plain(own[match.end() + 1 : scan.matching(own, match.end())]))
    return found


def _titled(kind: str, caption: str, counters: dict[str, int]) -> tuple[str, str]:
    """Return number and whole caption of a float."""
    label = _count(counters, kind.lower())
    return label, f"{kind} {label}: {caption}"


def _table(bare: str, content: str, next_id: Callable[[], str], counters: dict[str, int]) -> list[Block]:
    whole = content if bare not in ("tabular", "longtable") else f"\\begin{{tabular}}{content}\\end{{tabular}}"
    rows = tabular_rows(whole)
    text = "\n".join(" | ".join(row) for row in rows)
    names = [_titled("Table", caption, counters) for caption in _captions(content)] or [("", "")]
    first, *others = names
    blocks: list[Block] = [
        Table(
            id=next_id(),
            label=first[0],
            caption=first[1],
            rows=rows,
            raw_lines=tuple(text.splitlines()),
            text=text,
            source="latex",
        )
    ]
    blocks += [Table(id=next_id(), label=label, caption=words, source="latex") for label, words in others]
    return blocks


def tabular_rows(content: str) -> tuple[tuple[str, ...], ...]:
    """Return the cells of every tabular inside `content`."""
    rows: list[tuple[str, ...]] = []
    for match in re.finditer(r"\\begin\s*\{(tabular[xy*]?|tabulary|tblr|array)\}", content):
        end, _ = scan.environment_end(content, match[1], match.end())
        inner = _after_columns(content[match.end() : end], match[1])
        for row in scan_rows(inner):
            row = re.sub(
                r"\\(?:top|mid|bottom|c(?:mid)?)rule\s*(?:\([^)]*\))?\s*(?:\[[^\]]*\])?(?:\{[^{}]*\})?|\\hline|\\cline\s*\{[^{}]*\}|\\addlinespace(?:\[[^\]]*\])?",
                "",
                row,
            )
            row = re.sub(r"^\s*\[[^\]]*\]", "", row)
            cells = tuple(_cell(cell) for cell in re.split(r"(?<!\\)&", row))
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


def _cell(text: str) -> str:
    text = re.sub(
        r"\\multi(?:column|row)\s*\{[^{}]*\}\s*(?:\[[^\]]*\]\s*)?\{(?:[^{}]|\{[^{}]*\})*\}\s*(?=\{)", "", text
    )
    text = re.sub(r"\\(?:rowcolor|cellcolor)\s*(?:\[[^\]]*\])?\{[^{}]*\}", "", text)
    text = re.sub(r"\\begin\s*\{tabular\}\s*(?:\[[^\]]*\])?\s*\{(?:[^{}]|\{[^{}]*\})*\}|\\end\s*\{tabular\}", " ", text)
    return scan.plain(re.sub(r"^\{(.*)\}$", r"\1", text.strip(), flags=re.S))


def _figure(content: str, next_id: Callable[[], str], counters: dict[str, int]) -> list[Block]:
    names = [_titled("Figure", caption, counters) for caption in _captions(content)] or [("", "")]
    blocks: list[Block] = [Figure(id=next_id(), label=label, caption=words, source="latex") for label, words in names]
    for match in re.finditer(r"\\begin\s*\{(equation|align|gather|multline|eqnarray)(\*?)\}", content):
        name = match[1] + match[2]
        end, _ = scan.environment_end(content, name, match.end())
        blocks.append(_equation(name, content[match.end() : end], next_id, counters))
    return blocks


def _algorithm(content: str, next_id: Callable[[], str], counters: dict[str, int]) -> Algorithm:
    caption = next(iter(_captions(content)), "")
    label = _count(counters, "algorithm") if caption else ""
    text = re.sub(r"\\caption\s*\{", "{", content)
    lines: list[AlgorithmLine] = []
    depth = 0
    for raw in text.splitlines():
        words = scan.tidy(raw)
        if not words or re.match(r"\\(?:begin|end)\b|\[[htbp!H]+\]$", words) or (caption and caption[:20] in words):
            continue
        if re.match(r"\\(?:End|Until|Else|ElsIf|END|UNTIL|ELSE)", words):
            depth = max(depth - 1, 0)
        lines.append(AlgorithmLine(indent=depth, text=words))
        if re.match(
            r"\\(?:For|While|If|Else|ElsIf|Repeat|Loop|Function|Procedure|FOR|WHILE|IF|ELSE|REPEAT|LOOP)", words
        ):
            depth += 1
    words = f"Algorithm {label}: {caption}" if label else caption
    return Algorithm(
        id=next_id(),
        label=label,
        caption=words,
        lines=tuple(lines),
        text="\n".join(line.text for line in lines),
        source="latex",
    )


def _list(bare: str, content: str, next_id: Callable[[], str]) -> ListBlock:
    items = tuple(scan.tidy(part) for part in re.split(r"\\item(?![a-zA-Z])", content)[1:])
    return ListBlock(id=next_id(), items=items, ordered=bare == "enumerate", text="\n".join(items), source="latex")
