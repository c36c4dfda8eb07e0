"""Where answers come from: a provider over the network, with retries of transient faults; `replay` is the other one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from agentsys.core.errors import LimitReached, ProviderError
from agentsys.core.events import EventLog, EventType
from agentsys.core.settings import ROLES
from agentsys.llm.faults import Fatal, ProviderFault, Transient, WrongPage
from agentsys.llm.ledger import Ledger
from agentsys.llm.limits import Limits
from agentsys.llm.provider import Provider
from agentsys.llm.store import Recording
from agentsys.llm.types import CallKey, Feedback, Prompt, Reply
from agentsys.llm.vision import refuses_images, without_images

LONGEST_WAIT = 900.0
"""Seconds; a provider that asks for a longer pause ends the run, which can be resumed then."""


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
        attempts: tries of one call against transient faults.
        concurrency: requests under way at the same time; pauses between tries do not count.
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
        concurrency: int,
        backoff: float = 2.0,
    ) -> None:
        self._blind: set[Provider] = set()
        self._providers = providers
        self._limits = limits
        self._ledger = ledger
        self._events = events
        self._attempts = attempts
        self._slots = asyncio.Semaphore(concurrency)
        self._backoff = wait_exponential(multiplier=backoff, max=60.0) + wait_random(0.0, backoff)

    def model_of(self, role: str) -> str:
        return self._provider(role).model

    async def fetch(self, key: CallKey, prompt: Prompt, hashes: dict[str, str], feedback: Feedback) -> Recording:
        """Ask until an answer comes.

        Raises: ProviderError, LimitReached.
        """
        provider = self._provider(key.role)
        reply = await self._retrying(key, provider, prompt, feedback)
        return Recording.of(key, reply, asked=provider.model, prompt=hashes)

    async def close(self) -> None:
        for provider in set(self._providers.values()):
            await provider.close()

    def _provider(self, role: str) -> Provider:
        return self._providers.get(role) or self._providers[""]

    async def _retrying(self, key: CallKey, provider: Provider, prompt: Prompt, feedback: Feedback) -> Reply:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=retry_if_exception(_Retryable()),
            before_sleep=lambda state: self._pause(key, state),
            sleep=asyncio.sleep,  # a cancelled task leaves it at once
            reraise=True,
        )
        try:
            return await retrying(self._seeing, key, provider, prompt, feedback)
        except ProviderFault as fault:
            tries = retrying.statistics.get("attempt_number", 1)
            after = f" after {tries} tries" if tries != 1 else ""
            final = fault.message if isinstance(fault, Fatal) else f"{fault.message}{after}"
            raise ProviderError(
                f"`{provider.model}` cannot answer `{key.role}/{key.item}`: {final}", fault.hint
            ) from fault

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
                words = f"the endpoint refused the pictures of `{key}` ({fault.message[:200]})"
                message = f"{words}; from now on it gets captions alone"
                self._events.emit("warning", stage=ROLES.get(key.role), message=message, key=str(key))
            self._blind.add(provider)
            return reply
        return replace(reply, images=len(prompt.images))

    async def _once(self, provider: Provider, prompt: Prompt, feedback: Feedback) -> Reply:
        async with self._slots:
            self._limits.check(self._ledger)
            remaining = self._limits.remaining
            deadline = asyncio.timeout(None if remaining == math.inf else remaining)
            try:
                async with deadline:
                    return await provider.complete(prompt, feedback=feedback)
            except TimeoutError as error:
                if deadline.expired():
                    raise self._limits.time_up() from error
                raise

    def _wait(self, state: RetryCallState) -> float:
        fault = _fault(state)
        asked = fault.retry_after if fault is not None else None
        return self._backoff(state) if asked is None else asked

    def _pause(self, key: CallKey, state: RetryCallState) -> None:
        """Say what happened; a pause that would last too long, or beyond the deadline, is not begun."""
        fault = _fault(state)
        message = fault.message if fault is not None else ""
        seconds = state.next_action.sleep if state.next_action else 0.0
        if seconds >= self._limits.remaining:
            raise LimitReached(
                f"the time limit ends before the provider may be asked again in {seconds:.0f} s ({message})",
                "raise `--time-limit` and go on with `agentsys resume`",
                "time",
            )
        if seconds > LONGEST_WAIT:
            raise ProviderError(
                f"the provider asks to wait {seconds:.0f} s ({message})", "go on after that time with `agentsys resume`"
            )
        tell_retry(self._events, key, message, seconds)


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


def _fault(state: RetryCallState) -> ProviderFault | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, ProviderFault) else None
