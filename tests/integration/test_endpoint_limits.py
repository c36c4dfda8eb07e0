"""Limits by the minute over real HTTP: waits as told, the whole pool together, and no giving up while waiting helps."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from agentsys.core.errors import LimitReached, ProviderError
from integration.endpoint_run import PROMPT, Run, ask, plain
from integration.faulty_endpoint import Answer, fault, ok, raw, serving


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def gemini(quota: str, delay: str | None = None, value: str = "10", message: str = "Quota exceeded.") -> Answer:
    details: list[dict[str, object]] = [
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaId": quota, "quotaValue": value}],
        }
    ]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}
    return raw(json.dumps([{"error": error}]), 429)


TOLD: dict[str, Answer] = {
    "RetryInfo": gemini("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "0.3s"),
    "words of Gemini": gemini("GenerateRequestsPerMinute", None, message="You exceeded it. Please retry in 0.3s."),
    "words of OpenAI": fault(
        429,
        "Rate limit reached for gpt-5 in organization org-1 on requests per min (RPM): Limit 3, Used 3, Requested 1. "
        "Please try again in 300ms. Visit the page to learn more.",
        type="requests",
        code="rate_limit_exceeded",
    ),
    "reset of requests": fault(
        429,
        "slow",
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "300ms",
            "x-ratelimit-remaining-tokens": "9000",
            "x-ratelimit-reset-tokens": "6m0s",
        },
    ),
    "plain words": raw('{"detail": "Too many requests, wait 0.3 seconds"}', 429),
    "text": raw("Rate limited. Try again in 0.3 s.", 429, "text/plain"),
    "router": raw(
        json.dumps(
            {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": "retry in 0.3s"}}}
        ),
        429,
    ),
    "field with its unit": raw('{"detail": {"error": "Rate limited", "retry_after_ms": 300}}', 429),
    "a gateway's quote": fault(429, 'RateLimitError: {"error": {"code": 429, "details": [{"retryDelay": "0.3s"}]}}'),
    "status of a refusal": raw('{"__type": "ThrottlingException", "message": "Rate exceeded", "retryAfter": 0.3}', 400),
    "inside a good reply": raw('{"error": {"code": "rate_limit_exceeded", "message": "Please try again in 0.3s"}}'),
    "loading": raw('{"error": {"message": "Loading model", "code": 503}, "retry_after": 0.3}', 503),
    "loading, estimated": raw('{"error": "Model x is currently loading", "estimated_time": 0.3}', 503),
}


@pytest.mark.parametrize("name", TOLD)
async def test_wait_is_taken_from_wherever_the_endpoint_says_it(run: Run, name: str) -> None:
    async with serving(TOLD[name], ok("fine")) as endpoint:
        started = time.monotonic()
        assert await ask(run.model(endpoint), plain) == "fine"
        assert time.monotonic() - started >= 0.3
    assert run.of_type("llm.retry")[0]["wait"] == 0.3


@pytest.mark.parametrize(
    "busy",
    [fault(429, "try again in 0.02s"), raw('{"error": {"message": "Loading model", "code": 503}}', 503)],
    ids=["limit", "loading"],
)
async def test_more_waits_than_attempts_are_no_reason_to_give_up(run: Run, busy: Answer) -> None:
    async with serving(*[busy] * 12, ok("fine")) as endpoint:
        assert await ask(run.model(endpoint, attempts=3, backoff=0.01), plain) == "fine"
    assert len(endpoint.requests) == 13


async def test_faults_that_waiting_does_not_heal_still_end_after_the_attempts(run: Run) -> None:
    async with serving(fault(429, "try again in 0.01s"), fault(500), fault(500), fault(500)) as endpoint:
        with pytest.raises(ProviderError, match="500"):
            await ask(run.model(endpoint, attempts=3, backoff=0.01), plain)
    assert len(endpoint.requests) == 4


async def test_limit_that_never_frees_ends_and_names_what_to_change(run: Run) -> None:
    words = "Rate limit reached on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000."
    async with serving(fault(429, words)) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await ask(run.model(endpoint, attempts=3, concurrency=5), plain)
    for part in ("tokens per min (TPM): Limit 30000", "`concurrency` (5)", "`attempts` (3)"):
        assert part in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (fault(429, "Request too large on tokens per min (TPM): Limit 30000, Requested 45000."), "single request"),
        (fault(413, "Request too large on tokens per minute (TPM): Limit 6000, Requested 12000"), "single request"),
        (gemini("GenerateContentInputTokensPerMinute", "30s", message="Quota exceeded, limit: 0"), "single request"),
        (gemini("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "30s"), "limit of a day"),
        (fault(429, "Rate limit exceeded: free-models-per-day."), "limit of a day"),
        (fault(429, "slow down", {"x-ratelimit-limit-tokens": "3", "retry-after": "9"}), "single request"),
        (fault(429, "Your team has used all available credits."), "add credit"),
    ],
    ids=["tokens", "413", "no quota at all", "a day", "a day in words", "header", "credit"],
)
async def test_limit_that_no_wait_can_free_is_said_at_once(run: Run, answer: Answer, words: str) -> None:
    async with serving(answer) as endpoint:
        with pytest.raises(ProviderError) as caught:
            await ask(run.model(endpoint), plain)
    assert words in caught.value.hint
    assert len(endpoint.requests) == 1


async def test_told_wait_beyond_the_time_limit_ends_at_once(run: Run) -> None:
    async with serving(fault(429, "Please try again in 20s")) as endpoint:
        with pytest.raises(LimitReached) as caught:
            await ask(run.model(endpoint, deadline=time.monotonic() + 10), plain)
    assert "--time-limit" in caught.value.hint
    assert len(endpoint.requests) == 1


class Quota:
    """So many requests in each span of time; what comes beyond is refused and told how long to wait."""

    def __init__(self, most: int, span: float, *, told: bool = True) -> None:
        self.most, self.span, self.told = most, span, told
        self.began = -span
        self.used = self.refused = 0

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        now = time.monotonic()
        if now - self.began >= self.span:
            self.began, self.used = now, 0
        if self.used >= self.most:
            self.refused += 1
            left = self.span - (now - self.began)
            words = (
                f"requests per min (RPM): Limit {self.most}. Please try again in {left:.3f}s" if self.told else "slow"
            )
            await fault(429, words)(writer)
            return
        self.used += 1
        await ok("fine")(writer)


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
async def test_pool_slows_down_together_and_every_call_is_answered(run: Run, told: bool) -> None:
    quota = Quota(5, 0.4, told=told)
    async with serving(quota) as endpoint:
        model = run.model(endpoint, attempts=2, concurrency=8, backoff=0.05)
        started = time.monotonic()
        calls = [model.ask("coder", f"f{n}.py", PROMPT, plain) for n in range(24)]
        assert await asyncio.gather(*calls) == ["fine"] * 24
        seconds = time.monotonic() - started
        await model.close()
    assert len(run.ledger) == 24
    assert seconds < 8 * quota.span + 4
    if told:
        assert quota.refused <= 24  # one call that is told is told for all: without, each of 24 is refused each time


async def test_concurrency_sinks_at_a_limit_and_recovers(run: Run) -> None:
    release = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await ok("fine")(writer)

    async with serving(*[fault(429, "try again in 0.05s")] * 8, slow) as endpoint:
        model = run.model(endpoint, concurrency=8, backoff=0.01)
        tasks = [asyncio.ensure_future(model.ask("coder", f"f{n}.py", PROMPT, plain)) for n in range(60)]
        await endpoint.arrivals(12)  # eight that were refused together, and half as many after the wait
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(endpoint.arrivals(1), 0.3)
        assert endpoint.active == 4
        release.set()
        await asyncio.gather(*tasks)
        release.clear()
        more = [asyncio.ensure_future(model.ask("coder", f"g{n}.py", PROMPT, plain)) for n in range(8)]
        await endpoint.arrivals(56 + 8)
        assert endpoint.active == 8
        release.set()
        await asyncio.gather(*more)
        await model.close()
