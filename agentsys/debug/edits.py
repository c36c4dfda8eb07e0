"""The debugger's answer: read into edits, tried on the files in memory, written all together or not at all."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agentsys.core.errors import EditError
from agentsys.core.files import write_atomic
from agentsys.core.paths import clean_name, safe_path
from agentsys.debug.textcheck import MAX_BYTES, check_text

EDIT_FORMAT = """\
Write your changes as fenced blocks of FOUR backticks. Text outside the blocks is not used.

To change parts of a file that exists (preferred for small changes):

````edit:src/example/model.py
<<<<<<< SEARCH
    return x + 1
=======
    return x + 2
>>>>>>> REPLACE
````

- The lines between SEARCH and ======= must stand in the file exactly once, character for character, with their
  indentation: copy them, and take enough lines around the change to make them unique.
- A block may hold several SEARCH/REPLACE pairs; they are applied one after the other. An empty REPLACE part deletes.

To write a new file, or to replace a whole file:

````file:configs/smoke.yaml
seed: 0
````

To remove a file:

````delete:src/example/old_name.py
````

- Paths are relative to the repository's root, with `/`, without `..`.
- If the text of a file itself holds four backticks, use five for the fence.
- All blocks of an answer are applied together or not at all. Every changed file must parse (Python, JSON, TOML,
  YAML, shell).
- Never weaken a check to make it pass: no deleted, emptied, skipped or xfailed test, no removed assertion, no looser
  tolerance, no mocked method, no swallowed exception, no constant where the paper asks for a computation, nothing
  written by hand into results/. Such a patch is refused.
"""
"""How a debugger writes its edits: the text for the prompt, which `parse_edits` reads exactly."""

_OPEN = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[ \t]*(?:[\w+-]+[ \t]+)?(?P<action>file|edit|delete):[ \t]*(?P<path>\S.*?)[ \t]*$"
)
_SEARCH = "<<<<<<< SEARCH"
_DIVIDE = "======="
_REPLACE = ">>>>>>> REPLACE"
_MAX_EDITS = 100


@dataclass(frozen=True)
class Replacement:
    """Lines that must stand in the file exactly once, and what comes in their place."""

    search: tuple[str, ...]
    replace: tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """One block of an answer."""

    action: Literal["file", "edit", "delete"]
    path: str
    text: str = ""
    replacements: tuple[Replacement, ...] = ()


@dataclass(frozen=True)
class Change:
    """A file before and after; None where it does not exist."""

    before: str | None
    after: str | None


@dataclass(frozen=True)
class Patch:
    """Edits that apply: every path is safe, every text parses, nothing is written yet."""

    repo: Path
    changes: Mapping[str, Change] = field(default_factory=dict[str, Change])

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the changed files, sorted."""
        return tuple(sorted(self.changes))

    def diff(self) -> str:
        """Return the change as a unified diff."""
        return "".join(_diff(path, self.changes[path]) for path in self.paths)

    def write(self) -> None:
        """Write all files, or none: what was written before a failure is put back.

        Raises: UnsafePath where the tree has changed since; OSError as it happened.
        """
        places = {path: safe_path(self.repo, path) for path in self.paths}
        done: list[str] = []
        try:
            for path, place in places.items():
                _put(place, self.changes[path].after)
                done.append(path)
        except BaseException:
            for path in done:
                _put(places[path], self.changes[path].before)
            raise


def parse_edits(answer: str) -> tuple[Edit, ...]:
    """Read the blocks of an answer (format: `EDIT_FORMAT`).

    Raises: EditError where there is none, one is not closed, or a block is malformed.
    """
    lines = answer.replace("\r\n", "\n").split("\n")
    edits: list[Edit] = []
    position = 0
    while position < len(lines):
        opening = _OPEN.match(lines[position])
        if opening is None:
            position += 1
            continue
        end = _closing(lines, position, opening["fence"], opening["path"])
        edits.append(_edit(opening["action"], opening["path"].strip("`"), lines[position + 1 : end]))
        position = end + 1
    if not edits:
        raise EditError("the answer holds no edit", "write blocks that begin with ````edit:PATH or ````file:PATH")
    if len(edits) > _MAX_EDITS:
        raise EditError(f"the answer holds {len(edits)} edits; at most {_MAX_EDITS} are accepted")
    return tuple(edits)


def prepare(repo: Path, edits: Sequence[Edit], first: Mapping[str, Change] | None = None) -> Patch:
    """Try the edits on the files as they are, in memory.

    Args:
        first: changes that come before the edits, which see the files with them.

    Raises: EditError (UnsafePath among them) that names the block and what to write instead.
    """
    changes = dict(first or {})
    for edit in edits:
        place = safe_path(repo, edit.path)
        path = clean_name(edit.path)
        _check_against(path, changes)
        known = changes.get(path)
        before = known.before if known else _read(place, path)
        current = known.after if known else before
        changes[path] = Change(before, _apply(edit, path, current))
    changes = {path: change for path, change in changes.items() if change.before != change.after}
    if not changes:
        raise EditError("the edits change nothing: the files already are as they would become")
    for path, change in changes.items():
        if change.after is not None:
            check_text(path, change.after)
    return Patch(repo, changes)


