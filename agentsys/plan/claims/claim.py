"""A claim of a paper, with the places it rests on and what the audit of those places found: the data of `claims.json`.

Fields are added, never renamed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from agentsys.core.artifacts import Artifact

ClaimKind = Literal["number", "comparison", "trend", "rate", "identity", "bound", "existence", "qualitative"]
MIN_TEXT = 10
"""Characters below which a text states nothing."""
MAX_WORDS = 400
"""Characters of a quotation that are kept."""


class Quote(Artifact):
    """The paper's own words, and where they stand."""

    place: str = Field(description="as a reader names it, e.g. `Table 2`, `Section 4.1`, `Theorem 3`, `Abstract`")
    words: str = Field(description="verbatim, as far as layout allows")
    page: int | None = Field(default=None, description="page in the file, counted from 1")

    @field_validator("place", "words")
    @classmethod
    def _short(cls, text: str) -> str:
        return " ".join(text.split())[:MAX_WORDS]


class Target(Artifact):
    """A number that the paper states for a claim."""

    quantity: str = Field(default="", description="what is measured, on what, by which method")
    value: float = Field(allow_inf_nan=False)
    unit: str = Field(default="", description="unit, or `` for a pure number")
    spread: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="reported spread, in the unit")
    where: str = Field(description="table, figure or section that states it")

    @field_validator("quantity", "unit", "where")
    @classmethod
    def _short(cls, text: str) -> str:
        return " ".join(text.split())[:MAX_WORDS]


class Correction(Artifact):
    """Where a claim did not say what the paper says, and what it says now."""

    what: Literal["number", "words", "place"]
    said: str
    paper: str = Field(description="what stands in its place now")
    where: str = Field(default="", description="place of the paper that decides")


class Contradiction(Artifact):
    """Two places of the paper that do not agree; both quotations stand there."""

    what: str
    first: Quote
    second: Quote


class Claim(Artifact):
    """One claim that carries the paper."""

    id: str = Field(pattern=r"^C\d{1,3}$", description="`C1`, `C2`, ... in order")
    text: str = Field(min_length=1, description="one sentence, as corrected from the paper")
    kind: ClaimKind
    headline: bool = Field(default=False, description="stands in title, abstract or conclusion")
    places: tuple[Quote, ...] = ()
    targets: tuple[Target, ...] = ()
    assumptions: tuple[Quote, ...] = Field(default=(), description="conditions under which the paper claims it")
    corrections: tuple[Correction, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    doubts: tuple[str, ...] = Field(default=(), description="what the audit could not find in the paper")
    given: str = Field(default="", description="the claim as it was handed in; empty where it was read from the paper")

    @property
    def found(self) -> bool:
        """True where at least one quotation stands in the paper: without, the paper is silent on the claim."""
        return bool(self.places)


class LeftOut(Artifact):
    """A number of the abstract that is in no claim."""

    number: str
    words: str
    why: str = Field(default="", description="the model's reason; empty where it gave none")


class Claims(Artifact):
    """The claims of one paper (`claims.json`)."""

    paper: str = Field(description="SHA-256 of the document")
    title: str = ""
    claims: tuple[Claim, ...]
    unfounded: tuple[Claim, ...] = Field(
        default=(), description="claims of the model whose words stand nowhere: not used"
    )
    left_out: tuple[LeftOut, ...] = ()
    examined: int = Field(default=0, description="passages that were held against the claims for contradictions")
    dropped: int = Field(default=0, description="contradictions of the model that its own quotations do not show")
