"""What a paper says, with the place of every claim: the data that `paper.json` holds.

Fields are added, never renamed. Pages count from 1. A box is `(x0, y0, x1, y1)` in points (1/72 inch) from the top left
corner of the page as it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Box = tuple[float, float, float, float]
Format = Literal["pdf", "latex", "html", "markdown", "text", "papercoder"]
Source = Literal["text-layer", "nougat", "latex", "html", "markdown", "text", "ocr"]
SectionKind = Literal["abstract", "body", "appendix", "references", "acknowledgements", "other"]


def around(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all boxes.

    Raises: ValueError if there are none.
    """
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


class PaperModel(BaseModel):
    """Base of all parts: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BlockBase(PaperModel):
    """What every block has."""

    id: str = Field(description="unique in the paper, e.g. `b12`")
    page: int | None = Field(default=None, description="page of its first line; None where the format has no pages")
    bbox: Box | None = Field(default=None, description="box on that page, in points from the top left corner")
    text: str = Field(default="", description="the words; sub- and superscripts as `x_{i}` and `x^{2}`")
    source: Source = "text-layer"
    confidence: float = Field(default=1.0, ge=0.0, le=1.0)


class Paragraph(BlockBase):
    """Running text."""

    type: Literal["paragraph"] = "paragraph"


class Equation(BlockBase):
    """A display equation. `text` is its linear form; fractions and roots may be flat there."""

    type: Literal["equation"] = "equation"
    number: str = Field(default="", description="as printed, without parentheses; empty if there is none")
    latex: str | None = None
    image: str | None = Field(default=None, description="picture of it, relative to the paper's folder")
    trusted: bool = Field(default=True, description="False where the text layer of the page's mathematics is wrong")


class AlgorithmLine(PaperModel):
    """One line of an algorithm; `indent` counts levels."""

    indent: int = 0
    text: str


class Algorithm(BlockBase):
    """An algorithm float."""

    type: Literal["algorithm"] = "algorithm"
    label: str = ""
    caption: str = ""
    lines: tuple[AlgorithmLine, ...] = ()
    image: str | None = None


class Table(BlockBase):
    """A table. `rows` holds cells as far as they could be told apart, `raw_lines` the lines as they were read."""

    type: Literal["table"] = "table"
    label: str = ""
    caption: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    raw_lines: tuple[str, ...] = ()
    image: str | None = None
    citing: tuple[str, ...] = Field(default=(), description="ids of the paragraphs that mention it")


class Figure(BlockBase):
    """A figure. `text` holds the words inside the picture, if the file has them as text."""

    type: Literal["figure"] = "figure"
    label: str = ""
    caption: str = ""
    image: str | None = None
    rows: tuple[tuple[str, ...], ...] = Field(default=(), description="cells, where the figure is a typeset table")
    citing: tuple[str, ...] = Field(default=(), description="ids of the paragraphs that mention it")


class ListBlock(BlockBase):
    """An itemized or numbered list."""

    type: Literal["list"] = "list"
    items: tuple[str, ...] = ()
    ordered: bool = False


class Code(BlockBase):
    """A program listing."""

    type: Literal["code"] = "code"
    language: str = ""


Block = Annotated[
    Paragraph | Equation | Algorithm | Table | Figure | ListBlock | Code,
    Field(discriminator="type"),
]


class Section(PaperModel):
    """A heading and what stands below it, up to the next heading."""

    id: str = Field(description="unique in the paper, e.g. `s3.2` or `abstract`")
    number: str = Field(default="", description="as printed, without a final dot, e.g. `3.2.1`, `A`, `IV`")
    title: str = ""
    level: int = Field(default=1, ge=1, description="1 for a section, 2 for a subsection, ...")
    page: int | None = None
    parent: str | None = Field(default=None, description="id of the section that contains this one")
    kind: SectionKind = "body"
    blocks: tuple[Block, ...] = ()


class Reference(PaperModel):
    """One entry of the bibliography."""

    key: str = Field(default="", description="number or citation key, as far as known")
    raw: str
    doi: str = ""
    arxiv: str = ""


class HyperParameter(PaperModel):
    """A candidate for a setting; the analyzer decides."""

    name: str
    value: str
    unit: str = ""
    where: str = Field(description="id of the block")
    quote: str = Field(description="the paper's own words around it")


class PageInfo(PaperModel):
    """What is known of one page."""

    number: int
    width: float
    height: float
    columns: int = 1
    chars: int = Field(default=0, description="visible characters")
    unmapped: int = Field(default=0, description="characters without a meaning in the text layer")
    hidden_chars: int = 0
    math_trusted: bool = True
    math_repaired: bool = False
    scanned: bool = False
    source: Source = "text-layer"
    doubts: tuple[str, ...] = Field(default=(), description="what of it may be wrong or missing, in words")


class HiddenText(PaperModel):
    """Words that the file holds and the page does not show. Never put into a prompt."""

    page: int
    bbox: Box | None = None
    reason: str = Field(description="`no ink`, `off page`, `tiny`, `annotation`, `actual text`, ...")
    text: str


class Audit(PaperModel):
    """What else the file holds: for the safety policy and the report, never for prompts."""

    hidden_text: tuple[HiddenText, ...] = ()
    annotations: tuple[HiddenText, ...] = ()
    actual_text: tuple[HiddenText, ...] = ()
    metadata: dict[str, str] = Field(default_factory=dict)
    embedded_files: tuple[str, ...] = ()
    javascript: bool = False
    launch: bool = False
    open_action: bool = False
    checked: bool = Field(default=False, description="True only if every page read was searched for hidden text")
    notes: tuple[str, ...] = ()


def _celled(table: Table) -> bool:
    return bool(table.rows)


class Paper(PaperModel):
    """A paper as a careful reader has it."""

    source: str = Field(description="file name of what was read")
    sha256: str
    format: Format
    parser: str = Field(description="what read it, with version")
    title: str = ""
    authors: str = Field(default="", description="the lines between title and abstract, as printed")
    abstract: str = ""
    sections: tuple[Section, ...] = ()
    references: tuple[Reference, ...] = ()
    hyperparameters: tuple[HyperParameter, ...] = ()
    pages: tuple[PageInfo, ...] = ()
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = Field(default=(), description="what of the whole may be wrong or missing, in words")
    audit: Audit = Audit()
    notation: str = Field(default="", description="LaTeX macros of the source that its bodies use")
    footnotes: tuple[str, ...] = ()
    seconds: float = Field(default=0.0, description="wall time of reading")

    def blocks(self) -> Iterator[Block]:
        """Every block in reading order."""
        for section in self.sections:
            yield from section.blocks

    @property
    def trusted(self) -> bool:
        """False if anything is in doubt: a page, an equation, a table, or the structure."""
        doubts = self.doubts or any(page.doubts or not page.math_trusted for page in self.pages)
        return not doubts and all(equation.trusted for equation in self.equations) and all(map(_celled, self.tables))

    def with_blocks(self, change: Callable[[Block], Block], **fields: Any) -> Paper:
        """Return the paper with every block as `change` returns it, and other `fields` set."""
        sections = tuple(
            section.model_copy(update={"blocks": tuple(change(block) for block in section.blocks)})
            for section in self.sections
        )
        return self.model_copy(update={"sections": sections, **fields})

    @property
    def equations(self) -> tuple[Equation, ...]:
        return tuple(block for block in self.blocks() if isinstance(block, Equation))

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        return tuple(block for block in self.blocks() if isinstance(block, Algorithm))

    @property
    def tables(self) -> tuple[Table, ...]:
        return tuple(block for block in self.blocks() if isinstance(block, Table))

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(block for block in self.blocks() if isinstance(block, Figure))
