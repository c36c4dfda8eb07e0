"""What a model said, parted into its thinking and its answer: models mark the first in many ways, or only its end."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import NamedTuple

_NAMES = r"(?:\w+:)?(?:think|thinking|thought|thoughts|reasoning|scratchpad|internal_monologue)"
"""Tags that mark thinking whatever stands around them: their end alone says that a draft is over."""
_LIKE = (
    r"[\w:.-]*(?:think|thought|reason|reflect|scratch_?pad|monologue|rationale)[\w:.-]*"
    r"|cot|chain_of_\w+|analysis|planning|plan|draft"
)
"""Tags that mark it where both stand there."""
_SURE = re.compile(rf"{_NAMES}(?:_start)?", re.IGNORECASE)
_LT, _GT = r"(?:<|&lt;)", r"(?:>|&gt;)"
_OPEN = re.compile(
    rf"{_LT} ?(?P<name>(?![\w:.-]*_end){_LIKE})(?: [^<>\n]*)?{_GT}|\[(?:THINK(?:ING)?|REASONING)\]|◁think▷"
    r"|<\|(?!/|end)\w*(?:think|thought|reason)(?!\w*_end)\w*\|>|<\|channel>thought|<\|inner_prefix\|>"
    r"|<unused\d+>thought|<\|im_start\|>think\b"
    r"|<[|｜]begin[_▁]of[_▁]thinking[|｜]>|(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)\s*<\|message\|>"
    r"|\Aanalysis(?=[A-Z].*assistantfinal)",
    re.IGNORECASE | re.DOTALL,
)
_CLOSE = re.compile(
    rf"{_LT}/ ?{_NAMES} ?{_GT}|<{_NAMES}(?:_end| ?/)>|\[/(?:THINK(?:ING)?|REASONING)\]|◁/think▷"
    r"|<\|(?:/|end)\w*(?:think|thought|reason)\w*\|>|<\|\w*(?:think|thought|reason)\w*_end\|>|<channel\|>"
    r"|<\|inner_suffix\|>|<unused\d+>|<\|im_start\|>answer\b"
    r"|<[|｜]end[_▁]of[_▁]thinking[|｜]>|\[BEGIN FINAL RESPONSE\]|assistantfinal(?:json)?"
    r"|<\|end\|>(?:<\|start\|>assistant)?<\|channel\|>final\s*(?:<\|constrain\|>\w+)?<\|message\|>",
    re.IGNORECASE,
)
_FRAMES = tuple(
    (re.compile(opening, re.IGNORECASE | re.MULTILINE), re.compile(closing, re.IGNORECASE | re.MULTILINE))
    for opening, closing in (
        (
            r"\A<details(?: [^<>\n]*reasoning[^<>\n]*>|[^<>\n]*>\s*<summary>[^<\n]*(?:think|thought|reason))",
            r"</details>",
        ),
        (r"^```\w*\n\s*<think(?:ing)?>", r"</think(?:ing)?>\s*\n```[ \t]*$"),
        (r"^```(?:thinking|thoughts?|reasoning|scratchpad|analysis)[ \t]*$", r"^```[ \t]*$"),
        (r"\AHere(?: is|'s) my (?:thought process|reasoning):", r"^Here(?: is|'s) my (?:response|answer):"),
        (r"\AThinking\.\.\.[ \t]*$", r"^\.\.\.done thinking\.?"),
        (r"\A[*_]*(?:thinking|thoughts?|reasoning)[.:…]*[*_]*[ \t]*$(?=\s*^>)", r"^(?![>\s])"),
    )
)
"""Thinking as gateways and chat programs show it: folded up, in a fence of its own, quoted, between two sentences."""
_TOKEN = (
    r"(?:<\|start_header_id\|>assistant<\|end_header_id\|>|<\|im_start\|>(?:assistant\b)?|<start_of_turn>model\b"
    r"|<\|\w+\|>|<｜[\w▁]+｜>|</?s>|<eos>|<bos>|<end_of_turn>|\[/INST\]|\[END FINAL RESPONSE\])"
)
"""Marks of chat templates that servers should have taken out."""
_TOKENS = re.compile(rf"\A(?:\s*{_TOKEN})+|(?:\s*{_TOKEN})+\s*\Z")
_NEXT_TURN = re.compile(
    r"(?:(?:<\|(?:im_end|eot_id|end)\|>|<end_of_turn>)\s*)?"
    r"(?:(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|start\|>)user\b|<\|user\|>|</s>\s*\[INST\])"
)
"""Where a model that was not stopped goes on with a question of its own."""
_WRAPPED = re.compile(
    r"\A\s*<(answer|final_answer|final|output|response|result|solution|tool_call)>\s*(.*?)\s*</\1>\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
_LONG = re.compile(r"`{3,}")
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
        span = None if _is_json(text) else _run_on(text) or _framed(text) or _marked(text) or _ended(text)
        if span is None:
            break
        dropped.append(text[slice(*span)])
        text = _unwrapped((text[: span[0]] + text[span[1] :]).lstrip(_BLANK))
    return Said(_unwrapped(_TOKENS.sub("", text)), "".join(dropped))


def _unwrapped(text: str) -> str:
    """Return what a pair of tags holds that says no more than that this is the answer."""
    wrapped = _WRAPPED.match(text)
    return wrapped[2] if wrapped else text


def _run_on(text: str) -> tuple[int, int] | None:
    """Return the span from where the model speaks for its user to the end."""
    turns = islice(_NEXT_TURN.finditer(text), _MAX_TAGS)
    turn = next((turn for turn in turns if not _quoted(text, turn) and not _in_code(text, turn.start())), None)
    if turn is None or not text[: turn.start()].strip() or _fenced(text, turn.start()):
        return None
    return turn.start(), len(text)


def _framed(text: str) -> tuple[int, int] | None:
    for opens, closes in _FRAMES:
        opening = opens.search(text)
        if opening is None or _fenced(text, opening.start()):
            continue
        end = closes.search(text, opening.end())
        if end is not None:
            return opening.start(), end.end()
    return None


def _marked(text: str) -> tuple[int, int] | None:
    """Return the span of thinking between its two tags; thinking that the text begins with may lack the second."""
    for opening in islice(_OPEN.finditer(text), _MAX_TAGS):
        line = text[text.rfind("\n", 0, opening.start()) + 1 : opening.start()]
        if line.strip() or _fenced(text, opening.start()):
            continue
        ends = list(islice(_closing(opening).finditer(text, opening.end()), _MAX_TAGS))
        end = next((end for end in ends if not _quoted(text, end)), None) or next(iter(ends), None)
        if end is not None:
            return opening.start(), end.end()
        if opening.start() == 0 and _is_sure(opening):
            return 0, len(text)
    return None


def _closing(opening: re.Match[str]) -> re.Pattern[str]:
    """Return what ends thinking: any of the usual ends, or the tag's own one where its name may mean something else."""
    if _is_sure(opening):
        return _CLOSE
    name = re.escape(opening["name"])
    return re.compile(rf"{_LT}/ ?{name} ?{_GT}|{_LT}{name}(?:_end| ?/){_GT}", re.IGNORECASE)


def _is_sure(opening: re.Match[str]) -> bool:
    name = opening["name"]
    return name is None or bool(_SURE.fullmatch(name))


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
    before, behind = text[max(0, tag.start() - 3) : tag.start()], text[tag.end() : tag.end() + 3]
    return any(side[at] in "\"'`" for side, at in ((before, -1), (behind, 0)) if side and side != "```")


def _in_code(text: str, at: int) -> bool:
    """Return whether a place lies in code within a line: an answer may speak of chat templates."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return _LONG.sub("", line).count("`") % 2 == 1


def _is_json(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True
