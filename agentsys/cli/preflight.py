"""What a run cannot begin without, looked at before a run directory is made."""

from __future__ import annotations

import asyncio
import os

from agentsys.core.settings import Settings


def check(settings: Settings) -> None:
    """See that there is a model with its key, or a recording, and that the policy can be read.

    Raises: PrerequisiteError.
    """
    from agentsys.core.errors import PrerequisiteError
    from agentsys_policies.engine import Policy
    from agentsys_policies.errors import PolicyError

    if settings.replay is not None:
        _check_recording(settings)
    else:
        _check_model(settings)
    try:
        Policy.load(settings.policy, settings.review)
    except PolicyError as error:
        raise PrerequisiteError(error.message, error.hint) from error


def _check_model(settings: Settings) -> None:
    from agentsys.llm.factory import build_providers

    async def build_and_close() -> None:
        for provider in set(build_providers(settings, os.environ).values()):
            await provider.close()

    asyncio.run(build_and_close())


def _check_recording(settings: Settings) -> None:
    from agentsys.llm.replay import ReplaySource

    assert settings.replay is not None
    ReplaySource(settings.replay, strict=settings.strict_replay)
