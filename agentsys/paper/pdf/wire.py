"""The child's records, checked field by field, as the data the parser works on."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentsys.core.errors import PaperError

T = TypeVar("T", bound=BaseModel)

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Text = Annotated[str, Field(max_length=100_000)]
RawBox = tuple[Number, Number, Number, Number]
RawSpan = tuple[Text, Count, Number, Number, Number, Number, Number, Number, int]
RawLine = tuple[int, int, Annotated[list[RawSpan], Field(max_length=60_000)]]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class RawDocument(_Record):
    """Facts of the whole file."""

    kind: Literal["document"]
    pages: Count
    metadata: dict[str, Text] = {}
    outline: list[tuple[int, Text, int]] = Field(default=[], max_length=1_000)
    embedded: list[Text] = []
    javascript: bool = False
    launch: bool = False
    open_action: bool = False
    actual_text: bool = False


class RawPage(_Record):
    """One page: lines of spans `[text, font, size, x0, y0, x1, y1, baseline, space before]`."""

    kind: Literal["page"]
    number: Count
    width: Number
    height: Number
    fonts: list[tuple[Text, int, int]] = []
    lines: Annotated[list[RawLine], Field(max_length=60_000)] = []
    chars: Count = 0
    unmapped: Count = 0
    guessed: Count = 0
    hidden: list[tuple[Text, RawBox, Text]] = []
    hidden_chars: Count = 0
    ink_checked: bool = False
    annotations: list[tuple[Text, RawBox, Text]] = []
    rules: list[RawBox] = []
    drawings: list[RawBox] = []
    images: list[RawBox] = []
    actual_text: bool = False
    notes: list[Text] = []


class RawImage(_Record):
    """One crop, PNG in base64."""

    kind: Literal["image"]
    name: Text
    png: str
    width: Count
    height: Count


def check(model: type[T], record: dict[str, Any]) -> T:
    """Return a record as a model.

    Raises: PaperError if it does not fit.
    """
    try:
        return model.model_validate(record)
    except ValidationError as error:
        raise _refused() from error


def page(record: dict[str, Any], expected: int) -> RawPage:
    """Check a `page` record; `expected` is the page that must come now."""
    found = check(RawPage, record)
    if found.number != expected or any(span[1] >= len(found.fonts) for line in found.lines for span in line[2]):
        raise _refused()
    return found


def _refused() -> PaperError:
    return PaperError("the PDF reader gave an answer that is not understood", "try another copy of the paper")
