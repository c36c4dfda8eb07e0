"""Blocks from LaTeX environments."""

from __future__ import annotations

import re
from collections import Counter

from agentsys.paper.builder import SectionBuilder
from agentsys.paper.latex import scan
from agentsys.paper.latex.steps import steps
from agentsys.paper.latex.tabular import TABLES, deluxe, scan_rows, tabular_rows
from agentsys.paper.model import Algorithm, BlockBase, Code, Equation, Figure, ListBlock, Table

_MANY = {"align", "gather", "eqnarray", "alignat", "flalign"}


class Environments:
    """Adds the blocks of environments, and counts floats and equations."""

    def __init__(self, builder: SectionBuilder) -> None:
        self.builder = builder
        self.counters: Counter[str] = Counter()
        self.references: dict[str, tuple[str, str]] = {}
        """Label -> kind and number of what carries it, as `\\ref` prints it."""

    def add(self, name: str, content: str) -> BlockBase:
        """Add the blocks of one environment; returns the first of them."""
        bare = name.rstrip("*")
        if bare in scan.EQUATIONS:
            return self._equation(name, content)
        if bare in ("deluxetable", "longdeluxetable"):
            return self._table(bare, deluxe(content))
        if bare in TABLES:
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
            self._labelled(content, "Equation", tag)
        elif not name.endswith("*") and bare not in ("displaymath", "math"):
            rows = scan_rows(content) if bare in _MANY else [content]
            for row in rows:
                if row.strip() and not re.search(r"\\(?:nonumber|notag)\b", row):
                    numbers.append(self._count("equation"))
                    self._labelled(row, "Equation", numbers[-1])
        latex = re.sub(r"\\label\s*\{[^{}]*\}", "", content).strip()
        if bare in _MANY:
            latex = f"\\begin{{{bare}*}}\n{latex}\n\\end{{{bare}*}}"
        return self.builder.add(Equation, latex=latex, text=latex, number=", ".join(numbers))

    def _labelled(self, content: str, kind: str, number: str) -> None:
        for label in scan.labels(content):
            self.references.setdefault(label, (kind, number))

    def _titles(self, kind: str, content: str) -> list[tuple[str, str]]:
        """Number and whole caption of each caption of a float; two empty strings if there is none."""
        labels = ((self._count(kind.lower()), caption) for caption in _captions(content))
        return [(label, f"{kind} {label}: {caption}") for label, caption in labels] or [("", "")]

    def _table(self, bare: str, content: str) -> Table:
        own = bare in ("tabular", "longtable", "supertabular", "xltabular", "tabularx", "tabulary")
        whole = f"\\begin{{{bare}}}{content}\\end{{{bare}}}" if own else content
        rows = tabular_rows(whole)
        text = "\n".join(" | ".join(row) for row in rows)
        (label, caption), *others = self._titles("Table", content)
        raw = tuple(text.splitlines())
        self._labelled(content, "Table", label)
        table = self.builder.add(Table, label=label, caption=caption, rows=rows, raw_lines=raw, text=text)
        for label, caption in others:
            self.builder.add(Table, label=label, caption=caption)
        return table

    def _figure(self, content: str) -> Figure:
        titles = self._titles("Figure", content)
        self._labelled(content, "Figure", titles[0][0])
        figures = [self.builder.add(Figure, label=label, caption=caption) for label, caption in titles]
        for match in re.finditer(r"\\begin\s*\{(equation|align|gather|multline|eqnarray)(\*?)\}", content):
            name = match[1] + match[2]
            end, _ = scan.environment_end(content, name, match.end())
            self._equation(name, content[match.end() : end])
        return figures[0]

    def _algorithm(self, content: str) -> Algorithm:
        caption = next(iter(_captions(content)), "")
        label = self._count("algorithm") if caption else ""
        self._labelled(content, "Algorithm", label)
        lines = tuple(steps(content, caption))
        title = f"Algorithm {label}: {caption}" if label else caption
        text = "\n".join(line.text for line in lines)
        return self.builder.add(Algorithm, label=label, caption=title, lines=lines, text=text)


def _captions(content: str) -> list[str]:
    """Return the captions of a float; those of its sub-figures are not its own."""
    own = re.sub(r"\\begin\s*\{(subfigure|subtable)\}.*?\\end\s*\{\1\}", "", content, flags=re.S)
    found: list[str] = []
    for match in re.finditer(r"\\caption\*?\s*(?:\[[^\]]*\]\s*)?(?=\{)", own):
        found.append(scan.plain(own[match.end() + 1 : scan.matching(own, match.end())]))
    return found
