"""Answers as data: one JSON object, or one file. Models wrap both in prose, fences and small faults of form."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar, cast

from pydantic import BaseModel, ValidationError

from agentsys.llm.client import AnswerError
from agentsys.llm.fences import blocks
from agentsys.llm.render import clean

M = TypeVar("M", bound=BaseModel)

_OBJECT = re.compile(r'\{\s*["}]')
_LANGUAGES = {
    ".py": ("python", "py", "python3"),
    ".sh": ("bash", "sh", "shell"),
    ".toml": ("toml",),
    ".json": ("json",),
    ".yaml": ("yaml", "yml"),
    ".yml": ("yaml", "yml"),
    ".md": ("markdown", "md"),
}
"""What stands behind the fence of a file with this ending, if anything does."""
_END = re.compile(r"[\s`]*\Z")
_MAX_OBJECTS = 2000
"""Places where an object may begin that are tried; a fault takes time in proportion to its place."""
_MAX_FAULTS = 8
"""Faults of one answer that the model is told at once."""


def extract_json(text: str, model: type[M]) -> M:
    """Return the JSON object of an answer as `model`.

    Fences and prose around the object are dropped; backslashes that JSON does not allow (`\\lambda` in a formula)
    are taken literally. Of several objects that fit, the last one that has lines of its own is taken: what stands
    before it is a draft, what stands inside a sentence an example.

    Raises: AnswerError naming each wrong field and its fault.
    """
    try:
        found, fault = _objects(text)
    except RecursionError as error:
        raise AnswerError("the answer is nested too deeply") from error
    known = {field.alias or name for name, field in model.model_fields.items()}
    named = [item for item in found if known & item.value.keys()]
    meant = max(named or found, key=lambda item: (len(known & item.value.keys()), item.at), default=None)
    for item in sorted(named or found, key=lambda item: (item.own, item.at), reverse=True):
        try:
            return model.model_validate(item.value)
        except ValidationError as error:
            fault = _describe(error) if item is meant else fault
    raise AnswerError(fault or "there is no JSON object in the answer")


def only_object(text: str, key: str) -> str:
    """Return the one JSON object of an answer that has `key`, as JSON text, for readers who take nothing else.

    Raises: AnswerError if there is none, or the answer speaks of `key` more than once: none of two is the answer.
    """
    try:
        found = [item.value for item in _objects(text)[0] if key in item.value]
    except RecursionError as error:
        raise AnswerError("the answer is nested too deeply") from error
    if len(found) != 1 or len(re.findall(rf'(?<!\\)"{re.escape(key)}"\s*:', text)) != 1:
        raise AnswerError("the answer is not exactly one JSON object of the form asked for")
    return json.dumps(found[0])


def extract_file(text: str, path: str) -> str:
    """Return the file that an answer holds: the first of `extract_files`.

    Raises: as `extract_files`.
    """
    return extract_files(text, path)[0]


def extract_files(text: str, path: str) -> list[str]:
    """Return the contents of the fenced blocks that may be the file, the likeliest first.

    Blocks that are labelled with `path` are the only ones; otherwise those in the file's language are. A later one
    comes first, since models draft before they answer, but one that imports the file is an example of its use.
    Fences inside the file (Markdown, docstrings) stay part of it. The content may be empty: some files are.

    Raises: AnswerError if the last fence is never closed, or if there is no block.
    """
    found = blocks(text.replace("\r\n", "\n"), path)
    if not found:
        raise AnswerError(f"there is no fenced code block with the content of `{path}`")
    labelled = [block for block in found if path in re.split(r"[\s:=\"'`]+", block.label)]
    # A block that is still open is the end of the answer: nothing before it can be trusted to be the file.
    if not found[-1].closed and (found[-1] in labelled or not labelled):
        raise AnswerError(f"the code block of `{path}` is never closed, so the file seems to be cut off")
    spoken = _LANGUAGES.get(PurePosixPath(path).suffix, ())
    fitting = [block for block in found if block.label.lower().split(" ")[0] in ("", *spoken)] if spoken else []
    chosen = labelled or fitting or found
    return [block.content for block in sorted(chosen, key=lambda block: (_uses(block.content, path), -block.start))]


def _uses(content: str, path: str) -> bool:
    stem = re.escape(PurePosixPath(path).stem)
    return path.endswith(".py") and bool(re.search(rf"^(?:from|import) (?:\w+\.)*{stem}\b", content, re.MULTILINE))


class _Object(NamedTuple):
    """A JSON object at a place of a text; `own` is whether no other words stand on its lines."""

    at: int
    own: bool
    value: dict[str, object]


def _objects(text: str) -> tuple[list[_Object], str]:
    """Return the outermost JSON objects of a text in order, and what is wrong with the largest broken one.

    What was read before a fault belongs to the broken object, and so may what follows on its last line or is indented:
    no part of it is the answer.
    """
    text = repair_escapes(text)
    found: list[_Object] = []
    reach, fault, broken = 0, "", False
    tries, at = 0, _next_object(text, 0)
    while at >= 0 and tries < _MAX_OBJECTS:
        tries += 1
        end, value, wrong = _decode(text, at)
        first = at == 0 or text[at - 1] == "\n"
        if isinstance(value, dict):
            if first or not broken:
                behind = text[end:].partition("\n")[0]
                found.append(_Object(at, first and not behind.strip(" \t\r`"), cast("dict[str, object]", value)))
                broken = False
        elif end - at > 1:
            broken = True
            if end - at > reach:
                reach, fault = end - at, wrong
        at = _next_object(text, max(end, at + 1))
    return found, fault


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
