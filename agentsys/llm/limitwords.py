"""The limit that an error says was met: by the minute, of a day, or the model's window."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentsys.llm.errorbody import rows_of, words_of
from agentsys.llm.waits import number_of

_PER = re.compile(
    r"(?i)\b(?:requests?|tokens?|input tokens|output tokens)[- ]per[- ](?:min(?:ute)?|hour|day|second)\b(?: \(\w+\))?"
    r"(?:[:,]? limit:? [\d,]+)?|\b[TR]P[MDH]\b"
)
_SPENT = re.compile(
    r"(?i)(?<![\w-])\d[\d,.]* (?:[\w-]+ ){0,3}(?:per|/|a) ?(?:\d+ ?s\w*|second|minute|min|hour|day|month)\b"
    r"|\bmax(?:imum)? (?:concurrency|concurrent requests|RPM|TPM)\b:? ?\d*"
)
_LONG_SPAN = re.compile(
    r"(?i)\bper[ -]?(?:day|month)\b|/ ?(?:day|month)\b|\b(?:daily|monthly)\b|perday|\b[TR]P[DW]\b|for today"
)
"""A limit that no run can wait for."""
_REQUESTED = re.compile(r"(?i)\blimit:? ([\d,]+)\b.{0,40}?\brequested:? ([\d,]+)\b")
_NOTHING = re.compile(r"(?i)\blimit: 0\b")
_CONTEXT = re.compile(
    r"(?i)context[ _-]?(?:length|size|window|limit)|maximum (?:model|prompt|context|input|supported sequence) length"
    r"|max_model_len|max_seq_len|\bn_ctx\b|\bn_keep\b|range of input length|reduce the length"
    r"|(?:prompt|input|messages?|request(?: body)?) (?:(?:is|are) )?too (?:long|large)"
    r"|longer than the (?:maximum )?model|too many (?:input |prompt )?tokens|context the overflows"
    r"|exceeds? the maximum number of (?:input )?tokens|must have less than \d+ tokens"
    r"|max_new_tokens.{0,3} must be|input length exceeds|context shift is disabled|expected maxLength: \d+"
    r"|(?:input|prompt)(?: length)? \(\d+\) is too long|\bmax_(?:input_len|num_tokens)\b|session_len"
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
    for row in rows_of(error.get("details")):
        for violation in rows_of(row.get("violations")):
            if violation.get("quotaId"):
                value = violation.get("quotaValue")
                return f"{violation['quotaId']}{f', {value}' if value else ''}"
    words = words_of(error)
    match = _SPENT.search(words) or _PER.search(words)
    return match[0].strip() if match else ""


def token_limit(headers: Mapping[str, str], error: Mapping[str, object]) -> int:
    """Return the prompt tokens that a limit allows at once, by its header or name; 0 where nothing says it."""
    for name in _TOKEN_LIMITS:
        if (number := number_of(headers.get(name, ""))) is not None:
            return int(number)
    limit = limit_of(error)
    found = _NUMBER.findall(limit) if re.search(r"(?i)token|\bTPM\b", limit) else []
    return _count(found[-1]) if found else 0


_TOKEN_LIMITS = (
    "x-ratelimit-limit-tokens",
    "x-ratelimit-limit-tokens-minute",
    "anthropic-ratelimit-input-tokens-limit",
    "anthropic-ratelimit-tokens-limit",
)


def never_fits(error: Mapping[str, object]) -> bool:
    """Return whether a limit is smaller than the one request that met it, so that no wait helps."""
    words = words_of(error)
    match = _REQUESTED.search(words)
    if match is not None:
        return _count(match[2]) > _count(match[1])
    return bool(_NOTHING.search(words))


def is_daily(error: Mapping[str, object], wait: float | None) -> bool:
    """Return whether a limit of a whole day or month is used up, and no wait is told that would free it.

    Gemini tells one with the limits of a day too, after which it is not free.
    """
    return "perday" in limit_of(error).lower() or (wait is None and bool(_LONG_SPAN.search(words_of(error))))


def is_too_long(error: Mapping[str, object]) -> bool:
    """Return whether the prompt is larger than the model's window."""
    kind = f"{error.get('code')} {error.get('type')}"
    words = words_of(error)
    if "context" in kind.lower() or "prompt_too_long" in kind or _CONTEXT.search(words):
        return True
    return bool(_BEYOND.search(words)) and not _OTHER_LIMIT.search(words)


def window_of(error: Mapping[str, object]) -> tuple[int, int]:
    """Return the tokens of the model's window and those that were sent; 0 for what the error does not say.

    Of two numbers the smaller is the window; more are told by the words before them.
    """
    words = words_of(error)
    window, long = error.get("n_ctx"), error.get("n_prompt_tokens")
    found, sent = _WINDOW.search(words), _LONG.search(words)
    numbers = sorted({count for text in _NUMBER.findall(words) if (count := _count(text)) >= _SMALLEST})
    added = _ADDED.search(words)
    if added:
        least, most = int(added[3]), int(added[1]) + int(added[2])
    elif len(numbers) == 2:
        least, most = numbers
    else:
        least, most = _count(found[1]) if found else 0, _count(sent[1]) if sent else 0
        if len(numbers) == 1 and not sent:
            least = numbers[0]
    return window if isinstance(window, int) else least, long if isinstance(long, int) else most


_SMALLEST = 1000
"""No window is smaller: such a number is a status, or a code."""
_ADDED = re.compile(r"\b(\d{1,12}) \+ (\d{1,12}) > (\d{1,12})\b")
_NUMBER = re.compile(r"(?<![\w.-])\d[\d,]{2,}(?!\w|\.\d*[1-9])")


def _count(text: str) -> int:
    digits = text.replace(",", "")
    return int(digits[:12]) if digits else 0
