"""What endpoints write into error bodies and headers: words, codes, waits, limits and windows, each in many forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

_WORDS = ("message", "detail", "msg", "error_msg", "error_message", "status_msg", "error_description", "reason")
_INNER = ("error", "base_resp", "errors", "detail", "message")
_MAX_DEPTH = 4

_SPAN = re.compile(
    r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|milliseconds?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)?(?![a-z])"
)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_ASKED_WAIT = re.compile(
    r"(?i)(?:try(?:ing)?(?: it)? again|retry(?:ing)?(?: again)?|wait(?: for)?|available|reset(?:s)?)"
    r"(?: your request)?(?: in| after| for| at least|:)*\s+(?:about |another )?"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![a-z])\s*)+)"
)
_EPOCH = 1e9
"""From here on a number is a time since 1970, not a number of seconds to wait."""


def error_of(body: str) -> dict[str, object]:
    """Return the error object of a body, whatever it is wrapped in; words alone are its `message`."""
    try:
        return _unwrapped(json.loads(body), 0)
    except (ValueError, RecursionError):
        return {}


def _unwrapped(data: object, depth: int) -> dict[str, object]:
    if isinstance(data, str) and data.strip():
        return {"message": data}
    if isinstance(data, list) and data and depth < _MAX_DEPTH:
        return _unwrapped(cast("list[object]", data)[0], depth + 1)
    if not isinstance(data, dict):
        return {}
    fields = cast("dict[str, object]", data)
    if depth < _MAX_DEPTH:
        for name in _INNER:
            inner = _parsed(fields.get(name))
            if isinstance(inner, dict) or (name in ("error", "errors") and inner):
                found = _unwrapped(cast("object", inner), depth + 1)
                return fields | found if found else {}
    return fields


def _parsed(value: object) -> object:
    """Return a value, or the object that it is the text of: gateways hand on an upstream's body as words."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def words_of(error: Mapping[str, object]) -> str:
    """Return what an error object says, that of the upstream provider behind a router too; empty where it is silent."""
    said = next((text for text in (_said(error.get(name)) for name in _WORDS) if text), "")
    metadata = error.get("metadata")
    raw = cast("dict[str, object]", metadata).get("raw") if isinstance(metadata, dict) else None
    if isinstance(raw, str) and raw.strip():
        said = f"{said}: {words_of(error_of(raw)) or raw}"
    return said


def _said(value: object) -> str:
    """Return a field as words; FastAPI gives a list of faults with their places."""
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, list):
        return ""
    rows = [cast("dict[str, object]", row) for row in cast("list[object]", value) if isinstance(row, dict)]
    return "; ".join(f"{_place(row.get('loc'))}{row.get('msg')}" for row in rows if row.get("msg"))


def _place(loc: object) -> str:
    return f"{'.'.join(str(part) for part in cast('list[object]', loc))}: " if isinstance(loc, list) and loc else ""


def code_of(error: Mapping[str, object]) -> str:
    """Return the provider's own code for the error, or its type; numbers repeat the status and are left out."""
    for name in ("code", "type", "status"):
        value = error.get(name)
        if isinstance(value, str) and value.strip() and not value.strip().isdigit():
            return value.strip()
    return ""


def status_of(error: Mapping[str, object]) -> int:
    """Return the HTTP status that an error inside a good reply names; 500 where it names none."""
    for name in ("code", "status", "status_code", "http_code"):
        value = error.get(name)
        number = int(value) if isinstance(value, str) and value.isdigit() else value
        if isinstance(number, int) and 400 <= number <= 599:
            return number
    kind = f"{error.get('code')} {error.get('type')} {error.get('status')}".lower()
    if "rate_limit" in kind or "resource_exhausted" in kind or "too_many" in kind:
        return 429
    if "invalid" in kind or "bad_request" in kind or "context" in kind:
        return 400
    return 500


# -- waits ----------------------------------------------------------------------------------------------------


def asked_wait(headers: Mapping[str, str], error: Mapping[str, object]) -> float | None:
    """Return the seconds that an endpoint asks to wait: in a header, in the error's fields or in its words."""
    nested = cast("dict[str, object]", error["metadata"]) if isinstance(error.get("metadata"), dict) else {}
    inner = nested.get("headers")
    more = (
        {str(k).lower(): str(v) for k, v in cast("dict[object, object]", inner).items()}
        if isinstance(inner, dict)
        else {}
    )
    for found in (retry_after(headers), _of_fields(error), _of_words(words_of(error))):
        if found is not None:
            return found
    return reset_after(headers) if reset_after(headers) is not None else reset_after(more)


def _of_fields(error: Mapping[str, object]) -> float | None:
    for row in _rows(error.get("details")):
        delay = row.get("retryDelay")
        if isinstance(delay, str):
            return seconds_of(delay)
    for name in ("retry_after", "retryAfter", "retry_after_seconds", "estimated_time"):
        value = error.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return float(value)
    return None


def _rows(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, list):
        yield from (cast("dict[str, object]", row) for row in cast("list[object]", value) if isinstance(row, dict))


def _of_words(words: str) -> float | None:
    match = _ASKED_WAIT.search(words)
    return seconds_of(match[1]) if match else None


def seconds_of(text: str) -> float | None:
    """Return the seconds of `20s`, `1m23.5s`, `250ms`, `2 minutes` or a bare number; None where it is none of these."""
    total, at = 0.0, 0
    text = text.strip().lower()
    while at < len(text):
        match = _SPAN.match(text, at)
        if match is None:
            return None
        unit = match["unit"] or "s"
        total += float(match["number"]) * (0.001 if unit.startswith(("ms", "mil")) else _UNITS[unit[0]])
        at = match.end() + len(text[match.end() :]) - len(text[match.end() :].lstrip())
    return total if text and total < float("inf") else None


