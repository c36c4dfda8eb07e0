"""What can go wrong between us and a provider, told apart by what to do about it: wait, try again, or give up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from agentsys.llm import errorbody, limitwords, waits
from agentsys.llm.redact import Redactor

_TRANSIENT = {408, 409, 424, 425, 429, 460, 498, 499}
_TOO_LONG = {400, 404, 413, 422, 500}
"""Statuses that servers give to a prompt that does not fit into the window."""
_QUOTA = {
    "insufficient_quota",
    "insufficient_user_quota",
    "exceeded_current_quota_error",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_balance",
    "budget_exceeded",
    "Arrearage",
}
_UNPAID = re.compile(
    r"(?i)insufficient (?:account )?(?:balance|credits?|funds)|\bbalance (?:is )?(?:insufficient|too low|not enough)"
    r"|please (?:recharge|top[ -]?up)|(?:used|exhausted|out of)(?: up)?(?: all)?(?: \w+){0,2} credits|spending limit"
    r"|purchase (?:more )?credits|no (?:remaining )?credits|free allocation|余额不足|欠费"
)
_FILTER = re.compile(
    r"(?i)content_?filter|content_policy|content management policy|responsible_?ai|data_?inspection_?failed"
    r"|prohibited_content|(?:sensitive|inappropriate|unsafe|harmful) content|requires moderation|\bflagged\b"
    r"|usage (?:polic(?:y|ies)|guidelines)|content filtering|\bguardrails?\b|safety_check|high risk|敏感|不安全"
)
_KEY = re.compile(
    r"(?i)\b(?:invalid|incorrect|wrong|expired) api[ _-]?key|\bapi[ _-]?key (?:is )?(?:not valid|invalid|expired)"
)
"""Some endpoints refuse a key with 400."""
_UNLOADED = re.compile(r"(?i)\bmodel (?:was )?unloaded\b|\bmodel has crashed\b")
"""Servers that load a model for the next request say so with 400."""
_FULL = re.compile(
    r"(?i)\bbusy\b|\boverloaded\b|pending requests|\bcapacity\b|no slots?\b|high demand|slow down"
    r"|try again (?:later|in\b)"
)
_LOADING = re.compile(
    r"(?i)(?<!error )(?<!failed )\bloading\b|\bloaded\b.{0,20}\byet\b|warming up|cold start|\bstarting\b"
    r"|initiali[sz]ing|not (?:yet )?ready|still (?:building|deploying)|scaled? (?:up|to zero)|spinning up|waking up"
)
_LOADS = re.compile(
    r"(?i)\bserver loading model\b|\bmodel\b.{0,60}\b(?:is|still|currently) (?:being )?load(?:ing|ed)\b"
)
"""The same from servers that call it a fault of their own; "error loading model" is one."""
_INVALID = re.compile(r"\b\d+ validation errors?\b|requires more system memory")
"""How some servers refuse a request although they call it a fault of their own."""
_PARAMETER = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_OURS = {"None", "prompt", "messages", "model", "input", "body"}
"""What an error may name as its parameter although no user ever set it."""


_LARGER = "a single request is larger than the account's limit{}, so no waiting helps"
_RAISE = "raise it at the provider, or take another model"


class ProviderFault(Exception):
    """Base.

    Args:
        message: plain words, without secrets.
        status: HTTP status where there is one.
        retry_after: seconds that the provider asks to wait.
        hint: what the user can do about it.
        passes: whether the same may be asked again later, as it is.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        hint: str = "",
        passes: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.hint = hint
        self.passes = passes


class Transient(ProviderFault):
    """Try again: 408, 409, 5xx, connection, time-out, a stream that broke."""


class Busy(Transient):
    """Waiting helps: a limit by the minute, or a model that is being loaded.

    `limit` is its name, `tokens` how many a prompt may have at most; empty and 0 where they are not said.
    """

    limit: str = ""
    tokens: int = 0

    def beyond(self) -> Fatal:
        """Return the fault of a prompt that is larger than the limit."""
        named = f" ({self.limit})" if self.limit else ""
        return Fatal(self.message, status=self.status, hint=f"{_LARGER.format(named)}; {_RAISE}")


class WrongPage(Transient):
    """A web page, or something else that is not the protocol, where JSON was expected: a second one is final."""


class Fatal(ProviderFault):
    """Trying again is useless: 400, 401, 403, 404, quota used up, an HTML page where JSON was expected twice."""


class BadKey(Fatal):
    """The key is refused, or may not use the model."""


class Filtered(Fatal):
    """A content filter refused the request: the same as a refusal in an answer."""


