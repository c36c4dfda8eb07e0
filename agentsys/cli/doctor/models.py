"""The models: is one named, is there a key for each, and with `live` do they answer. Keys are never shown."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path

from agentsys.cli.doctor import Row
from agentsys.core.errors import PrerequisiteError
from agentsys.core.settings import Settings
from agentsys.llm.faults import ProviderFault
from agentsys.llm.provider import Provider
from agentsys.llm.render import CHARS_PER_TOKEN
from agentsys.llm.types import Part, Prompt

_MOST_CHARS = 8
"""Characters that no token stands for on average: a lower count is no count of what was read."""
_BESIDES = 8192
"""Tokens of a planner's prompt besides the paper: rules, ledger, design, task."""


def configured(settings: Settings) -> Row:
    """A run could ask its models: names, parameters and keys are there."""
    if settings.replay is not None:
        return Row("model", "ok", f"answers are replayed from `{settings.replay}`")
    if not settings.model:
        # Not a failure: the command line of a run can name it.
        return Row("model", "warn", "none is chosen", "`--model NAME`, AGENTSYS_MODEL, or `--replay DIR` without a key")
    try:
        found = _providers(settings)
    except PrerequisiteError as error:
        return Row("model", "fail", error.message, error.hint)
    asyncio.run(_close(found))
    named = ", ".join(f"`{each.model}` through {each.name}{_roles(settings, each.model)}" for each in found)
    keys = "its key is present" if len(found) == 1 else "their keys are present"
    return Row("model", "ok", f"{named}; {keys}, or the endpoint needs none")


def answers(settings: Settings) -> Row | None:
    """One short call to each model is answered; None where `configured` says already that nothing can be asked."""
    if settings.replay is not None or not settings.model:
        return None
    try:
        found = _providers(settings)
    except PrerequisiteError:
        return None
    results = asyncio.run(_ask_all(found))
    faults = [f"`{model}`: {result}" for model, result in results.items() if isinstance(result, ProviderFault)]
    if faults:
        words = "; ".join(faults)
        return Row("model answers", "fail", words, "check the key, the model's name and the endpoint")
    return Row("model answers", "ok", ", ".join(f"`{model}` after {result:.1f} s" for model, result in results.items()))


def window(settings: Settings, paper: Path, *, live: bool) -> Row:
    """The model's window holds a paper: how large it has to be, and with `live` whether the whole of it is read.

    Raises: PaperError.
    """
    from agentsys.llm.window import needed, window_hint
    from agentsys.paper import read_paper, to_markdown

    text = to_markdown(read_paper(paper))
    prompt = Prompt((Part("paper", text),), (Part("task", "Answer with the one word: ready"),))
    tokens = f"a window of about {needed(prompt, _BESIDES):,} tokens"
    more = (text * (1 + _BESIDES * CHARS_PER_TOKEN // len(text)))[: _BESIDES * CHARS_PER_TOKEN]
    full = Prompt((Part("paper", text), Part("more", more)), prompt.body)
    if not live or not settings.model:
        return Row("context window", "ok", f"this paper needs {tokens}", "`--live` asks the model whether it has one")
    try:
        found = _providers(settings)
    except PrerequisiteError as error:
        return Row("context window", "fail", error.message, error.hint)
    faults, silent = asyncio.run(_read_whole(found, full))
    if faults:
        return Row("context window", "fail", "; ".join(faults), window_hint(prompt, _BESIDES))
    if silent:
        names = ", ".join(f"`{name}`" for name in silent)
        return Row(
            "context window", "warn", f"this paper needs {tokens}; {names} took it, and does not say how much it read"
        )
    return Row("context window", "ok", f"this paper needs {tokens}; as much was read whole")


async def _read_whole(providers: Iterable[Provider], prompt: Prompt) -> tuple[list[str], list[str]]:
    """Return what went wrong with a long prompt, and the models that do not count what they read."""
    from agentsys.llm.window import pieces, was_cut

    faults: list[str] = []
    silent: list[str] = []
    try:
        for each in providers:
            try:
                usage = (await each.complete(prompt)).usage
            except ProviderFault as fault:
                faults.append(f"`{each.model}`: {fault.message}")
                continue
            if was_cut(pieces(prompt), usage):
                sent = prompt.chars // CHARS_PER_TOKEN
                faults.append(
                    f"`{each.model}` read {usage.prompt:,} tokens of about {sent:,} and said nothing of the rest"
                )
            elif usage.estimated or usage.prompt < prompt.chars // _MOST_CHARS:
                silent.append(each.model)
        return faults, silent
    finally:
        await _close(providers)


def _providers(settings: Settings) -> list[Provider]:
    """Return one provider for each model, that of `model` first."""
    from agentsys.llm.factory import build_providers

    return list({each.model: each for each in build_providers(settings, os.environ).values()}.values())


def _roles(settings: Settings, model: str) -> str:
    if model == settings.model:
        return ""
    return f" ({', '.join(role for role, name in settings.agent_models.items() if name == model)})"


async def _ask_all(providers: Iterable[Provider]) -> dict[str, float | ProviderFault]:
    try:
        return {provider.model: await _ask(provider) for provider in providers}
    finally:
        await _close(providers)


async def _ask(provider: Provider) -> float | ProviderFault:
    """Return the seconds until the answer, or why there was none."""
    started = time.monotonic()
    try:
        await provider.complete(Prompt(prefix=(), body=(Part("task", "Answer with the one word: ready"),)))
    except ProviderFault as fault:
        return fault
    return time.monotonic() - started


async def _close(providers: Iterable[Provider]) -> None:
    for provider in providers:
        await provider.close()
