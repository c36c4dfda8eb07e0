"""Papers as HTML: arXiv's (LaTeXML, with the LaTeX of every formula) and plain pages with headings."""

from __future__ import annotations

import re

from agentsys.paper.builder import SectionBuilder
from agentsys.paper.htmltree import Node, parse
from agentsys.paper.model import Algorithm, AlgorithmLine, Code, Equation, Figure, ListBlock, Paper, Reference, Table
from agentsys.paper.references import make_reference

_LEVELS = {"ltx_section": 1, "ltx_appendix": 1, "ltx_subsection": 2, "ltx_subsubsection": 3, "ltx_bibliography": 1}
_CAPTION = re.compile(r"^(Figure|Table|Algorithm)\s+([A-Z]?\.?\d+|[IVX]+)", re.I)


def read_html(text: str, name: str, sha256: str) -> Paper:
    """Read an HTML page."""
    root = parse(text)
    reader = _Reader()
    title = root.find("ltx_title_document") or root.tag_named("h1") or root.tag_named("title")
    authors = root.find("ltx_authors")
    body = (
        root.find("ltx_document")
        or root.tag_named("article")
        or root.tag_named("main")
        or root.tag_named("body")
        or root
    )
    reader.title = title
    reader.walk(body)
    return reader.sections.paper(
        name,
        sha256,
        "html",
        title=title.text() if title else "",
        authors=authors.text() if authors else "",
        references=tuple(reader.references),
    )


class _Reader:
    """Walks the page and makes blocks."""

    def __init__(self) -> None:
        self.sections = SectionBuilder("html")
        self.references: list[Reference] = []
        self.title: Node | None = None

    def walk(self, node: Node) -> None:
        for child in node.children:
            if isinstance(child, str):
                if child.strip() and node.tag in ("body", "article", "main", "div", "section"):
                    self._paragraph(child)
            elif not self._take(child):
                self.walk(child)

    def _take(self, node: Node) -> bool:
        """Make blocks of a node; False if its children must be looked at."""
        if (
            node is self.title
            or node.tag in ("script", "style", "nav", "header", "footer", "head")
            or node.has("ltx_authors")
        ):
            return True
        if node.has("ltx_abstract"):
            self.sections.heading("Abstract", 1, kind="abstract")
            self._paragraph(node.text(skip=("ltx_title",)))
            return True
        if (node.has("ltx_title") and not node.has("ltx_title_document")) or re.fullmatch(r"h[1-6]", node.tag):
            self._heading(node)
            return True
        if node.has("ltx_equation", "ltx_equationgroup") or (
            node.tag == "math" and node.attributes.get("display") == "block"
        ):
            self._equations(node)
            return True
        if node.tag == "figure" or node.has("ltx_table", "ltx_figure", "ltx_float"):
            self._float(node)
            return True
        return self._simple(node)

    def _simple(self, node: Node) -> bool:
        if node.has("ltx_bibitem"):
            raw = node.text(skip=("ltx_tag",))
            tag = node.find("ltx_tag")
            self.references.append(make_reference(raw, tag.text().strip("[]") if tag else ""))
            self._paragraph(node.text())
        elif node.tag == "table":
            self._table(node, "", "")
        elif node.tag in ("ul", "ol"):
            if node.find("ltx_bibitem"):
                return False
            items = tuple(child.text() for child in node.elements() if child.tag == "li")
            ordered = node.tag == "ol" or node.has("ltx_enumerate")
            self.sections.add(ListBlock, items=items, ordered=ordered, text="\n".join(items))
        elif node.tag == "pre" or node.has("ltx_listing", "ltx_verbatim"):
            self.sections.add(Code, text=node.raw().strip("\n"))
        elif node.tag == "p" and not node.find("ltx_equation"):
            self._paragraph(node.text())
        else:
            return False
        return True

    def _paragraph(self, text: str) -> None:
        self.sections.paragraph(" ".join(text.split()))

    def _heading(self, node: Node) -> None:
        tag = node.find("ltx_tag")
        words = node.text(skip=("ltx_tag",)) if tag else node.text()
        number = re.sub(r"^(?:Appendix|Section)\s+", "", tag.text()).strip(" .:") if tag else ""
        if not tag:
            match = re.match(r"(?:Appendix\s+)?(\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)\.?\s+(?=[A-Z])", words)
            number, words = (match[1], words[match.end() :]) if match else ("", words)
        level = next((value for name, value in _LEVELS.items() if node.parent and node.parent.has(name)), 0)
        if node.parent and node.parent.has("ltx_paragraph", "ltx_theorem", "ltx_proof"):
            self._paragraph(f"**{words}**")
            return
        level = level or (
            number.count(".") + 1 if number else max(int(node.tag[1]) - 1, 1) if node.tag[1:].isdigit() else 1
        )
        appendix = node.parent is not None and node.parent.has("ltx_appendix")
        self.sections.heading(words, level, number, "appendix" if appendix else None)

    def _equations(self, node: Node) -> None:
        rows = node.all("ltx_eqn_row") or [node]
        for row in rows:
            latex = " ".join(item.attributes.get("alttext", "") for item in row.tags("math")).strip()
            latex = re.sub(r"^\\displaystyle\s*", "", latex).replace("\\displaystyle", "")
            tag = row.find("ltx_tag_equation")
            if latex:
                number = tag.text().strip("() ") if tag else ""
                self.sections.add(Equation, latex=latex, text=latex, number=number)

    def _float(self, node: Node) -> None:
        captions = node.tags("figcaption") or node.all("ltx_caption")
        caption = captions[-1].text() if captions else ""
        match = _CAPTION.match(caption)
        label = match[2] if match else ""
        kind = match[1].lower() if match else "table" if node.has("ltx_table") else "figure"
        tables = node.all("ltx_tabular") or node.tags("table")
        if kind == "algorithm" or node.has("ltx_algorithm", "ltx_float_algorithm"):
            lines = tuple(AlgorithmLine(text=line.text()) for line in node.all("ltx_listingline"))
            text = "\n".join(line.text for line in lines) or node.text(skip=("ltx_caption",))
            self.sections.add(Algorithm, label=label, caption=caption, lines=lines, text=text)
        elif kind == "table" or tables:
            for table in tables[:1]:
                self._table(table, label, caption)
            if not tables:
                self.sections.add(Table, label=label, caption=caption)
        else:
            self.sections.add(Figure, label=label, caption=caption)

    def _table(self, node: Node, label: str, caption: str) -> None:
        rows = tuple(
            tuple(cell.text() for cell in row.elements() if cell.tag in ("td", "th") or cell.has("ltx_td", "ltx_th"))
            for row in node.tags("tr") or node.all("ltx_tr")
        )
        text = "\n".join(" | ".join(row) for row in rows)
        filled = tuple(row for row in rows if row)
        raw = tuple(text.splitlines())
        self.sections.add(Table, label=label, caption=caption, rows=filled, raw_lines=raw, text=text)
