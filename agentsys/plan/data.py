"""Data of the paper's own scale: what a planned source must say, and what lies below `data/` once it is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name
from pydantic import Field, ValidationError

from agentsys.core.artifacts import Artifact, DataKind, DataSource, Dependency, Plan
from agentsys.core.errors import UnsafePath
from agentsys.core.paths import clean_name

DATA = "data"
"""Folder of a repository in which a run finds its data."""
FILE = "data.json"
"""File of a run that says what of the planned data is there."""
TORCHVISION = ("CIFAR10", "CIFAR100", "FashionMNIST", "MNIST")
"""Data sets of torchvision that are files without pickles."""
SHOWN = 12
"""Files of one source that an agent is shown."""
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_FORM: dict[DataKind, tuple[str, str]] = {
    "package": (r"[A-Za-z0-9][A-Za-z0-9._-]*", "the name of a distribution"),
    "huggingface": (r"[\w-][\w.-]*(/[\w-][\w.-]*)?", "`owner/name`"),
    "torchvision": ("|".join(TORCHVISION), f"one of {', '.join(TORCHVISION)}"),
    "openml": (r"\d{1,9}", "the number of a data set"),
    "uci": (r"\d{1,6}/[\w+-]{1,120}", "number and name, such as `53/iris`"),
    "libsvm": (
        r"(binary|multiclass|regression|multilabel|string)/[\w][\w.+-]*",
        "group and file: `binary/a9a`",
    ),
    "zenodo": (r"(10\.5281/zenodo\.)?\d{1,12}", "the number or DOI of a record"),
    "figshare": (r"(10\.6084/m9\.figshare\.)?\d{1,12}(\.v\d{1,3})?", "the number or DOI of an article"),
    "dataverse": (r"10\.\d{4,9}/[\w./;()-]+", "a DOI"),
    "doi": (r"10\.\d{4,9}/[\w./;()-]+", "a DOI"),
    "url": (r"https?://\S+", "an https address"),
    "folder": (r"[^\0]{0,300}", "words"),
}


class Held(Artifact):
    """One planned source, as far as it is there."""

    name: str
    state: Literal["here", "package", "absent"] = "absent"
    why: str = Field(default="", description="why it is absent")
    licence: str = ""
    size: int = Field(default=0, description="bytes")
    number: int = Field(default=0, description="how many files there are")
    files: dict[str, str] = Field(default={}, description="path below `data/NAME` of the first -> what is in it")


class DataState(Artifact):
    """What of a plan's data is there (`data.json` of a run); written before any code, and by `agentsys data`."""

    asked: Literal["", "yes", "no"] = Field(default="", description="what a person said to fetching it")
    sources: tuple[Held, ...] = ()

    def held(self, name: str) -> Held:
        """Return how one source stands; absent where nothing is known of it."""
        return next((row for row in self.sources if row.name == name), Held(name=name))


def read_state(run: Path) -> DataState:
    """Return what a run knows of its data; nothing where the file is absent or damaged."""
    try:
        return DataState.model_validate_json((run / FILE).read_bytes())
    except (OSError, ValidationError):
        return DataState()


def data_problems(sources: Sequence[DataSource]) -> list[str]:
    """Check sources: names, identifiers of their kind, addresses that are https, plain names of files."""
    names = [source.name for source in sources]
    problems = [f"data source `{name}` stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for source in sources:
        problems += [f"data source `{source.name}`: {problem}" for problem in _problems(source)]
    return problems


def _problems(source: DataSource) -> list[str]:
    form, words = _FORM[source.kind]
    problems: list[str] = []
    if not re.fullmatch(form, source.identifier):
        problems.append(f"`identifier` of the kind {source.kind} is {words}, not {source.identifier[:80]!r}")
    if source.kind == "url":
        problems += _address_problems(source)
    if source.kind == "package" and not source.files and source.splits:
        problems.append("`files` names what of the package is counted")
    for name in (*source.files, *(name for split in source.splits for name in split.files)):
        try:
            clean_name(name.replace("*", "x").replace("?", "x"))
        except UnsafePath as error:
            problems.append(f"file {name[:80]!r}: {error.message}")
    twice = {split.name for split in source.splits}
    return problems + ([] if len(twice) == len(source.splits) else ["two splits have one name"])


def _address_problems(source: DataSource) -> list[str]:
    try:
        parts = urlsplit(source.identifier)
        host, user = parts.hostname, parts.username or parts.password
    except ValueError:
        return [f"{source.identifier[:80]!r} is no address"]
    if not host or (parts.scheme != "https" and host not in LOCAL):
        return [f"`{source.identifier[:80]}` is no https address"]
    if user or parts.query or parts.fragment:
        return ["an address holds no user, query or fragment"]
    if source.identifier.endswith("/") != bool(source.files):
        return ["an address that ends in `/` needs `files` below it, and another one has none"]
    return ["`files` of an address are names, not patterns"] if any(set("*?[") & set(n) for n in source.files) else []


def unshipped(sources: Sequence[DataSource], dependencies: Sequence[Dependency]) -> list[str]:
    """Check that a package which ships data is a dependency."""
    known = {canonicalize_name(row.name) for row in dependencies}
    return [
        f"data source `{source.name}` is shipped by `{source.identifier}`, which is not in `dependencies`"
        for source in sources
        if source.kind == "package" and canonicalize_name(source.identifier) not in known
    ]


def matching(files: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the files, sorted, that any of the patterns names; without patterns all."""
    return sorted(name for name in files if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns))


def here_lines(plan: Plan, run: Path) -> list[str]:
    """Return the lines of those sources that a run's programs can read: what was fetched, and what packages ship."""
    state = read_state(run)
    there = [row for row in plan.data if row.kind == "package" or state.held(row.name).state == "here"]
    return data_lines(there, state)


def data_lines(sources: Sequence[DataSource], state: DataState) -> list[str]:
    """Return a line or more a source: where it lies, what is in it, what it stands for."""
    lines: list[str] = []
    for source in sources:
        held = state.held(source.name)
        where = f"in the package `{source.identifier}`" if source.kind == "package" else f"`{DATA}/{source.name}/`"
        splits = "; ".join(f"{row.name}: {row.count}" for row in source.splits)
        instead = f" Stands in for it where it is not: {source.stand_in}" if source.stand_in else ""
        lines.append(f"- {where} ({source.label}){f'; {splits}' if splits else ''}.{instead}")
        shown = list((held.files or dict.fromkeys(source.files, "")).items())[:SHOWN]
        lines += [f"  - `{name}`{f': {words}' if words else ''}" for name, words in shown]
        lines += [f"  - and {held.number - len(shown)} more"] if held.number > len(shown) else []
        if source.kind != "package" and held.state != "here":
            layout = "in the layout above" if shown else "as its source lays it out"
            lines.append(f"  - not here yet: read it {layout}, and fail clearly where it is absent")
    return lines
