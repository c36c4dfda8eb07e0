"""What a model answers about claims: data of a known form, nothing of it checked against the paper."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from agentsys.plan.answers import Answer
from agentsys.plan.claims.claim import ClaimKind, Quote, Target


class QuoteAnswer(Quote):
    """A quotation as a model gives it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    place: str = ""


class TargetAnswer(Target):
    """A number that the model read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    where: str = ""


class MisquoteAnswer(Answer):
    """A number as a given claim says it, and as the paper does."""

    said: str = Field(max_length=200)
    paper: str = Field(max_length=200)


class ContradictionAnswer(Answer):
    """Two places that the model holds for contradictory."""

    first: QuoteAnswer
    second: QuoteAnswer
    what: str


class ClaimAnswer(Answer):
    """One claim; `id` where it was given, `text` where it was not."""

    id: str = ""
    text: str = Field(default="", max_length=1500)
    kind: ClaimKind
    headline: bool = False
    places: tuple[QuoteAnswer, ...] = Field(default=(), max_length=6)
    targets: tuple[TargetAnswer, ...] = Field(default=(), max_length=20)
    assumptions: tuple[QuoteAnswer, ...] = Field(default=(), max_length=8)
    misquotes: tuple[MisquoteAnswer, ...] = Field(default=(), max_length=20)
    contradictions: tuple[ContradictionAnswer, ...] = Field(default=(), max_length=8)


class LeftOutAnswer(Answer):
    """A number of the abstract that the model puts into no claim."""

    number: str = Field(max_length=200)
    why: str = Field(default="", max_length=400)


class ClaimsAnswer(Answer):
    """The claims as a model states them, nothing of them checked."""

    claims: tuple[ClaimAnswer, ...] = Field(min_length=1)
    left_out: tuple[LeftOutAnswer, ...] = Field(default=(), max_length=60)


class ConflictAnswer(Answer):
    """A passage that contradicts a claim, as the model sees it."""

    claim: str
    passage: str
    first: str
    second: str
    what: str


class ConflictsAnswer(Answer):
    """Contradictions as a model sees them, nothing of them checked."""

    contradictions: tuple[ConflictAnswer, ...] = Field(max_length=60)
