"""Answers as data: one JSON object, or one file. Models wrap both in prose, fences and small faults of form."""

from __future__ import annotations

import json
import re
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from agentsys.llm.client import AnswerError
from agentsys.llm.fences import Block, blocks
from agentsys.llm.render import clean

M = TypeVar("M", bound=BaseModel)

_THINKING = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_OBJECT = re.compile(r'\{\s*["}]')
_END = re.compile(r"[\s`]*\Z")
_MAX_OBJECTS = 2000
"""Places where an object may begin that are tried; a fault takes time in proportion to its place."""
_MAX_FAULTS = 8
"""Faults of one answer that the model is told at once."""


def extract_json(text: str, model: type[M]) -> M:
    """Return the JSON object of an answer as `model`.

    Fences and prose around the object are dropped; backslashes that JSON does not allow (`\\lambda` in a formula)
    are taken literally. Of several objects, the first one that fits is taken.

    Raises: AnswerError naming each wrong field and its fault.
    """
    try:
        candidates, fault = _objects(without_thinking(text))
    except RecursionError as error:
        raise AnswerError("the answer is nested too deeply") from error
    for candidate in candidates:
        try:
            return model.model_validate(candidate)
        except ValidationError as error:
            # The largest object is the one that was meant; small ones occur inside prose.
            fault = _describe(error) if candidate is candidates[0] else fault
    raise AnswerError(fault or "there is no JSON object in the answer")


def extract_file(text: str, path: str) -> str:
    """Return the file that an answer holds: the content of one fenced block.

    A block that is labelled with `path` wins; otherwise the largest one, and of equal ones the last. Fences inside
    the file (Markdown, docstrings) stay part of it. The content may be empty: some files are.

    Raises: AnswerError if the fence is never closed, or if there is no block.
    """
    found = blocks(without_thinking(text).replace("\r\n", "\n"), path)
    if not found:
        raise AnswerError(f"there is no fenced code block with the content of `{path}`")
    chosen = _choose(found, path)
    if not chosen.closed:
        raise AnswerError(f"the code block of `{path}` is never closed, so the file seems to be cut off")
    return chosen.content


def without_thinking(text: str) -> str:
    """Drop the reasoning that some local models put before their answer."""
    return _THINKING.sub("", text, count=1)


def _choose(found: list[Block], path: str) -> Block:
    labelled = [block for block in found if path in block.label.split()]
    unclosed = [block for block in found if not block.closed]
    # A block that is still open is the end of the answer: nothing before it can be trusted to be the file.
    return max(labelled or unclosed or found, key=lambda block: (len(block.content), block.start))


def _objects(text: str) -> tuple[list[dict[str, object]], str]:
    """Return the outermost JSON objects of a text, largest first, and what is wrong with the largest broken one."""
    text = repair_escapes(text)
    found: list[tuple[int, dict[str, object]]] = []
    reach, fault = 0, ""
    tries, at = 0, _next_object(text, 0)
    while at >= 0 and tries < _MAX_OBJECTS:
        tries += 1
        end, value, wrong = _decode(text, at)
        if isinstance(value, dict):
            found.append((end - at, cast("dict[str, object]", value)))
        elif end - at > max(reach, 1):
            reach, fault = end - at, wrong
        # What was read before the fault belongs to the broken object: no part of it is the answer.
        at = _next_object(text, max(end, at + 1))
    found = [(size, value) for size, value in found if size >= reach]
    return [value for _, value in sorted(found, key=lambda pair: -pair[0])], fault


def _next_object(text: str, start: int) -> int:
    match = _OBJECT.search(text, start)
    return match.start() if match else -1


def _decode(text: str, at: int) -> tuple[int, object, str]:
    """Decode the JSON value at a place; return where reading ended, the value or None, and the fault."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        # A missing bracket is noticed at the end, an unterminated string where it began.
        if error.msg.startswith("Unterminated") or _END.match(text, error.pos):
            return len(text), None, "the JSON ends too early, so it seems to be cut off"
        line = text.count("\n", at, error.pos) + 1
        near = text[max(at, error.pos - 20) : error.pos + 20]
        return error.pos, None, f"the JSON is not valid: {error.msg} in line {line} of the object, near `{near}`"
    except RecursionError:
        return len(text), None, "the JSON is nested too deeply"
    except ValueError as error:
        return at + 2, None, f"the JSON is not valid: {error}"
    return end, _without_surrogates(value), ""


def _reject_constant(name: str) -> object:
    raise ValueError(f"`{name}` is not a number in JSON")


_DECODER = json.JSONDecoder(strict=False, parse_constant=_reject_constant)


def _without_surrogates(value: object) -> object:
    """Replace halves of characters, which cannot be written to a file, by question marks."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_without_surrogates(entry) for entry in cast("list[object]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return {clean(name): _without_surrogates(entry) for name, entry in pairs}
    return value


def _describe(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"`{'.'.join(map(str, fault['loc'])) or 'the object'}`: {fault['msg']}" for fault in faults[:_MAX_FAULTS]]
    more = len(faults) - len(lines)
    return "the JSON does not fit: " + "; ".join(lines) + (f"; and {more} more" if more else "")


# -- backslashes in JSON strings, as models write them in formulas -----------------------------------------------------

_ESCAPE = re.compile(r'\\(?:(u[0-9a-fA-F]{4}|["\\/])|([bfnrt])([a-zA-Z]*))?')

_COMMAND = re.compile(
    "nabla|natural|nearrow|newcommand|nleq|ngeq|nmid|nonumber|notin|"
    "rangle|rbrace|rbrack|rceil|ref|relax|rfloor|rho|right|rightarrow|rightharpoonup|rm|root|rvert|rVert|"
    "tanh|tau|tbinom|text|textbf|textit|textrm|textsc|texttt|tfrac|theta|tilde|times|triangle|triangleq"
)
"""LaTeX commands that begin like one of JSON's own escapes (`\\nabla` like `\\n`); after a real line feed, carriage
return or tab, hardly any text goes on like that. With `\\b` and `\\f` every letter is a command: nobody means those."""
_AMBIGUOUS = re.compile("ne|neg|neq|ni|norm|not|nu|tag|tan|to|top|tt")
"""The same, but a line may well begin with `u` or `eq`: taken for LaTeX only beside other unescaped commands."""


def repair_escapes(text: str) -> str:
    """Return text in which each backslash that belongs to a LaTeX command is doubled, so that JSON keeps it.

    `\\lambda` is no valid escape; `\\frac` and `\\nabla` are valid but would turn into control characters. What is
    escaped correctly stays as it is.
    """
    unescaped = any(_is_command(match, ambiguous=False) for match in _ESCAPE.finditer(text))
    return _ESCAPE.sub(lambda match: ("\\" if _is_command(match, ambiguous=unescaped) else "") + match[0], text)


def _is_command(match: re.Match[str], *, ambiguous: bool) -> bool:
    valid, letter, rest = match[1], match[2], match[3]
    if valid:
        return False
    if letter is None:
        return True
    word = letter + rest
    listed = _COMMAND.fullmatch(word) or (ambiguous and _AMBIGUOUS.fullmatch(word))
    return bool(rest) and (letter in "bf" or bool(listed))