class TooLong(Fatal):
    """The prompt does not fit into the model's window. `window` and `sent` are in tokens, 0 where they are not said."""

    window: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Faults:
    """Makes the faults of one provider.

    Args:
        key_name: environment variable that holds the key, for hints.
        address_names: where the endpoint's address is set, for hints.
        ending: how that address usually ends, for hints; may be empty.
        redactor: removes the key from the endpoint's own words, which may quote it.
        address: the endpoint's address; user, password and fields in it are not shown.
    """

    key_name: str
    address_names: str
    ending: str
    redactor: Redactor
    address: str = ""

    def of_status(self, status: int, body: str, headers: Mapping[str, str]) -> ProviderFault:
        """Return the fault that an HTTP error means.

        Args:
            status: HTTP status, or the code that an error object inside a 200 answer names.
            body: response body as it came.
            headers: response headers; names in lower case, or a mapping that ignores case.
        """
        error = errorbody.error_of(body)
        said = errorbody.words_of(error)
        if not said:
            said = errorbody.shown(body)
            error = error | {"message": said}
        words, code = self.redactor.message(said), self.redactor.message(errorbody.code_of(error), 60)
        text = f"the endpoint answered {status}{f' (`{code}`)' if code else ''}{f': {words}' if words else ''}"
        kinds = {str(error.get("code")), str(error.get("type"))}
        wait = waits.asked_wait(headers, error)
        if kinds & _QUOTA or status == 402 or (wait is None and _UNPAID.search(said)):
            message = f"the quota of the account is used up ({text})"
            return Fatal(message, status=status, hint="add credit at the provider", passes=True)
        if (
            status == 429
            or (status == 413 and limitwords.limit_of(error))
            or (status < 500 and errorbody.is_limit(error))
        ):
            return self._limited(text, status, headers, error, wait)
        if status < 500 and _FILTER.search(f"{kinds} {error.get('innererror')} {said}"):
            return Filtered(text, status=status, hint="the provider's content filter refuses this prompt; take another")
        if status == 413 or (status in _TOO_LONG and limitwords.is_too_long(error)):
            return _too_long(text, status, error)
        if (status in (503, 529) and (_LOADING.search(said) or _FULL.search(said))) or _LOADS.search(said):
            hint = "the server is still loading the model" if _LOADING.search(said) else "the provider is overloaded"
            return Busy(text, status=status, retry_after=wait, hint=hint, passes=True)
        if status in _TRANSIENT or _UNLOADED.search(said) or (status >= 500 and not _INVALID.search(said)):
            hint = "the provider is overloaded or down"
            return Transient(text, status=status, retry_after=wait, hint=hint, passes=True)
        if status in (401, 403) or _KEY.search(said):
            hint = f"check {self.key_name or 'the key'}, and that the key may use this model"
            return BadKey(text, status=status, hint=hint)
        return Fatal(text, status=status, hint=self._hint(status, error))

    def of_error(self, body: str) -> ProviderFault:
        """Return the fault of an error that came with status 200."""
        return self.of_status(errorbody.status_of(errorbody.error_of(body)), body, {})

    def _limited(
        self, text: str, status: int, headers: Mapping[str, str], error: Mapping[str, object], wait: float | None
    ) -> ProviderFault:
        limit = self.redactor.message(limitwords.limit_of(error), 100)
        named = f" ({limit})" if limit else ""
        if limitwords.never_fits(error):
            return Fatal(text, status=status, hint=f"{_LARGER.format(named)}; {_RAISE}")
        if limitwords.is_daily(error, wait):
            hint = f"the limit of a day is used up{named}; raise it at the provider, or wait until it is free again"
            return Fatal(text, status=status, hint=hint, passes=True)
        fault = Busy(text, status=status, retry_after=wait, passes=True)
        fault.limit, fault.tokens = limit, limitwords.token_limit(headers, error)
        return fault

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
            f"the connection to {self._endpoint()} failed: {self.redactor.message(str(error.__cause__ or error))}",
            hint=f"check the network and the endpoint ({self.address_names})",
        )

    def _endpoint(self) -> str:
        parts = urlsplit(self.address)
        host = parts.netloc.rpartition("@")[2]
        return f"`{self.redactor.message(f'{parts.scheme}://{host}{parts.path}')}`" if host else "the endpoint"

    def _hint(self, status: int, error: Mapping[str, object]) -> str:
        if status == 404:
            return f"check `--model` and the endpoint ({self.address_names})"
        parameter = str(error.get("param") or "")
        if _PARAMETER.fullmatch(parameter) and parameter.split(".")[0] not in _OURS:
            return f"the endpoint rejects the parameter `{parameter}`; change or drop it in `model_params`"
        return "the endpoint rejects the request; check `--model` and `model_params`"


def _too_long(text: str, status: int, error: Mapping[str, object]) -> TooLong:
    window = "the prompt does not fit into the model's context window"
    size = "the request is larger than the endpoint takes, or a gateway before it"
    fault = TooLong(text, status=status, hint=window if limitwords.is_too_long(error) else size)
    fault.window, fault.sent = limitwords.window_of(error)
    return fault
