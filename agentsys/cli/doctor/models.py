"""The model: is one named, is there a key for it, and with `live` does it answer. Keys are never shown."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from agentsys.cli.doctor import Row
from agentsys.core.errors import PrerequisiteError
from agentsys.core.settings import Settings
from agentsys.llm.faults import ProviderFault
from agentsys.llm.types import Part, Prompt, Provider


def configured(settings: Settings) -> Row:
    """A run could ask a model: name, parameters and key are there."""
    if settings.replay is not None:
        return Row("model", "ok", f"answers are replayed from `{settings.replay}`")
    if not settings.model:
        # Not a failure: the command line of a run can name it.
        return Row("model", "warn", "none is chosen", "`--model NAME`, AGENTSYS_MODEL, or `--replay DIR` without a key")
    from agentsys.llm.factory import build_providers, provider_of

    try:
        providers = build_providers(settings, os.environ)
    except PrerequisiteError as error:
        return Row("model", "fail", error.message, error.hint)
    asyncio.run(_close(providers))
    who = provider_of(settings.model, settings, os.environ)
    return Row("model", "ok", f"`{settings.model}` through {who}; its key is present, or the endpoint needs none")


def answers(settings: Settings) -> Row | None:
    """One short call is answered; None where `configured` says already that nothing can be asked."""
    from agentsys.llm.factory import build_providers

    if settings.replay is not None or not settings.model:
        return None
    try:
        providers = build_providers(settings, os.environ)
    except PrerequisiteError:
        return None
    try:
        seconds = asyncio.run(_ask(providers))
    except ProviderFault as fault:
        return Row("model answers", "fail", str(fault), "check the key, the model's name and the endpoint")
    return Row("model answers", "ok", f"after {seconds:.1f} s")


async def _ask(providers: Mapping[str, Provider]) -> float:
    started = time.monotonic()
    try:
        prompt = Prompt(prefix=(), body=(Part("task", "Answer with the one word: ready"),))
        await providers[""].complete(prompt)
    finally:
        await _close(providers)
    return time.monotonic() - started


async def _close(providers: Mapping[str, Provider]) -> None:
    for provider in {id(each): each for each in providers.values()}.values():
        await provider.close()
