"""Which papers a batch is about: the files of a folder, the lines of a list, or YAML with options for single papers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from agentsys.core.errors import UsageError
from agentsys.core.files import sha256_bytes
from agentsys.core.settings_text import written_value
from agentsys.core.text import clean_line
from agentsys.paper.remote.names import remote_paper

SUFFIXES = (".pdf", ".tex", ".tar.gz", ".tgz", ".html", ".md", ".txt")
"""Files of a folder that are taken for papers."""
OPTIONS = frozenset({"budget", "max_rounds", "max_tokens", "time_limit", "source"})
"""Settings that a list may give to single papers: none that sends elsewhere or loosens what judges."""
MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Paper:
    """One paper of the list."""

    name: str
    """A path, made absolute, or a number or address."""
    request: str = ""
    options: Mapping[str, object] = field(default_factory=dict[str, object])
    """Settings of this paper alone."""
    sha256: str = ""
    """Of its file; empty for folders, numbers and addresses."""

    @property
    def key(self) -> str:
        """Name that no other paper has, and that is safe as a file's; a changed file or request is another paper."""
        stem = re.sub(r"[^a-z0-9]+", "-", self.name.rpartition("/")[2].lower()).strip("-")[-40:] or "paper"
        digest = sha256_bytes("\0".join((self.name, self.request, self.sha256)))
        return f"{stem}-{digest[:8]}"


def read_list(path: Path) -> tuple[Paper, ...]:
    """Return the papers that a file or folder names, each once, in its order; of a folder, by name.

    Raises: UsageError naming the place of what cannot be read.
    """
    if path.is_dir():
        files = sorted(item for item in path.iterdir() if item.is_file() and item.name.lower().endswith(SUFFIXES))
        found = [_paper(str(file.resolve())) for file in files]
    else:
        found = list(_listed(path))
    if not found:
        hint = f"put papers into it ({', '.join(SUFFIXES)}), or write a list: one path or arXiv number a line"
        raise UsageError(f"`{path}` names no paper", hint)
    twice = [key for key, number in Counter(paper.key for paper in found).items() if number > 1]
    if twice:
        raise UsageError(f"`{path}` names a paper twice: `{twice[0]}`", "name each paper once")
    return tuple(found)


def _listed(path: Path) -> Iterable[Paper]:
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {error.strerror}", "name a list of papers, or a folder") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"`{path}` is no text", "one paper is for `agentsys implement`") from error
    if len(raw) > MOST_BYTES:
        raise UsageError(f"`{path}` is larger than {MOST_BYTES >> 20} MiB", "it has to be a list of papers")
    base = path.resolve().parent
    if path.suffix.lower() in (".yaml", ".yml"):
        yield from _of_yaml(path, text, base)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if (name := line.strip()) and not name.startswith("#"):
            yield _paper(_place(name, base, f"{path}, line {number}"))


def _of_yaml(path: Path, text: str, base: Path) -> Iterable[Paper]:
    try:
        # Everything stays text: the number 2402.01860 would lose its last digit.
        rows: object = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"`{path}` is no YAML: {clean_line(error, 200)}") from error
    if not isinstance(rows, list):
        raise UsageError(f"`{path}` is no list", "write `- paper: FILE`, one an entry")
    for number, row in enumerate(cast("list[object]", rows), 1):
        where = f"{path}, entry {number}"
        values = {"paper": row} if isinstance(row, str) else row
        if not isinstance(values, dict):
            raise UsageError(f"{where} names no paper", "write `- paper: FILE`")
        yield _entry(cast("dict[object, object]", values), base, where)


def _entry(values: dict[object, object], base: Path, where: str) -> Paper:
    known = {"paper", "request", *OPTIONS}
    unknown = [key for key in values if key not in known]
    if unknown:
        raise UsageError(
            f"{where}: `{clean_line(unknown[0], 60)}` is not known there",
            f"one of {', '.join(sorted(known))}; settings of all papers are options of the command",
        )
    name, request = values.get("paper"), values.get("request", "")
    if not isinstance(name, str) or not name.strip() or not isinstance(request, str):
        raise UsageError(f"{where} names no paper, or its request is no text", "write `- paper: FILE`")
    options = {str(key): written_value(str(key), str(value)) for key, value in values.items() if key in OPTIONS}
    if "source" in options:
        options["source"] = str(base / str(options["source"]))
    return _paper(_place(name.strip(), base, where), request, options)


def _paper(name: str, request: str = "", options: Mapping[str, object] | None = None) -> Paper:
    file = Path(name)
    try:
        digest = sha256_bytes(file.read_bytes()) if file.is_absolute() and file.is_file() else ""
    except OSError as error:
        raise UsageError(f"cannot read `{name}`: {error.strerror}", "leave it out, or make it readable") from error
    return Paper(name, request, options or {}, digest)


def _place(name: str, base: Path, where: str) -> str:
    """Return a name as it is where it is a number or address, else the absolute path of a file that is there."""
    if (base / name).exists():
        return str((base / name).resolve())
    if remote_paper(name) is None:
        raise UsageError(f"{where}: there is no `{clean_line(name, 200)}`", f"paths are taken from `{base}`")
    return name
