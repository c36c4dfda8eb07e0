"""How long an endpoint asks to wait: in headers, in fields of an error, or in its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

from agentsys.llm.errorbody import MAX_DEPTH, rows_of, words_of

_WORD = r"ms|milliseconds?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?"
_SPAN = re.compile(rf"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>{_WORD}|秒钟?|分钟?|小时)?(?![a-z])")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "秒": 1.0, "分": 60.0, "小": 3600.0}
_UNIT = rf"(?:{_WORD})(?![a-z])"
_ASKED_WAIT = re.compile(
    r"(?i)\b(?:try(?:ing)?|retry(?:ing)?|wait(?:ing)?|available|resets?|back(?:ing)? ?off|cool ?down|delay"
    r"|retry[_-]?after|retry_?delay|slow down)\b(?:(?!\bper\b)[^.;\n\d]){0,40}?\s*"
    rf"((?:\d+(?:\.\d+)?\s*{_UNIT}(?:\s|,|\band\b)*)+)|(\d+\s*(?:秒钟?|分钟?|小时))(?:后|再|之后)"
)
_BARE_WAIT = re.compile(r"(?i)\bretry[_ -]?after(?:[_ -]?(ms|milliseconds|s|secs?|seconds))?\W{1,4}(\d+(?:\.\d+)?)\b")
_ONE = re.compile(r"(?i)\b(?:an?|one) (?=(?:second|minute|hour)\b)")
_WAIT_FIELD = re.compile(
    r"(?:(?:retry|reset)(?:after|delay|in|time)|(?:wait|cooldown|backoff)(?:time|for|in)?)"
    r"(?P<unit>ms|millis|milliseconds|s|secs?|seconds)?|estimatedtime"
)
"""Names of fields without their borders; a unit may stand in the name."""
_EPOCH = 1e9
"""From here on a number is a time since 1970, not a number of seconds to wait."""


def asked_wait(headers: Mapping[str, str], error: Mapping[str, object]) -> float | None:
    """Return the seconds that an endpoint asks to wait: in a header, in the error's fields or in its words."""
    nested = cast("dict[str, object]", error["metadata"]) if isinstance(error.get("metadata"), dict) else {}
    inner = nested.get("headers")
    more = (
        {str(k).lower(): str(v) for k, v in cast("dict[object, object]", inner).items()}
        if isinstance(inner, dict)
        else {}
    )
    asked = (retry_after(headers), _of_fields(error), _of_words(words_of(error)))
    return next((wait for wait in (*asked, reset_after(headers), reset_after(more)) if wait is not None), None)


def _of_fields(error: Mapping[str, object], depth: int = 0) -> float | None:
    """Return the wait in a field of any of the usual names, at any depth."""
    for name, value in error.items():
        wait = _of_field(name, value)
        if wait is not None:
            return wait
    inner = [cast("dict[str, object]", value) for value in error.values() if isinstance(value, dict)]
    rows = [row for value in error.values() for row in rows_of(value)]
    for part in (*inner, *rows) if depth < MAX_DEPTH else ():
        wait = _of_fields(part, depth + 1)
        if wait is not None:
            return wait
    return None


def _of_field(name: str, value: object) -> float | None:
    match = _WAIT_FIELD.fullmatch(re.sub(r"[_-]", "", name).lower())
    if match is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    seconds = _until(str(value))
    return seconds if seconds is None or not (match["unit"] or "").startswith("m") else seconds / 1000


def _of_words(words: str) -> float | None:
    words = _ONE.sub("1 ", words)
    match, bare = _ASKED_WAIT.search(words), _BARE_WAIT.search(words)
    if match:
        return seconds_of(re.sub(r",|\band\b", " ", match[1] or match[2]))
    return float(bare[2]) / (1000 if (bare[1] or "").startswith("m") else 1) if bare else None


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
        if low == "ratelimit" and (left := re.search(r"\bt=(\d+)", headers[name])):
            waits.append(("r=0" in headers[name], float(left[1])))
        if "ratelimit" not in low.replace("-", "") or "reset" not in low:
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
    milliseconds = number_of(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = number_of(value)
    if seconds is not None:
        return seconds
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def number_of(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
