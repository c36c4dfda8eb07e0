"""Limits, resuming and keys over real HTTP: nothing is asked twice, nothing is lost, no key is written."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agentsys.core.errors import AgentsysError, LimitReached, ProviderError
from agentsys.core.events import EventLog
from agentsys.core.settings import Settings
from agentsys.llm.client import AnswerError
from agentsys.llm.factory import build_model
from integration.endpoint_run import KEY, PROMPT, Run, ask, plain
from integration.faulty_endpoint import (
    completion,
    fault,
    ok,
    raw,
    serving,
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.mark.parametrize(
    ("settings", "flag"),
    [({"max_tokens": 110}, "--max-tokens"), ({"budget": 0.0001}, "--budget")],
    ids=["tokens", "money"],
)
async def test_limit_stops_the_next_call_and_a_larger_one_goes_on(
    run: Run, settings: dict[str, object], flag: str
) -> None:
    async with serving(ok("fine")) as endpoint:
        model = run.model(endpoint, **settings)
        await model.ask("planner", "first", PROMPT, plain)
        with pytest.raises(LimitReached) as caught:
            await ask(model, plain, "second")
        assert (caught.value.exit_code, len(endpoint.requests)) == (7, 1)
        assert flag in caught.value.hint
        assert "agentsys resume" in caught.value.hint
        with pytest.raises(LimitReached):  # what an earlier process used counts
            await ask(run.model(endpoint, **settings), plain, "second")
        assert await ask(run.model(endpoint), plain, "second") == "fine"
    assert len(endpoint.requests) == 2


async def test_resumed_run_asks_nothing_twice(run: Run) -> None:
    async with serving(ok("bad"), ok("fine"), fault(500)) as endpoint:

        def parse(text: str) -> str:
            if text == "bad":
                raise AnswerError("it is bad")
            return text

        assert await ask(run.model(endpoint), parse) == "fine"
        resumed = run.model(endpoint)
        assert await ask(resumed, parse) == "fine"
    assert len(endpoint.requests) == 2
    assert resumed.calls == 2
    assert resumed.usage.total == 220


async def test_resume_after_three_unusable_answers_asks_again(run: Run) -> None:
    def parse(text: str) -> str:
        if text == "bad":
            raise AnswerError("it is bad")
        return text

    async with serving(ok("bad"), ok("bad"), ok("bad"), ok("fine")) as endpoint:
        with pytest.raises(ProviderError):
            await ask(run.model(endpoint), parse)
        assert await ask(run.model(endpoint), parse) == "fine"
    assert [line["key"] for line in run.ledger][-1] == "planner/plan/04"


async def test_another_model_on_resume_is_asked(run: Run) -> None:
    async with serving(ok("one"), ok("two")) as endpoint:
        assert await ask(run.model(endpoint), plain) == "one"
        assert await ask(run.model(endpoint, model="gpt-5-mini"), plain) == "two"
    assert [request.body["model"] for request in endpoint.requests] == ["gpt-5", "gpt-5-mini"]


async def test_roles_have_their_own_models(run: Run) -> None:
    async with serving(ok("fine")) as endpoint:
        model = run.model(endpoint, agent_models={"coder": "gpt-5-codex"})
        await model.ask("coder", "a.py", PROMPT, plain)
        await ask(model, plain)
    assert [request.body["model"] for request in endpoint.requests] == ["gpt-5-codex", "gpt-5"]


async def test_key_is_sent_but_never_written_or_said(run: Run) -> None:
    leaks = (
        fault(500, f"key {KEY} is broken"),
        raw(completion(f"your header was Bearer {KEY}")),
        fault(401, f"Incorrect API key provided: {KEY}"),
    )
    async with serving(*leaks) as endpoint:
        model = run.model(endpoint)
        text = await model.ask("planner", "first", PROMPT, plain)
        with pytest.raises(AgentsysError) as caught:
            await ask(model, plain, "second")
    assert endpoint.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in text
    assert KEY not in caught.value.message + caught.value.hint
    assert KEY.encode() not in run.everything()
    assert b"[redacted]" in run.everything()


async def test_local_endpoint_needs_no_key(tmp_path: Path) -> None:
    async with serving(ok("fine")) as endpoint:
        settings = Settings(model="local", base_url=endpoint.url)
        model = build_model(settings, tmp_path / "llm", EventLog(None, "test"), environ={})
        assert await ask(model, plain) == "fine"
    assert model.cost is None


async def test_address_where_nobody_listens_is_a_provider_error(run: Run) -> None:
    async with serving(ok("fine")) as endpoint:
        pass
    with pytest.raises(ProviderError, match="connection") as caught:
        await ask(run.model(endpoint), plain)
    assert "OPENAI_BASE_URL" in caught.value.hint


class SlowDisk:
    """Keeps what is to be written down waiting until it is told otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.busy, self.free = asyncio.Event(), threading.Event()
        self._loop = asyncio.get_running_loop()
        monkeypatch.setattr("agentsys.core.files.os.fsync", self._sync)

    def _sync(self, handle: int) -> None:
        self._loop.call_soon_threadsafe(self.busy.set)
        assert self.free.wait(10), "the disk held up everything else"


async def test_slow_disk_holds_up_no_other_call(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    async with serving(ok("fine")) as endpoint:
        model = run.model(endpoint, concurrency=1)
        calls = [asyncio.ensure_future(model.ask("coder", f"{n}.py", PROMPT, plain)) for n in range(2)]
        await endpoint.arrivals(2)
        disk.free.set()
        assert await asyncio.gather(*calls) == ["fine"] * 2
        await model.close()


async def test_answer_whose_call_is_cancelled_on_the_way_to_the_disk_is_kept(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with serving(ok("fine")) as endpoint:
        model = run.model(endpoint)
        call = asyncio.ensure_future(model.ask("coder", "a.py", PROMPT, plain))
        await disk.busy.wait()
        call.cancel()
        disk.free.set()
        with pytest.raises(asyncio.CancelledError):
            await call
        await model.close()
    assert len(run.ledger) == len(run.files) == 1
