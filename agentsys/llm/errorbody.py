"""What endpoints write into error bodies: words, codes and statuses, each in many forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import cast

_WORDS = ("message", "detail", "msg", "error_msg", "error_message", "status_msg", "error_description", "reason")
_MORE_WORDS = ("faultstring", "title", "description", "error", "errors", "text", "statustext")
_INNER = ("error", "base_resp", "errors", "detail", "message", "fault", "response", "data")
_SAYS_NOTHING = re.compile(r"(?i)(?:about:blank|none|null|false|true|error|[\w-]+ error|bad request|https?://\S+)")
_SHOWN = 300
"""Characters of a body that says nothing under a usual name."""
MAX_DEPTH = 4


def error_of(body: str) -> dict[str, object]:
    """Return the error object of a body, whatever it is wrapped in; words alone are its `message`."""
    try:
        return _unwrapped(json.loads(body), 0)
    except (ValueError, RecursionError):
        return {}


def _unwrapped(data: object, depth: int) -> dict[str, object]:
    if isinstance(data, str) and data.strip():
        return {"message": data}
    if isinstance(data, list) and data and depth < MAX_DEPTH:
        return _unwrapped(cast("list[object]", data)[0], depth + 1)
    if not isinstance(data, dict):
        return {}
    fields = cast("dict[str, object]", data)
    if depth < MAX_DEPTH:
        for name in _INNER:
            inner = _parsed(fields.get(name))
            if isinstance(inner, dict) or (name in ("error", "errors") and isinstance(inner, str | list) and inner):
                found = _unwrapped(cast("object", inner), depth + 1)
                return _with_outer(fields, found) if found else {}
    return fields


def _with_outer(fields: dict[str, object], found: dict[str, object]) -> dict[str, object]:
    """Return an inner error beside the fields around it; where that is a bare name, the words around it stay."""
    inner, outer = found.get("message"), words_of({name: fields[name] for name in _WORDS if name in fields})
    if isinstance(fields.get("error"), str) and isinstance(inner, str) and outer and inner not in outer:
        found = found | {"message": f"{inner}: {outer}"}
    return fields | found


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
    low = {name.lower(): value for name, value in error.items()}
    said = next((text for text in (_said(low.get(name)) for name in _WORDS) if text), "")
    said = said or next((text for text in (_said_by_field(low.get(name)) for name in _MORE_WORDS) if text), "")
    metadata = error.get("metadata")
    raw = cast("dict[str, object]", metadata).get("raw") if isinstance(metadata, dict) else None
    if isinstance(raw, str) and raw.strip():
        said = f"{said}: {words_of(error_of(raw)) or raw}"
    return said


def shown(body: str) -> str:
    """Return what a body says that has no words of its own: a web page's title, or the beginning of anything else."""
    page = re.search(r"(?is)<title[^>]*>(.{1,200}?)</title>", body)
    text = page[1] if page else "" if body.lstrip().startswith("<") else body
    return " ".join(text.split())[:_SHOWN]


def _said(value: object) -> str:
    """Return a field as words; FastAPI gives a list of faults with their places."""
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, list):
        return ""
    return "; ".join(text for text in map(_row, cast("list[object]", value)) if text)


def _said_by_field(value: object) -> str:
    """Return a field as words; some give a list of faults for each field that is wrong."""
    if not isinstance(value, dict):
        return _said(value)
    rows = ((name, _said(each)) for name, each in cast("dict[str, object]", value).items())
    return "; ".join(f"{name}: {text}" for name, text in rows if text)


def _row(row: object) -> str:
    if not isinstance(row, dict):
        return row.strip() if isinstance(row, str) else ""
    fields = cast("dict[str, object]", row)
    words = fields.get("msg") or fields.get("message")
    return f"{_place(fields.get('loc'))}{words}" if words else ""


def _place(loc: object) -> str:
    return f"{'.'.join(str(part) for part in cast('list[object]', loc))}: " if isinstance(loc, list) and loc else ""


def code_of(error: Mapping[str, object]) -> str:
    """Return the provider's own code for the error, or its type; numbers repeat the status and are left out."""
    for name in ("code", "error_code", "errorcode", "type", "__type", "status"):
        value = error.get(name)
        text = value.strip() if isinstance(value, str) else ""
        if text and not text.isdigit() and not _SAYS_NOTHING.fullmatch(text):
            return text
    return ""


def status_of(error: Mapping[str, object]) -> int:
    """Return the HTTP status that an error inside a good reply names; 500 where it names none."""
    for name in ("code", "status", "status_code", "http_code"):
        value = error.get(name)
        number = int(value) if isinstance(value, str) and value.isdigit() else value
        if isinstance(number, int) and 400 <= number <= 599:
            return number
    kind = f"{error.get('code')} {error.get('type')} {error.get('status')}".lower()
    if is_limit(error):
        return 429
    if "invalid" in kind or "bad_request" in kind or "context" in kind:
        return 400
    return 500


def is_limit(error: Mapping[str, object]) -> bool:
    """Return whether an error is a limit by the minute by its names or words, whatever its status."""
    kind = f"{error.get('code')} {error.get('type')} {error.get('status')} {error.get('__type')}"
    return bool(_LIMIT_KIND.search(kind) or _LIMIT_WORDS.search(words_of(error)))


_LIMIT_KIND = re.compile(r"(?i)rate[_ ]?limit|resource_exhausted|too_?many_?(?:requests|tokens)|throttl|limit_requests")
_LIMIT_WORDS = re.compile(r"(?i)\brate[ _-]?limit|\brate exceeded\b|too many requests|\bthrottl(?:ed|ing)\b")


def rows_of(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, list):
        yield from (cast("dict[str, object]", row) for row in cast("list[object]", value) if isinstance(row, dict))
