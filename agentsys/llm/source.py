"""Where answers come from: a provider over the network, with retries of transient faults; `replay` is the other one."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_exponential,
    wait_random,
)

from agentsys.core.errors import KeyRefused, LimitReached, ProviderError
from agentsys.core.events import EventLog, EventType
from agentsys.core.settings import ROLES
from agentsys.llm.faults import BadKey, Busy, Fatal, ProviderFault, TooLong, Transient, WrongPage
from agentsys.llm.ledger import Ledger
from agentsys.llm.limits import Limits
from agentsys.llm.pool import Turns
from agentsys.llm.provider import Provider
from agentsys.llm.shortening import shortened
from agentsys.llm.store import Recording
from agentsys.llm.types import CallKey, Feedback, Prompt, Reply
from agentsys.llm.vision import refuses_images, without_images
from agentsys.llm.window import pieces, too_many, window_hint

LONGEST_WAIT = 900.0
"""Seconds; a provider that asks for a longer pause ends the run, which can be resumed then."""
_PATIENCE = 450.0
"""Times the first pause: how long one call waits for a limit although nobody gets an answer."""
_LOOKS = 30
"""Times a call looks, at least, whether the limit is free before its patience ends."""
_SHORTENINGS = 3
"""Times a prompt is shortened; servers do not always say by how much it is too long."""


class Source(Protocol):
    """Gives the answer to one call as a recording, ready to be stored."""

    def model_of(self, role: str) -> str:
        """Return the model that would be asked for this role."""
        ...

    async def fetch(self, key: CallKey, prompt: Prompt, hashes: dict[str, str], feedback: Feedback) -> Recording: ...

    async def close(self) -> None: ...


class LiveSource:
    """Asks the provider of the role.

    Args:
        providers: by role; the empty name is for all others.
        attempts: tries of one call against transient faults; a wait that helps is none.
        turns: how many requests may be under way at the same time; pauses between tries do not count.
        backoff: seconds of the first pause; doubled each time up to a minute, with jitter.
        events: told of each pause, and once for each model that is sent no pictures any more.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        limits: Limits,
        ledger: Ledger,
        events: EventLog,
        *,
        attempts: int,
        turns: Turns,
        backoff: float = 2.0,
    ) -> None:
        self._blind: set[Provider] = set()
        self._providers = providers
        self._limits = limits
        self._ledger = ledger
        self._events = events
        self._attempts = attempts
        self._pool = turns
        self._backoff = wait_exponential(multiplier=backoff, max=60.0) + wait_random(0.0, backoff)
        self._patience = _PATIENCE * backoff

    def model_of(self, role: str) -> str:
        return self._provider(role).model

    async def fetch(self, key: CallKey, prompt: Prompt, hashes: dict[str, str], feedback: Feedback) -> Recording:
        """Ask until an answer comes.

        Raises: ProviderError, LimitReached.
        """
        provider = self._provider(key.role)
        reply, sent = await self._fitting(key, provider, prompt, feedback)
        return Recording.of(key, reply, asked=provider.model, prompt=hashes, pieces=pieces(sent, feedback))

    async def close(self) -> None:
        for provider in set(self._providers.values()):
            await provider.close()

    def _provider(self, role: str) -> Provider:
        return self._providers.get(role) or self._providers[""]

    async def _fitting(
        self, key: CallKey, provider: Provider, prompt: Prompt, feedback: Feedback
    ) -> tuple[Reply, Prompt]:
        """Ask; with less of the paper's words where the endpoint says that they do not fit into its window.

        Returns: the reply, and what was asked.
        """
        sent = prompt
        for _ in range(_SHORTENINGS):
            try:
                return await self._retrying(key, provider, sent, feedback), sent
            except TooLong as fault:
                shorter = shortened(prompt, sent, fault.window, fault.sent)
                if shorter is None:
                    raise _final(key, provider, fault.message, f"{fault.hint}; {window_hint(prompt)}") from fault
                sent = shorter
                words = f"the prompt of {key.words} does not fit into the window of `{provider.model}`"
                message = (
                    f"{words} ({fault.message[:200]}); it is asked with {sent.chars:,} of {prompt.chars:,} characters"
                )
                self._events.emit("warning", stage=ROLES.get(key.role), message=message, key=str(key))
        return await self._retrying(key, provider, sent, feedback), sent

    async def _retrying(self, key: CallKey, provider: Provider, prompt: Prompt, feedback: Feedback) -> Reply:
        patience = _Patience(self._pool, self._attempts, self._patience)
        retrying = AsyncRetrying(
            stop=patience.is_over,
            wait=self._wait,
            retry=retry_if_exception(_Retryable()),
            before_sleep=lambda state: self._pause(key, provider, state),
            sleep=asyncio.sleep,  # a cancelled task leaves it at once
            reraise=True,
        )
        try:
            return await retrying(self._seeing, key, provider, prompt, feedback)
        except TooLong:
            raise
        except ProviderFault as fault:
            tries = retrying.statistics.get("attempt_number", 1)
            after = f" after {tries} tries" if tries != 1 else ""
            final = fault.message if isinstance(fault, Fatal) else f"{fault.message}{after}"
            hint = self._limit_hint(fault, provider) if isinstance(fault, Busy) and not fault.hint else fault.hint
            hint = f"{hint}; later {self._limits.again}" if fault.passes else hint
            raise _final(
                key, provider, final, hint, KeyRefused if isinstance(fault, BadKey) else ProviderError
            ) from fault

    def _limit_hint(self, fault: Busy, provider: Provider) -> str:
        met = f"the limit met: {fault.limit}; " if fault.limit else ""
        return f"{met}lower `concurrency` ({self._pool.most}) or raise `attempts` ({self._attempts})"

    async def _seeing(self, key: CallKey, provider: Provider, prompt: Prompt, feedback: Feedback) -> Reply:
        """Ask with the prompt's pictures; once more without them where the endpoint refuses the request."""
        if provider in self._blind:
            prompt = without_images(prompt)
        try:
            reply = await self._once(provider, prompt, feedback)
        except ProviderFault as fault:
            if not prompt.images or not refuses_images(fault):
                raise
            reply = await self._once(provider, without_images(prompt), feedback)
            if provider not in self._blind:
                words = f"the endpoint refused the pictures of {key.words} ({fault.message[:200]})"
                message = f"{words}; from now on it gets captions alone"
                self._events.emit("warning", stage=ROLES.get(key.role), message=message, key=str(key))
            self._blind.add(provider)
            return reply
        return replace(reply, images=len(prompt.images))

    async def _once(self, provider: Provider, prompt: Prompt, feedback: Feedback) -> Reply:
        pool = self._pool
        async with pool.slot() as began:
            self._limits.check(self._ledger)
            remaining = self._limits.remaining
            deadline = asyncio.timeout(None if remaining == math.inf else remaining)
            try:
                async with deadline:
                    reply = await provider.complete(prompt, feedback=feedback)
            except TimeoutError as error:
                if deadline.expired():
                    raise self._limits.time_up() from error
                raise
            except Busy as fault:
                if fault.tokens and too_many(fault.tokens, prompt, feedback):
                    raise fault.beyond() from fault
                pool.slow(began, 0.0)
                raise
            pool.recover()
            return reply

    def _wait(self, state: RetryCallState) -> float:
        """Return the seconds that were asked for; without, our own pause, and a shorter one where a wait will help."""
        fault = _fault(state)
        asked = fault.retry_after if fault is not None else None
        if asked:
            return asked
        pause = self._backoff(state)
        return min(pause, self._patience / _LOOKS) if isinstance(fault, Busy) else pause

    def _pause(self, key: CallKey, provider: Provider, state: RetryCallState) -> None:
        """Say what happened; a pause that would last too long, or beyond the deadline, is not begun."""
        fault = _fault(state)
        message = fault.message if fault is not None else ""
        seconds = state.next_action.sleep if state.next_action else 0.0
        if seconds >= self._limits.remaining:
            raise LimitReached(
                f"the time limit ends before the provider may be asked again in {seconds:.0f} s ({message})",
                f"raise `--time-limit` and {self._limits.again}",
                "time",
            )
        if seconds > LONGEST_WAIT:
            raise ProviderError(
                f"the provider asks to wait {seconds:.0f} s ({message})", f"after that time {self._limits.again}"
            )
        if isinstance(fault, Busy):
            self._pool.slow(0.0, seconds)
        tell_retry(self._events, key, message, seconds)


