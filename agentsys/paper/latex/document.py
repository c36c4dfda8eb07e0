"""From LaTeX source to a Paper. Bodies stay LaTeX: language models read it better than any rendering."""

from __future__ import annotations

import re

from agentsys.paper.builder import SectionBuilder
from agentsys.paper.citing import with_citing
from agentsys.paper.latex import scan
from agentsys.paper.latex.clean import strip_comments
from agentsys.paper.latex.environments import Environments
from agentsys.paper.latex.flatten import Flattener, main_file
from agentsys.paper.latex.labels import with_numbers
from agentsys.paper.latex.macros import expand_displays, expand_words, used_macros
from agentsys.paper.latex.sources import Sources
from agentsys.paper.model import Figure, Paper, Reference, Table
from agentsys.paper.references import make_reference

_LEVELS = {"part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3}


def read_sources(sources: Sources, name: str, sha256: str, main: str = "") -> Paper:
    """Read a paper from its LaTeX files; `main` names the file to begin with, else it is found.

    Raises: PaperError if there is no such file.
    """
    flattener = Flattener(sources)
    text = flattener.flatten(main or main_file(sources))
    return _read_tex(text, name, sha256, tuple(flattener.warnings))


def _read_tex(text: str, name: str, sha256: str, warnings: tuple[str, ...]) -> Paper:
    text = expand_displays(strip_comments(text))
    preamble, _, body = text.partition("\\begin{document}")
    if not body:
        preamble, body = "", text
    body = body.partition("\\end{document}")[0]
    builder = _Document()
    builder.feed(body)
    title = scan.plain(
        expand_words(scan.command_argument(text, "title") or scan.command_argument(text, "icmltitle") or "", text)
    )
    authors = scan.plain(scan.command_argument(text, "author") or "")
    paper = builder.sections.paper(
        name,
        sha256,
        "latex",
        title=title,
        authors=authors,
        references=tuple(builder.references),
        warnings=warnings,
        notation=used_macros(preamble + body, body),
    )
    return with_numbers(with_citing(paper, builder.labels), builder.environments.references)


class _Document:
    """Walks the body: headings, environments, paragraphs."""

    def __init__(self) -> None:
        self.sections = SectionBuilder("latex")
        self.numbers = [0, 0, 0]
        self.environments = Environments(self.sections)
        self.appendix = False
        self.references: list[Reference] = []
        self.labels: dict[str, str] = {}
        self.here = ("Section", "")

    def feed(self, body: str) -> None:
        for kind, value, content in scan.pieces(body):
            match kind:
                case "heading":
                    self._heading(value, content)
                case "appendix":
                    self.appendix, self.numbers = True, [0, 0, 0]
                case "environment":
                    self._environment(value, content)
                case _:
                    self._text(content)
        self.sections.close()

    def _heading(self, command: str, title: str) -> None:
        name = command.rstrip("*")
        words = scan.plain(title)
        if name == "paragraph":
            self._text(f"**{words}**")
            return
        level = _LEVELS[name]
        number = "" if command.endswith("*") else self._number(level)
        self.sections.appendix = self.appendix
        self.sections.heading(words, level, number)
        self.here = ("Appendix" if self.appendix else "Section", number)

    def _number(self, level: int) -> str:
        self.numbers[level - 1] += 1
        self.numbers[level:] = [0] * (3 - level)
        parts = [str(value) for value in self.numbers[:level]]
        if self.appendix:
            parts[0] = chr(64 + min(self.numbers[0], 26))
        return ".".join(parts)

    def _environment(self, name: str, content: str) -> None:
        if name == "abstract":
            self.sections.heading("Abstract", 1, kind="abstract")
            self._text(content)
            return
        if name == "thebibliography":
            self.sections.heading("References", 1, kind="references")
            self._bibliography(content)
            return
        block = self.environments.add(name, content)
        if isinstance(block, Figure | Table):
            self.labels.update(dict.fromkeys(re.findall(r"\\label\s*\{([^{}]*)\}", content), block.id))

    def _bibliography(self, content: str) -> None:
        for match in re.finditer(
            r"\\bibitem\s*(?:\[(?:[^\[\]]|\[[^\]]*\])*\])?\s*\{([^}]*)\}(.*?)(?=\\bibitem|\Z)", content, re.S
        ):
            raw = " ".join(scan.plain(match[2]).split())
            self.references.append(make_reference(raw, match[1]))
            self.sections.paragraph(f"[{match[1]}] {raw}")

    def _text(self, content: str) -> None:
        for label in scan.labels(content):
            self.environments.references.setdefault(label, self.here)
        for part in re.split(r"\n\s*\n|\\par\b", content):
            self.sections.paragraph(scan.tidy(part))
