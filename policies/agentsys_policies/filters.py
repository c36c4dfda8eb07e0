"""Programs of `sed` and `awk`: what may stand in them where they only read, print and change text."""

from __future__ import annotations

import re

from agentsys_policies.paths import path_rule

_ADDRESS = re.compile(
    r"\s*(?:\d+(?:~\d+)?|\$|/(?:\\.|[^/\\])*/I?)?(?:\s*,\s*(?:[+~]?\d+|\$|/(?:\\.|[^/\\])*/I?))?\s*!?\s*"
)
_PLAIN = re.compile(r"[pdDgGhHxnNPlz=]|[qQ]\d*|[bt]\s*\w*|:\s*\w+|[aic]\\?[^\n]*|#[^\n]*")
_FLAGS = re.compile(r"[gpIiMm0-9]*")


def sed_fault(script: str) -> str:
    """Return the part of a `sed` program that is not known to be harmless, such as `e` or `w`, or an empty string."""
    at = 0
    while at < len(script):
        if script[at] in " \t\n;{}":
            at += 1
            continue
        match = _ADDRESS.match(script, at)
        at = match.end() if match else at
        if at >= len(script) or script[at] == "{":
            continue
        end = _substitution(script, at) if script[at] in "sy" else _end(_PLAIN, script, at)
        if end < 0 or (end < len(script) and script[end] not in " \t\n;}"):
            return script[at:]
        at = end
    return ""


def _end(pattern: re.Pattern[str], script: str, at: int) -> int:
    match = pattern.match(script, at)
    return match.end() if match else -1


def _substitution(script: str, at: int) -> int:
    """The end of `s/old/new/flags` whatever the mark between them is, or -1."""
    if at + 1 >= len(script):
        return -1
    mark, seen, place = script[at + 1], 0, at + 2
    while place < len(script) and seen < 2:
        if script[place] == "\\":
            place += 1
        elif script[place] == mark:
            seen += 1
        place += 1
    return _end(_FLAGS, script, place) if seen == 2 else -1


def awk_fault(script: str) -> str:
    """Return the part of an `awk` program that starts a program or writes elsewhere; empty if there is none."""
    targets = re.findall(r">\s*\"([^\"]*)\"", script)
    outside = next((item for item in targets if path_rule(item)), "")
    if outside:
        return outside
    bare = re.sub(r"\"(?:\\.|[^\"\\])*\"", '""', script)
    bare = re.sub(r"(?<=[~({,;!&|\s])/(?:\\.|[^/\\\n])+/|^/(?:\\.|[^/\\\n])+/", "//", bare)
    match = re.search(r"\b(?:system|getline)\b|@\w+|(?<!\|)\|(?!\|)|\bprintf?\b[^;}\n]*>\s*[A-Za-z$(]", bare)
    return match.group(0) if match else ""
