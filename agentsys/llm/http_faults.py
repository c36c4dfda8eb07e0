"""HTTP errors of model endpoints, sorted into those worth another try and those that are final."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

from agentsys.llm.faults import Fatal, ProviderFault, Transient, WrongPage
from agentsys.llm.redact import Redactor

_TRANSIENT = {408, 409, 425, 429}
_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"}


def status_fault(
    status: int, body: str, headers: Mapping[str, str], *, key_name: str, redactor: Redactor
) -> ProviderFault:
    """Return the fault that an HTTP error means.

    Args:
        status: HTTP status, or the code that an error object inside a 200 answer names.
        body: response body as it came.
        headers: response headers; names in lower case, or a mapping that ignores case.
        key_name: environment variable that holds the key, for the hint.
        redactor: removes the key from the endpoint's own words, which may quote it.
    """
    error = error_of(body)
    words = redactor.message(str(error.get("message") or "")) if error else ""
    text = f"the endpoint answered {status}" + (f": {words}" if words else "")
    codes = {str(error.get("code")), str(error.get("type"))}
    if codes & _QUOTA or status == 402:
        hint = "add credit at the provider, then go on with `agentsys resume`"
        return Fatal(f"the quota of the account is used up ({text})", status=status, hint=hint)
    if status in _TRANSIENT or status >= 500:
        hint = "the provider is overloaded or down; go on later with `agentsys resume`"
        return Transient(text, status=status, retry_after=retry_after(headers), hint=hint)
    return Fatal(text, status=status, hint=_hint(status, error, key_name))


def page_fault(body: str) -> WrongPage:
    """Return the fault of a body that is not the protocol: a web page, or something cut off."""
    hint = "check the endpoint: OPENAI_BASE_URL or `base_url` usually ends with `/v1`"
    start = body.lstrip()[:200].lower()
    if start.startswith(("<!doctype", "<html", "<head", "<?xml")):
        return WrongPage("the endpoint answered with a web page instead of JSON", hint=hint)
    return WrongPage("the endpoint's answer is not JSON, or was cut off", hint=hint)


def error_of(body: str) -> dict[str, object]:
    """Return the error object of a body (`{"error": {...}}`), or an empty one."""
    try:
        data: object = json.loads(body)
    except ValueError:
        return {}
    if isinstance(data, list) and data:  # Gemini wraps the object into a list
        data = cast("list[object]", data)[0]
    if not isinstance(data, dict):
        return {}
    fields = cast("dict[str, object]", data)
    error = fields.get("error", fields)
    if isinstance(error, str):
        return {"message": error}
    return cast("dict[str, object]", error) if isinstance(error, dict) else {}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After-Ms` or `Retry-After` (seconds or an HTTP date) ask to wait, or None."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _hint(status: int, error: Mapping[str, object], key_name: str) -> str:
    words = f"{error.get('code')} {error.get('type')} {error.get('message')}".lower()
    if status in (401, 403):
        return f"check {key_name}, and that the key may use this model"
    if status == 404:
        return "check `--model` and the endpoint (OPENAI_BASE_URL or `base_url`)"
    if ("context" in words and ("length" in words or "window" in words)) or "prompt is too long" in words:
        return "the prompt does not fit into the model's context window; take a model with a larger one"
    parameter = str(error.get("param") or "")
    if parameter and parameter not in ("messages", "model"):
        return f"the endpoint rejects the parameter `{parameter}`; change or drop it in `model_params`"
    return "the endpoint rejects the request; check `--model` and `model_params`"
