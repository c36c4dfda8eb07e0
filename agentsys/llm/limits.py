"""Limits on money, tokens and time, checked before each request."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from agentsys.core.errors import LimitReached, PrerequisiteError
from agentsys.llm.ledger import Ledger


@dataclass(frozen=True)
class Limits:
    """What a run may use, earlier processes of the same run included.

    `budget` is in US dollars; `max_tokens` counts prompt and completion together; `deadline` is a time of
    `time.monotonic()`. None has no limit. Requests under way at the same time are not foreseen: they may go beyond a
    limit by as many calls as run at once.
    """

    budget: float | None = None
    max_tokens: int | None = None
    deadline: float | None = None
    free: bool = False
    """Nothing is paid (a replay), so an unknown price is no obstacle."""
    again: str = "go on with `agentsys resume`"
    """How what was asked so far is taken up again, for hints."""

    def check(self, ledger: Ledger) -> None:
        """Let one more request through.

        Raises: LimitReached; PrerequisiteError if there is a budget but a call's price is unknown.
        """
        self.check_time()
        used = ledger.usage.total
        if self.max_tokens is not None and used >= self.max_tokens:
            raise LimitReached(
                f"the limit of {self.max_tokens:,} tokens is used up ({used:,} used)",
                f"raise `--max-tokens` and {self.again}",
                "tokens",
            )
        if self.budget is None:
            return
        cost = sum(line.price or 0.0 for line in ledger.lines)
        if ledger.cost is None and not self.free:
            models = ", ".join(sorted({f"`{line.model}`" for line in ledger.lines if line.price is None}))
            raise PrerequisiteError(
                f"the price of {models} is unknown, so `--budget` cannot be kept",
                f"name it with `--price NAME=IN/OUT`, or limit the tokens with `--max-tokens`, and {self.again}",
            )
        if cost >= self.budget:
            raise LimitReached(
                f"the budget of US$ {self.budget:.2f} is used up (US$ {cost:.2f} spent)",
                f"raise `--budget` and {self.again}",
                "budget",
            )

    def check_time(self) -> None:
        """Raises: LimitReached if the time is up."""
        if self.remaining <= 0:
            raise self.time_up()

    def time_up(self) -> LimitReached:
        return LimitReached("the time limit of the run is reached", f"raise `--time-limit` and {self.again}", "time")

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; infinite without one."""
        return math.inf if self.deadline is None else self.deadline - time.monotonic()