def reset_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until a used-up limit of the `ratelimit` headers is free again, or None.

    Where nothing says which of the limits is used up, the first that is freed is taken.
    """
    waits: list[tuple[bool, float]] = []
    for name in headers:
        low = name.lower()
        if "ratelimit" not in low or "reset" not in low:
            continue
        wait = _until(headers[name])
        left = headers.get(low.replace("reset", "remaining"), "")
        if wait is not None:
            waits.append((left.strip() == "0", wait))
    used_up = [wait for used, wait in waits if used]
    return max(used_up) if used_up else min((wait for _, wait in waits), default=None)


def _until(value: str) -> float | None:
    number = seconds_of(value)
    now = datetime.now(UTC)
    if number is None:
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            return None
        return max(0.0, (when.astimezone(UTC) - now).total_seconds())
    if number >= _EPOCH:
        return max(0.0, (number / 1000 if number >= _EPOCH * 1000 else number) - now.timestamp())
    return number


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


# -- limits and windows ------------------------------------------------------------------------------------------

_PER = re.compile(
    r"(?i)\b(?:requests?|tokens?|input tokens|output tokens)[- ]per[- ](?:min(?:ute)?|hour|day|second)\b(?: \(\w+\))?"
    r"(?:[:,]? limit:? [\d,]+)?|\b[TR]P[MDH]\b"
)
_REQUESTED = re.compile(r"(?i)\blimit:? ([\d,]+)\b.{0,40}?\brequested:? ([\d,]+)\b")
_NOTHING = re.compile(r"(?i)\blimit: 0\b")
_CONTEXT = re.compile(
    r"(?i)context[ _-]?(?:length|size|window|limit)|maximum (?:model|prompt|context|input|supported sequence) length"
    r"|max_model_len|max_seq_len|\bn_ctx\b|\bn_keep\b|range of input length|reduce the length"
    r"|(?:prompt|input|messages?|request(?: body)?) (?:(?:is|are) )?too (?:long|large)"
    r"|longer than the (?:maximum )?model|too many (?:input |prompt )?tokens|context the overflows"
    r"|exceeds? the maximum number of (?:input )?tokens|must have less than \d+ tokens"
    r"|max_new_tokens.{0,3} must be|input length exceeds"
)
_BEYOND = re.compile(
    r"(?i)\b(?:prompt|inputs?|messages|request)\b[^.;]{0,50}?"
    r"(?:exceed(?:s|ed)?|greater than|larger than|only supports)[^.;]{0,40}?(?:length|tokens?|limit|size|max|\d{4})"
)
"""The same in the words of endpoints that name no window: what was sent, and that it is beyond some limit."""
_OTHER_LIMIT = re.compile(
    r"(?i)max_(?:completion_)?tokens|completion|output|quota|\brates?\b|\bper (?:minute|hour|day)\b"
)
_WINDOW = re.compile(
    r"(?i)(?:(?:context|model|prompt|input) (?:length|size|window|limit)(?: \(| of only | of | is |: )"
    r"|less than |must be <= |limit is |allowed \(|> |exceeds the limit of |with |token limit: |max size: |n_ctx \("
    r"|max_seq_len |maximum of )([\d,]{3,})"
)
_LONG = re.compile(
    r"(?i)(?:requested |resulted in |request has |request contains |contains |given: |the first |\(length |count \("
    r"|request \(|input \(|prompt \(|too long: |current length is |has |requested: |n_keep \(|token count of "
    r"|prompt length )([\d,]{3,})"
)


def limit_of(error: Mapping[str, object]) -> str:
    """Return the name of the limit that was met, as the provider writes it, or nothing."""
    for row in _rows(error.get("details")):
        for violation in _rows(row.get("violations")):
            if violation.get("quotaId"):
                value = violation.get("quotaValue")
                return f"{violation['quotaId']}{f', {value}' if value else ''}"
    match = _PER.search(words_of(error))
    return match[0] if match else ""


def never_fits(error: Mapping[str, object]) -> bool:
    """Return whether a limit is smaller than the one request that met it, so that no wait helps."""
    words = words_of(error)
    match = _REQUESTED.search(words)
    if match is not None:
        return _count(match[2]) > _count(match[1])
    return bool(_NOTHING.search(words))


def is_daily(error: Mapping[str, object]) -> bool:
    """Return whether a limit of a whole day is used up whose wait the provider does not know."""
    return "perday" in limit_of(error).lower()


def is_too_long(error: Mapping[str, object]) -> bool:
    """Return whether the prompt is larger than the model's window."""
    kind = f"{error.get('code')} {error.get('type')}"
    words = words_of(error)
    if "context" in kind.lower() or "prompt_too_long" in kind or _CONTEXT.search(words):
        return True
    return bool(_BEYOND.search(words)) and not _OTHER_LIMIT.search(words)


def window_of(error: Mapping[str, object]) -> tuple[int, int]:
    """Return the tokens of the model's window and those that were sent; 0 for what the error does not say."""
    words = words_of(error)
    window, long = error.get("n_ctx"), error.get("n_prompt_tokens")
    found, sent = _WINDOW.search(words), _LONG.search(words)
    return (
        window if isinstance(window, int) else _count(found[1]) if found else 0,
        long if isinstance(long, int) else _count(sent[1]) if sent else 0,
    )


def _count(text: str) -> int:
    digits = text.replace(",", "")
    return int(digits[:12]) if digits else 0
