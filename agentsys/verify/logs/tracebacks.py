"""Python's and pytest's tracebacks, read from text: Python 3.11 to 3.13, pytest's short style, chains and groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FRAME = re.compile(r'^\s*File "(?P<path>[^"\n]+)", line (?P<line>\d{1,9})(?:, in (?P<function>.+))?$')
_SHORT = re.compile(r"^(?P<path>[^\s:][^:\n]*):(?P<line>\d{1,9}): in (?P<function>.+)$")
_ERROR = re.compile(r"^(?P<error>[A-Za-z_][\w.]*)(?:: ?(?P<message>.*))?$")
_NAMED = re.compile(r"(Error|Exception|Exit|Warning|Interrupt|Failed|Iteration|Timeout|Group|Skipped|Fault)$")
_GROUP = re.compile(r"^\s*\| ?")
_GROUP_RULE = re.compile(r"^\s*(\|\s*)*\+[-+ ]")
_CAUSE = "The above exception was the direct cause of the following exception:"
_DURING = "During handling of the above exception, another exception occurred:"
_MAX_MESSAGE_LINES = 12
_MAX_LINE = 2000
"""Longer lines are no part of a traceback that anybody reads."""


@dataclass(frozen=True)
class Frame:
    """One call. `path` is relative to the repository where `own`, otherwise as printed."""

    path: str
    line: int
    function: str
    own: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line} in {self.function}"


@dataclass(frozen=True)
class Fault:
    """One exception that was printed with its frames, outermost first."""

    error: str
    """Name of the exception class, without its module."""
    message: str
    frames: tuple[Frame, ...]

    @property
    def own(self) -> tuple[Frame, ...]:
        """Frames in the repository's own code."""
        return tuple(frame for frame in self.frames if frame.own)


@dataclass
class _Open:
    """An exception that is being read."""

    frames: list[Frame] = field(default_factory=list["Frame"])
    error: str = ""
    message: list[str] = field(default_factory=list[str])
    link: str = ""


def parse_faults(text: str, root: str) -> list[Fault]:
    """Return the root cause of every traceback in `text`, in order of appearance.

    Args:
        text: output of a program, without terminal sequences.
        root: absolute path of the repository as the program saw it.
    """
    chains: list[list[_Open]] = []
    current = _Open()
    link = ""
    for whole in text.splitlines():
        raw = whole[:_MAX_LINE].rstrip()
        if _GROUP_RULE.match(raw):
            current = _Open()
            continue
        line = _GROUP.sub("", raw)
        if line.strip() in (_CAUSE, _DURING):
            link = "cause" if line.strip() == _CAUSE else "during"
            current = _Open()
            continue
        frame = _frame(line, root)
        if frame is not None:
            if current.error:
                current = _Open()
            current.frames.append(frame)
            continue
        if current.error:
            _continue_message(current, line)
            continue
        if current.frames and _start_error(current, line):
            current.link, link = link, ""
            if current.link and chains:
                chains[-1].append(current)
            else:
                chains.append([current])
    return [_root_cause(chain) for chain in chains]


def _frame(line: str, root: str) -> Frame | None:
    match = _FRAME.match(line[1:] if line.startswith("E ") else line) or _SHORT.match(line)
    if match is None:
        return None
    path, own = own_path(match["path"], root)
    return Frame(path, int(match["line"]), match["function"] or "<module>", own)


def own_path(path: str, root: str) -> tuple[str, bool]:
    """Return the path relative to the repository and True, or the path as it is and False."""
    prefix = root.rstrip("/") + "/"
    relative = path[len(prefix) :] if path.startswith(prefix) else path
    relative = relative.removeprefix("./")
    parts = relative.split("/")
    if relative.startswith("<") or {"", ".", "..", "site-packages"} & set(parts):
        return path, False
    return relative, True


def _start_error(current: _Open, line: str) -> bool:
    pytest_style = line.startswith("E ")
    text = line[1:].strip() if pytest_style else line
    match = _ERROR.match(text)
    if match and (_NAMED.search(match["error"]) or (not pytest_style and match["message"] is not None)):
        current.error = match["error"].rpartition(".")[2]
        current.message = [match["message"] or ""]
        return True
    if pytest_style and text and not set(text) <= {"^", "~", " "}:
        if _is_source_of_syntax_error(current, text):
            return False
        current.error = "AssertionError"
        current.message = [text]
        return True
    return False


def _is_source_of_syntax_error(current: _Open, text: str) -> bool:
    """Pytest prints the faulty line with an `E` in front, before the error: it is not an assertion."""
    return current.frames[-1].function == "<module>" and not text.startswith("assert")


def _continue_message(current: _Open, line: str) -> None:
    text = line[1:].strip() if line.startswith("E ") else line.rstrip()
    if not text.strip() or len(current.message) >= _MAX_MESSAGE_LINES or text.startswith(("=", "_", "Traceback")):
        return
    if line.startswith("E ") or (current.message and line.startswith(" ")):
        current.message.append(text)


def _root_cause(chain: list[_Open]) -> Fault:
    """An explicit cause is the root; a second fault while handling the first is its own, unless an import failed."""
    chosen = chain[-1]
    for position in range(len(chain) - 1, 0, -1):
        earlier = chain[position - 1]
        import_failed = earlier.error in ("ModuleNotFoundError", "ImportError")
        if chain[position].link == "cause" or import_failed:
            chosen = earlier
        else:
            break
    return Fault(chosen.error, "\n".join(chosen.message).strip(), tuple(chosen.frames))