def _final(
    key: CallKey, provider: Provider, words: str, hint: str, kind: type[ProviderError] = ProviderError
) -> ProviderError:
    return kind(f"`{provider.model}` cannot answer {key.words}: {words}", hint)


def tell(events: EventLog, event: EventType, key: CallKey, **data: Any) -> None:
    """Record what happened to a call."""
    stage = ROLES.get(key.role)
    events.emit(event, stage=stage, role=key.role, item=key.item, attempt=key.attempt, **data)


def tell_retry(events: EventLog, key: CallKey, fault: str, wait: float) -> None:
    """Record that a call is tried again, after `wait` seconds."""
    tell(events, "llm.retry", key, reason=fault[:500], wait=round(wait, 1))


class _Retryable:
    """Transient faults, but a body that is not the protocol only once: the address is wrong then."""

    def __init__(self) -> None:
        self._pages = 0

    def __call__(self, error: BaseException) -> bool:
        if isinstance(error, WrongPage):
            self._pages += 1
            return self._pages < 2
        return isinstance(error, Transient)


class _Patience:
    """When one call is given up: after so many tries, of which those do not count that met a limit while waiting helps.

    Waiting helps as long as the pool gets answers, and for `seconds` after that.
    """

    def __init__(self, pool: Turns, attempts: int, seconds: float) -> None:
        self._pool = pool
        self._attempts = attempts
        self._seconds = seconds
        self._tries = 0
        self._met = 0
        self._answered = pool.answered
        self._since = time.monotonic()

    def is_over(self, state: RetryCallState) -> bool:
        if not isinstance(_fault(state), Busy):
            self._tries += 1
            return self._tries >= self._attempts
        if self._answered != self._pool.answered:
            self._answered, self._met, self._since = self._pool.answered, 0, time.monotonic()
        self._met += 1
        return self._met >= self._attempts and time.monotonic() - self._since >= self._seconds


def _fault(state: RetryCallState) -> ProviderFault | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, ProviderFault) else None
