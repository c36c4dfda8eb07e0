"""The interface that agents see; the guarded implementation is in `guard`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from agentsys.llm.types import Prompt, Usage

T = TypeVar("T")


class AnswerError(ValueError):
    """An answer that cannot be used; the text is the feedback that the model gets, in plain words."""


class Model(Protocol):
    """Ask for a usable answer: transport faults retried, unusable answers asked again with the fault named.

    Raises: ProviderError, LimitReached (also: no usable answer within three tries ends as ProviderError).
    """

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Callable[[str], T]) -> T:
        """Return `parse(answer)`; `parse` raises AnswerError for an answer to be asked again."""
        ...

    @property
    def usage(self) -> Usage: ...

    @property
    def cost(self) -> float | None:
        """US dollars so far; None as soon as one call's price is unknown."""
        ...
