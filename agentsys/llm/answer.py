"""What a model said, parted into its thinking and its answer: models mark the first in many ways, or only its end."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import NamedTuple

_NAMES = r"(?:\w+:)?(?:think|thinking|thought|thoughts|reasoning|scratchpad|internal_monologue)"
_OPEN = re.compile(
    rf"< ?{_NAMES}(?: [^<>\n]*)?>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|<\|START_THINKING\|>|<\|channel>thought"
    r"|<[|｜]begin[_▁]of[_▁]thinking[|｜]>|(?:<\|start\|>assistant)?<\|channel\|>analysis\s*<\|message\|>"
    r"|\Aanalysis(?=[A-Z].*assistantfinal)",
    re.IGNORECASE | re.DOTALL,
)
_CLOSE = re.compile(
    rf"</ ?{_NAMES} ?>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|END_THINKING\|>|<channel\|>"
    r"|<[|｜]end[_▁]of[_▁]thinking[|｜]>|\[BEGIN FINAL RESPONSE\]|assistantfinal(?:json)?"
    r"|<\|end\|>(?:<\|start\|>assistant)?<\|channel\|>final\s*(?:<\|constrain\|>\w+)?<\|message\|>",
    re.IGNORECASE,
)
_TOKEN = r"(?:<\|\w+\|>|<｜[\w▁]+｜>|</s>|<end_of_turn>|\[/INST\]|\[END FINAL RESPONSE\])"
"""Marks of chat templates that servers should have taken out."""
_TOKENS = re.compile(rf"\A(?:\s*{_TOKEN})+|(?:\s*{_TOKEN})+\s*\Z")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
_BLANK = "\ufeff\u200b \t\r\n"
_MAX_SPANS = 20
_MAX_TAGS = 50


class Said(NamedTuple):
    """`thinking` is what was dropped, tags included."""

    answer: str
    thinking: str = ""


def read(text: str) -> Said:
    """Part a model's text. Text that is one JSON value is an answer as it stands, whatever its strings hold."""
    text = text.lstrip(_BLANK)
    dropped: list[str] = []
    for _ in range(_MAX_SPANS):
        span = None if _is_json(text) else _marked(text) or _ended(text)
        if span is None:
            break
        dropped.append(text[slice(*span)])
        text = (text[: span[0]] + text[span[1] :]).lstrip(_BLANK)
    return Said(_TOKENS.sub("", text), "".join(dropped))


def _marked(text: str) -> tuple[int, int] | None:
    """Return the span of thinking between its two tags; thinking that the text begins with may lack the second."""
    for opening in islice(_OPEN.finditer(text), _MAX_TAGS):
        line = text[text.rfind("\n", 0, opening.start()) + 1 : opening.start()]
        if line.strip() or _fenced(text, opening.start()):
            continue
        ends = list(islice(_CLOSE.finditer(text, opening.end()), _MAX_TAGS))
        end = next((end for end in ends if not _quoted(text, end)), None) or next(iter(ends), None)
        if end is not None:
            return opening.start(), end.end()
        if opening.start() == 0:
            return 0, len(text)
    return None


def _ended(text: str) -> tuple[int, int] | None:
    """Return the span up to a closing tag that nothing opened: everything before it is a draft.

    A file or an object of the answer may hold such a tag too, so a quoted one says nothing, and one inside a fence
    only if it has the line to itself and the answer comes behind it.
    """
    first = _OPEN.search(text)
    for end in islice(_CLOSE.finditer(text, 0, first.start() if first else len(text)), _MAX_TAGS):
        if _quoted(text, end):
            continue
        start = text.rfind("\n", 0, end.start()) + 1
        rest = text[end.end() :].partition("\n")[0].strip()
        before = text[start : end.start()].strip()
        if _fenced(text, end.start()):
            if not before and not rest and _holds_answer(text[end.end() :]):
                return 0, end.end()
        elif not rest or rest.startswith(("{", "```", "~~~")) or not set(before) & {'"', "`"}:
            return 0, end.end()
    return None


def _fenced(text: str, at: int) -> bool:
    """Return whether a place lies inside a fenced block."""
    fence = ""
    for match in _FENCE.finditer(text, 0, at):
        if not fence:
            fence = match[1]
        elif match[1].startswith(fence) and not match[2].strip():
            fence = ""
    return bool(fence)


def _holds_answer(text: str) -> bool:
    """Return whether an answer begins here, and not the rest of the block that a place lies in."""
    fences = list(_FENCE.finditer(text))
    return not fences or text.lstrip().startswith("{") or (len(fences) > 1 and bool(fences[0][2].strip()))


def _quoted(text: str, tag: re.Match[str]) -> bool:
    """Return whether a tag is spoken of: quotes stand at one of its sides."""
    before, behind = text[max(0, tag.start() - 1) : tag.start()], text[tag.end() : tag.end() + 3]
    return before in set("\"'`") or (behind[:1] in set("\"'`") and behind != "```")


def _is_json(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True
