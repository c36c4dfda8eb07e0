"""Blocks from LaTeX environments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from agentsys.paper.builder import SectionBuilder
from agentsys.paper.latex import scan
from agentsys.paper.model import Algorithm, AlgorithmLine, BlockBase, Code, Equation, Figure, ListBlock, Table

_MANY = {"align", "gather", "eqnarray", "alignat", "flalign"}


class Environments:
    """Adds the blocks of environments, and counts floats and equations."""

    def __init__(self, builder: SectionBuilder) -> None:
        self.builder = builder
        self.counters: Counter[str] = Counter()

    def add(self, name: str, content: str) -> BlockBase:
        """Add the blocks of one environment; returns the first of them."""
        bare = name.rstrip("*")
        if bare in scan.EQUATIONS:
            return self._equation(name, content)
        if bare in ("table", "wraptable", "sidewaystable", "longtable", "tabular"):
            return self._table(bare, content)
        if bare in ("figure", "wrapfigure", "sidewaysfigure", "SCfigure"):
            return self._figure(content)
        if bare in ("algorithm", "algorithm2e", "algorithmic"):
            return self._algorithm(content)
        if bare in ("itemize", "enumerate", "description"):
            items = tuple(scan.tidy(part) for part in re.split(r"\\item(?![a-zA-Z])", content)[1:])
            return self.builder.add(ListBlock, items=items, ordered=bare == "enumerate", text="\n".join(items))
        return self.builder.add(Code, text=content.strip("\n"))

    def _count(self, kind: str) -> str:
        self.counters[kind] += 1
        return str(self.counters[kind])

    def _equation(self, name: str, content: str) -> Equation:
        bare = name.rstrip("*")
        tag = scan.command_argument(content, "tag")
        numbers: list[str] = []
        if tag is not None:
            numbers = [tag]
        elif not name.endswith("*") and bare not in ("displaymath", "math"):
            rows = scan_rows(content) if bare in _MANY else [content]
            for row in rows:
                if row.strip() and not re.search(r"\\(?:nonumber|notag)\b", row):
                    numbers.append(self._count("equation"))
        latex = re.sub(r"\\label\s*\{[^{}]*\}", "", content).strip()
        if bare in _MANY:
            latex = f"\\begin{{{bare}*}}\n{latex}\n\\end{{{bare}*}}"
        return self.builder.add(Equation, latex=latex, text=latex, number=", ".join(numbers))

    def _titles(self, kind: str, content: str) -> list[tuple[str, str]]:
        """Number and whole caption of each caption of a float; two empty strings if there is none."""
        labels = ((self._count(kind.lower()), caption) for caption in _captions(content))
        return [(label, f"{kind} {label}: {caption}") for label, caption in labels] or [("", "")]

    def _table(self, bare: str, content: str) -> Table:
        whole = content if bare not in ("tabular", "longtable") else f"\\begin{{tabular}}{content}\\end{{tabular}}"
        rows = tabular_rows(whole)
        text = "\n".join(" | ".join(row) for row in rows)
        (label, caption), *others = self._titles("Table", content)
        raw = tuple(text.splitlines())
        table = self.builder.add(Table, label=label, caption=caption, rows=rows, raw_lines=raw, text=text)
        for label, caption in others:
            self.builder.add(Table, label=label, caption=caption)
        return table

    def _figure(self, content: str) -> Figure:
        titles = self._titles("Figure", content)
        figures = [self.builder.add(Figure, label=label, caption=caption) for label, caption in titles]
        for match in re.finditer(r"\\begin\s*\{(equation|align|gather|multline|eqnarray)(\*?)\}", content):
            name = match[1] + match[2]
            end, _ = scan.environment_end(content, name, match.end())
            self._equation(name, content[match.end() : end])
        return figures[0]

    def _algorithm(self, content: str) -> Algorithm:
        caption = next(iter(_captions(content)), "")
        label = self._count("algorithm") if caption else ""
        lines = tuple(_steps(content, caption))
        title = f"Algorithm {label}: {caption}" if label else caption
        text = "\n".join(line.text for line in lines)
        return self.builder.add(Algorithm, label=label, caption=title, lines=lines, text=text)


def _steps(content: str, caption: str) -> Iterator[AlgorithmLine]:
    """Yield the lines of an algorithm, indented by the commands that open and close blocks."""
    depth = 0
    for raw in re.sub(r"\\caption\s*\{", "{", content).splitlines():
        words = scan.tidy(raw)
        if not words or re.match(r"\\(?:begin|end)\b|\[[htbp!H]+\]$", words) or (caption and caption[:20] in words):
            continue
        if re.match(r"\\(?:End|Until|Else|ElsIf|END|UNTIL|ELSE)", words):
            depth = max(depth - 1, 0)
        yield AlgorithmLine(indent=depth, text=words)
        if re.match(
            r"\\(?:For|While|If|Else|ElsIf|Repeat|Loop|Function|Procedure|FOR|WHILE|IF|ELSE|REPEAT|LOOP)", words
        ):
            depth += 1


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
