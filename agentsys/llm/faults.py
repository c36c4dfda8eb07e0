"""What can go wrong between us and a provider, told apart by what to do about it: worth another try, or final."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

from agentsys.llm.redact import Redactor

_TRANSIENT = {408, 409, 425, 429}
_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"}


class ProviderFault(Exception):
    """Base.

    Args:
        message: plain words, without secrets.
        status: HTTP status where there is one.
        retry_after: seconds that the provider asks to wait.
        hint: what the user can do about it.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.hint = hint


class Transient(ProviderFault):
    """Try again: 408, 409, 429 without quota words, 5xx, connection, time-out, a stream that broke."""


class WrongPage(Transient):
    """A web page, or something else that is not the protocol, where JSON was expected: a second one is final."""


class Fatal(ProviderFault):
    """Trying again is useless: 400, 401, 403, 404, quota used up, an HTML page where JSON was expected twice."""


@dataclass(frozen=True)
class Faults:
    """Makes the faults of one provider.

    Args:
        key_name: environment variable that holds the key, for hints.
        address_names: where the endpoint's address is set, for hints.
        ending: how that address usually ends, for hints; may be empty.
        redactor: removes the key from the endpoint's own words, which may quote it.
    """

    key_name: str
    address_names: str
    ending: str
    redactor: Redactor

    def of_status(self, status: int, body: str, headers: Mapping[str, str]) -> ProviderFault:
        """Return the fault that an HTTP error means.

        Args:
            status: HTTP status, or the code that an error object inside a 200 answer names.
            body: response body as it came.
            headers: response headers; names in lower case, or a mapping that ignores case.
        """
        error = error_of(body)
        words = self.redactor.message(str(error.get("message") or "")) if error else ""
        text = f"the endpoint answered {status}" + (f": {words}" if words else "")
        codes = {str(error.get("code")), str(error.get("type"))}
        if codes & _QUOTA or status == 402:
            hint = "add credit at the provider, then go on with `agentsys resume`"
            return Fatal(f"the quota of the account is used up ({text})", status=status, hint=hint)
        if status in _TRANSIENT or status >= 500:
            hint = "the provider is overloaded or down; go on later with `agentsys resume`"
            return Transient(text, status=status, retry_after=retry_after(headers), hint=hint)
        return Fatal(text, status=status, hint=self._hint(status, error))

    def of_page(self, body: str) -> WrongPage:
        """Return the fault of a body that is not the protocol: a web page, or something cut off."""
        usual = f" usually ends with `{self.ending}`" if self.ending else ""
        hint = f"check the endpoint: {self.address_names}{usual}"
        start = body.lstrip()[:200].lower()
        if start.startswith(("<!doctype", "<html", "<head", "<?xml")):
            return WrongPage("the endpoint answered with a web page instead of JSON", hint=hint)
        return WrongPage("the endpoint's answer is not JSON, or was cut off", hint=hint)

    def of_connection(self, error: Exception) -> Transient:
        """Return the fault of a connection that could not be made, or broke."""
        return Transient(
            f"the connection to the endpoint failed: {self.redactor.message(str(error.__cause__ or error))}",
            hint=f"check the network and the endpoint ({self.address_names})",
        )

    def _hint(self, status: int, error: Mapping[str, object]) -> str:
        words = f"{error.get('code')} {error.get('type')} {error.get('message')}".lower()
        if status in (401, 403):
            return f"check {self.key_name or 'the key'}, and that the key may use this model"
        if status == 404:
            return f"check `--model` and the endpoint ({self.address_names})"
        if ("context" in words and ("length" in words or "window" in words)) or "prompt is too long" in words:
            return "the prompt does not fit into the model's context window; take a model with a larger one"
        parameter = str(error.get("param") or "")
        if parameter and parameter not in ("messages", "model"):
            return f"the endpoint rejects the parameter `{parameter}`; change or drop it in `model_params`"
        return "the endpoint rejects the request; check `--model` and `model_params`"


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
