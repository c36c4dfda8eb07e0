"""However the conversation ends, the audit record is sealed with that status."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

import agentsys.audit.record
import agentsys.run.assemble
import agentsys.run.chat
from agentsys.core.errors import LimitReached
from agentsys.core.settings import Settings
from agentsys.run import pipeline


@pytest.mark.parametrize(
    ("error", "status"), [(asyncio.CancelledError("SIGINT"), "interrupted"), (LimitReached("it is used up"), "limit")]
)
async def test_a_conversation_that_was_cut_off_seals_the_audit(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: str
) -> None:
    sealed: list[str] = []

    async def nothing(*_: object) -> None:
        return

    async def cut_off(*_: object) -> None:
        raise error

    def seal(_: object, status: str) -> None:
        sealed.append(status)

    def made(*_: object) -> object:
        return team

    policy = SimpleNamespace(ref=SimpleNamespace(sha256="0"))
    team = SimpleNamespace(usage=None, context=SimpleNamespace(policy=policy), close=nothing, agents=(), choose=None)
    monkeypatch.setattr(agentsys.run.assemble, "assemble", made)
    monkeypatch.setattr(agentsys.audit.record, "seal_audit", seal)
    monkeypatch.setattr(pipeline, "_clean_up", nothing)
    monkeypatch.setattr(pipeline, "_say_estimate", lambda *_: None)
    monkeypatch.setattr(agentsys.run.chat, "converse", cut_off)
    record = SimpleNamespace(hashes={}, title="", id="")
    keeper = SimpleNamespace(record=record, meter=None, turn=None, said=None)
    with pytest.raises(type(error)):
        await pipeline._work(cast("Any", None), cast("Any", keeper), Settings(), cast("Any", None), None, None)  # pyright: ignore[reportPrivateUsage]
    assert sealed == [status]
