"""HTTP errors sorted into transient and final ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agentsys.llm.errorbody import error_of
from agentsys.llm.faults import BadKey, Busy, Fatal, Faults, Filtered, TooLong, Transient
from agentsys.llm.redact import Redactor
from agentsys.llm.waits import retry_after

SECRET = "test-key-0123456789"


def fault_of(status: int, headers: dict[str, str] | None = None, **error: object) -> Exception:
    body = json.dumps({"error": error})
    faults = Faults("OPENAI_API_KEY", "OPENAI_BASE_URL or `base_url`", "/v1", Redactor([SECRET]))
    return faults.of_status(status, body, headers or {})


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {}, Fatal),
        (401, {}, BadKey),
        (402, {}, Fatal),
        (403, {}, BadKey),
        (404, {}, Fatal),
        (413, {}, TooLong),
        (422, {}, Fatal),
        (408, {}, Transient),
        (409, {}, Transient),
        (429, {}, Busy),
        (429, {"message": "You exceeded your current quota per minute"}, Busy),
        (429, {"code": "insufficient_quota"}, Fatal),
        (429, {"type": "insufficient_quota"}, Fatal),
        (429, {"type": "exceeded_current_quota_error", "message": "Your account is suspended"}, Fatal),
        (429, {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."}, Fatal),
        (429, {"message": "Insufficient balance? Please try again in 20s"}, Busy),
        (400, {"message": "Your credit balance is too low to access the API."}, Fatal),
        (400, {"message": "API key not valid. Please pass a valid API key."}, BadKey),
        (400, {"message": "Incorrect API key provided: x***."}, BadKey),
        (400, {"message": "Model unloaded by user or system"}, Transient),
        (400, {"message": "max_tokens is too large: 200000. This model supports at most 16384 tokens"}, Fatal),
        (400, {"message": "schema is too long"}, Fatal),
        (400, {"code": "DataInspectionFailed", "message": "Output data may contain inappropriate content."}, Filtered),
        (400, {"code": "invalid_prompt", "message": "your prompt was flagged as violating our usage policy"}, Filtered),
        (403, {"message": "x requires moderation. Your input was flagged", "code": 403}, Filtered),
        (498, {"code": "capacity_exceeded"}, Transient),
        (500, {"message": "model requires more system memory (5.6 GiB) than is available (3.2 GiB)"}, Fatal),
        (503, {"message": "server busy, please try again.  maximum pending requests exceeded"}, Busy),
        (503, {"message": "The model is overloaded. Please try again later."}, Busy),
        (529, {"type": "overloaded_error", "message": "Overloaded"}, Busy),
        (500, {}, Transient),
        (502, {}, Transient),
        (503, {}, Transient),
        (529, {}, Transient),
    ],
)
def test_only_faults_that_may_pass_are_transient(status: int, error: dict[str, object], kind: type[Exception]) -> None:
    assert type(fault_of(status, **error)) is kind


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ({"param": "temperature", "message": "Unsupported value"}, "`temperature`"),
        ({"code": "context_length_exceeded", "message": "maximum context length is 8192"}, "context window"),
        ({"message": "prompt is too long: 300000 tokens"}, "context window"),
        ({"message": "whatever"}, "`model_params`"),
    ],
)
def test_rejected_request_says_what_to_change(error: dict[str, object], hint: str) -> None:
    fault = fault_of(400, **error)
    assert isinstance(fault, Fatal)
    assert hint in fault.hint


def test_words_of_the_endpoint_are_one_short_line_without_keys() -> None:
    fault = fault_of(401, message=f"bad\n\x1b[31mkey\x1b[0m {SECRET} or sk-proj-abcdefgh1234 {'x' * 1000}")
    text = str(fault)
    assert SECRET not in text
    assert "sk-proj" not in text
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 400


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_its_forms_and_nonsense_is_ignored(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date_counts_from_now() -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    seconds = retry_after({"retry-after": when})
    assert seconds is not None
    assert 3500 < seconds <= 3600


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": {"message": "a"}}', "a"),
        ('[{"error": {"message": "a"}}]', "a"),
        ('{"error": "a"}', "a"),
        ('{"message": "a"}', "a"),
        ("<html>", None),
        ("", None),
        ("3", None),
        ("[]", None),
        ('{"error": [1]}', None),
    ],
)
def test_error_object_is_found_in_the_forms_that_endpoints_use(body: str, message: str | None) -> None:
    assert error_of(body).get("message") == message
