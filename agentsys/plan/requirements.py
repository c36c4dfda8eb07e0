"""The repository's own requirements: requirements files and pyproject.toml, read without running anything."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast

from packaging.requirements import InvalidRequirement, Requirement

from agentsys.core.artifacts import Diagnostic
from agentsys.plan import conda
from agentsys.plan.repo_facts import RepoFacts

FILES = ("requirements.txt", "requirements-dev.txt", "requirements-test.txt", "requirements_dev.txt")
_EXTRAS = ("dev", "test", "tests", "testing")
_INDEX_OPTION = re.compile(
    r"^(-i|--index-url|--extra-index-url|--find-links|-f|--trusted-host|--no-index|--pre|--prefer-binary|--only-binary"
    r"|--no-binary|--require-hashes|--use-feature)\b"
)
_INCLUDE = re.compile(r"^(?:-r|--requirement[ =])\s*(\S+)$")
_CONSTRAINT = re.compile(r"^(?:-c|--constraint[ =])\s*(\S+)$")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks; the one of UTF-32 begins like that of UTF-16."""
_CODING = re.compile(rb"^[ \t]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)
_ELSEWHERE = re.compile(
    r"(?:-e|--editable)?[ =]?\s*(?:(?:git|hg|svn|bzr)\+|https?://|ssh://|file:|git@|\.{1,2}/|/|~/)\S"
    r"|[\w.-]+(?:\[[^\]]*\])?\s*@|\S+\.(?:whl|zip|tar\.\w+)$"
)
_HASH = re.compile(r"\s--hash[= ]\S+")
_BUILD_OPTION = re.compile(r"\s(?:--global-option|--install-option|--config-settings?|-C)[= ]\s*(?:\"[^\"]*\"|\S+)")
"""What pip passes to the build of one package; only wheels are installed."""


@dataclass
class Requirements:
    """What the repository says it needs."""

    lines: list[str] = field(default_factory=list[str])
    """Hashes stay in them: a file that has none of those is never installed."""
    constraints: list[str] = field(default_factory=list[str])
    """Lines of constraints files: versions for what something else asks for."""
    project: bool = False
    """True where pyproject.toml describes an installable project."""
    source: str = ""
    """File that most lines came from."""
    ignored: list[str] = field(default_factory=list[str])
    """Index options, since packages come from the user's own index; and what of a conda file wheels bring along."""
    faults: list[Diagnostic] = field(default_factory=list[Diagnostic])


def read_requirements(files: Mapping[str, bytes], facts: RepoFacts) -> Requirements:
    """Collect the requirement lines of the repository, with a diagnostic for each line that is not valid."""
    found = Requirements()
    seen: set[str] = set()
    for name in FILES:
        if name in files:
            found.source = found.source or name
            _read_file(name, files, found, facts, seen)
    if "pyproject.toml" in files:
        _read_project(files["pyproject.toml"], found, facts)
    name = next((name for name in conda.FILES if name in files), "")
    if name and not found.source:
        _read_conda(name, files[name], found, facts)
    return found


def _read_conda(name: str, data: bytes, found: Requirements, facts: RepoFacts) -> None:
    """Take a conda environment for what is needed, where nothing else says it and all of it can be translated."""
    found.source = name
    try:
        lines, found.ignored = conda.translated(decoded(data))
    except conda.CondaError as error:
        found.faults.append(_fault(name, None, f"`{name}` cannot be translated: {error}", "", facts))
        return
    for line in lines:
        _add(line, name, None, found, facts)


def _read_file(name: str, files: Mapping[str, bytes], found: Requirements, facts: RepoFacts, seen: set[str]) -> None:
    if name in seen:
        return
    seen.add(name)
    for number, raw in _joined(decoded(files[name])):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        other = _INCLUDE.match(line) or _CONSTRAINT.match(line)
        if not line:
            continue
        if other:
            target = str(PurePosixPath(name).parent / other[1])
            if target not in files:
                found.faults.append(_fault(name, number, f"`{other[1]}` does not exist", line, facts))
            elif line.startswith(("-c", "--constraint")):
                found.constraints += _plain_lines(files[target])
            else:
                _read_file(target, files, found, facts, seen)
        elif _INDEX_OPTION.match(line):
            found.ignored.append(line)
        elif re.match(r"^(-e|--editable)[ =]\s*\.(\[[\w,]+\])?$|^\.(\[[\w,]+\])?$", line):
            found.project = found.project or "pyproject.toml" in files
        else:
            found.ignored += [option.strip() for option in _BUILD_OPTION.findall(line)]
            _add(_BUILD_OPTION.sub("", line), name, number, found, facts)


def decoded(data: bytes) -> str:
    """Return the text of a requirements file as pip reads it: by its mark, its coding line, otherwise UTF-8."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.removeprefix(mark if name == "utf-8" else b"").decode(name, "replace")
    coding = _CODING.search(b"\n".join(data.split(b"\n", 2)[:2]))
    try:
        return data.decode(coding[1].decode("ascii") if coding else "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers; one that ends in a backslash goes on in the next."""
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        start = start if parts else number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            parts.append(raw[:-1])
            continue
        yield start, " ".join([*parts, raw])
        parts = []
    if parts:
        yield start, " ".join(parts)


def _plain_lines(data: bytes) -> list[str]:
    lines = (re.sub(r"(^|\s)#.*$", "", raw).strip() for _, raw in _joined(decoded(data)))
    return [line for line in lines if line and not line.startswith("-")]


def _add(line: str, name: str, number: int | None, found: Requirements, facts: RepoFacts) -> None:
    if _ELSEWHERE.match(line):
        why = "it asks for a place outside the package index, and nothing is fetched from there"
        message = f"`{line[:100]}` is refused: {why}; name a released version instead"
        found.faults.append(_fault(name, number, message, line, facts))
        return
    try:
        Requirement(_HASH.sub("", line))
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        found.faults.append(_fault(name, number, f"`{line[:100]}` is not a valid requirement: {reason}", line, facts))
        return
    if line not in found.lines:
        found.lines.append(line)


def _read_project(data: bytes, found: Requirements, facts: RepoFacts) -> None:
    try:
        document = tomllib.loads(data.decode("utf-8", "replace"))
    except tomllib.TOMLDecodeError as error:
        fault = _fault("pyproject.toml", None, f"pyproject.toml is not valid TOML: {error}", "", facts)
        found.faults.append(fault.model_copy(update={"kind": "syntax"}))
        return
    project = _table(document.get("project"))
    found.project = found.project or "build-system" in document or "name" in project
    if found.project and not found.source:
        found.source = "pyproject.toml"
    extras = _table(project.get("optional-dependencies"))
    groups = _table(document.get("dependency-groups"))
    for table in (extras, groups):
        for name in _EXTRAS:
            for item in _strings(table.get(name)):
                _add(item, "pyproject.toml", None, found, facts)


def project_requirements(files: Mapping[str, bytes]) -> list[str]:
    """Return everything else that pyproject.toml would have installed: of the project, its extras and its build.

    Dependencies that are computed while building cannot be known; they are returned as a line that is no requirement.
    """
    try:
        document = tomllib.loads(files.get("pyproject.toml", b"").decode("utf-8", "replace"))
    except tomllib.TOMLDecodeError:
        return ["unreadable pyproject.toml"]
    project = _table(document.get("project"))
    lines = [*_strings(project.get("dependencies")), *_strings(_table(document.get("build-system")).get("requires"))]
    for table in (_table(project.get("optional-dependencies")), _table(document.get("dependency-groups"))):
        lines += [item for items in table.values() for item in _strings(items)]
    if {"dependencies", "optional-dependencies"} & set(_strings(project.get("dynamic"))):
        lines.append("dependencies computed while building")
    return lines


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _strings(value: object) -> list[str]:
    return [item for item in cast("list[object]", value) if isinstance(item, str)] if isinstance(value, list) else []


def _fault(path: str, line: int | None, message: str, symbol: str, facts: RepoFacts) -> Diagnostic:
    return Diagnostic(
        kind="bad_pin",
        check="install",
        message=message,
        path=path,
        line=line,
        symbol=symbol[:100],
        requirements=facts.requirements(path),
    )