def _closing(lines: Sequence[str], start: int, fence: str, path: str) -> int:
    pattern = re.compile(rf"^{re.escape(fence[0])}{{{len(fence)},}}[ \t]*$")
    for number in range(start + 1, len(lines)):
        if pattern.match(lines[number]):
            return number
        if _OPEN.match(lines[number]) and lines[number].startswith(fence):
            break
    raise EditError(f"the block for `{path}` is not closed", f"end it with a line of {fence}; was the answer cut off?")


def _edit(action: str, path: str, body: list[str]) -> Edit:
    if action == "delete":
        return Edit("delete", path)
    if action == "file":
        text = "\n".join(body)
        return Edit("file", path, text + "\n" if text.strip() else "")
    return Edit("edit", path, replacements=_replacements(path, body))


def _replacements(path: str, body: Sequence[str]) -> tuple[Replacement, ...]:
    found: list[Replacement] = []
    part: Literal["", "search", "replace"] = ""
    search: list[str] = []
    replace: list[str] = []
    for line in body:
        marker = line.rstrip()
        if not part and marker == _SEARCH:
            part, search, replace = "search", [], []
        elif part == "search" and marker == _DIVIDE:
            part = "replace"
        elif part == "replace" and marker == _REPLACE:
            found.append(Replacement(tuple(search), tuple(replace)))
            part = ""
        elif part:
            (search if part == "search" else replace).append(line)
        elif marker:
            raise EditError(f"`{path}`: the line `{marker[:80]}` stands outside SEARCH and REPLACE")
    if part or not found:
        missing = "a SEARCH/REPLACE pair" if not part else _DIVIDE if part == "search" else _REPLACE
        raise EditError(f"the block for `{path}` lacks {missing}")
    return tuple(found)


def _check_against(path: str, changes: Mapping[str, Change]) -> None:
    """New files of one answer must not collide with each other either."""
    for other in changes:
        if other != path and other.casefold() == path.casefold():
            raise EditError(f"`{path}` and `{other}` differ only in case")
        if other.startswith(path + "/") or path.startswith(other + "/"):
            raise EditError(f"`{path}` and `{other}` cannot both be files")


def _read(place: Path, path: str) -> str | None:
    if not place.exists():
        return None
    if place.stat().st_size > MAX_BYTES:
        raise EditError(f"`{path}` is too large to be edited")
    try:
        return place.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise EditError(f"`{path}` is not a text file") from error


def _apply(edit: Edit, path: str, current: str | None) -> str | None:
    if edit.action == "file":
        return edit.text
    if current is None:
        raise EditError(f"`{path}` does not exist", "write it with a `file:` block")
    if edit.action == "delete":
        return None
    for number, replacement in enumerate(edit.replacements, 1):
        current = _replace_once(path, number, current, replacement)
    return current


def _replace_once(path: str, number: int, text: str, replacement: Replacement) -> str:
    """Replace whole lines that must stand in the text exactly once."""
    wanted = list(replacement.search)
    if not any(line.strip() for line in wanted):
        raise EditError(f"`{path}` pair {number}: the SEARCH part is empty", "name lines of the file")
    lines = text.split("\n")
    size = len(wanted)
    hits = [start for start in range(len(lines) - size + 1) if lines[start : start + size] == wanted]
    if len(hits) == 1:
        start = hits[0]
        return "\n".join([*lines[:start], *replacement.replace, *lines[start + size :]])
    if len(hits) > 1:
        where = ", ".join(str(start + 1) for start in hits[:5])
        raise EditError(
            f"`{path}` pair {number}: the SEARCH part stands {len(hits)} times (lines {where})",
            "take more lines with it",
        )
    raise EditError(f"`{path}` pair {number}: the SEARCH part is not in the file", _nearest(lines, wanted))


def _nearest(lines: Sequence[str], wanted: Sequence[str]) -> str:
    """Show the place that the model most likely meant, so that it can copy it."""
    stripped = [line.strip() for line in lines]
    anchor = max((line.strip() for line in wanted), key=len)
    near = difflib.get_close_matches(anchor, stripped, n=1, cutoff=0.5)
    if not near:
        return "copy the lines from the file as it is now"
    middle = stripped.index(near[0])
    start = max(0, middle - 2)
    shown = "\n".join(lines[start : start + len(wanted) + 4])
    return f"the nearest place, line {start + 1} on, reads:\n{shown[:1500]}"


def _diff(path: str, change: Change) -> str:
    before = (change.before or "").splitlines(keepends=True)
    after = (change.after or "").splitlines(keepends=True)
    old = f"a/{path}" if change.before is not None else "/dev/null"
    new = f"b/{path}" if change.after is not None else "/dev/null"
    rows: list[str] = []
    for line in difflib.unified_diff(before, after, old, new):
        rows.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(rows)


def _put(place: Path, text: str | None) -> None:
    if text is None:
        place.unlink(missing_ok=True)
        return
    write_atomic(place, text)
    if place.suffix == ".sh":
        place.chmod(0o755)
