"""What is asked for, and what a sandbox does for it: the inputs of a resolution."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from agentsys_sandbox.box import OnOutput
from agentsys_sandbox.spec import ExecResult

DEFAULT_BACKEND = ("setuptools>=40.8.0",)
"""Build requirements of a source that names none (PEP 517)."""
_HASH = re.compile(r"\s--hash[= ](\S+)")
_STATIC_BACKENDS = ("setuptools.build_meta", "hatchling.build", "flit_core.buildapi", "poetry.core.masonry.api")


@dataclass(frozen=True)
class ProjectSource:
    """The repository itself, where it describes an installable project.

    Attributes:
        key: changes whenever its editable wheel might.
        requires: build requirements of its pyproject.toml.
    """

    key: str
    requires: tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """What to install. `limit` in seconds.

    Attributes:
        requirements: requirement lines without options, addresses and paths.
        constraints: pins that restrict versions without asking for a package.
        project: the repository itself, to be installed editable; None leaves it out.
        on_output: told what uv says, line by line, without terminal controls.
        hashes: SHA-256 of the files that may be taken, for each normal name that a line names hashes for.
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    project: ProjectSource | None = None
    limit: float = 600.0
    on_output: OnOutput | None = None
    hashes: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class BuildJob:
    """One build inside a sandbox.

    Attributes:
        source: file name and content of the source distribution; None builds an editable wheel of `/work/repo`.
        environment: folder on this machine with the build requirements.
        given: the build requirements that are in it.
        limit: seconds.
    """

    source: tuple[str, bytes] | None
    environment: Path
    given: tuple[str, ...]
    limit: float


@dataclass(frozen=True)
class Built:
    """What came of a build inside the sandbox.

    Attributes:
        result: how it ended, its output included.
        wheel: file name and content; None where there is none.
        requires: what the build backend asks for besides, before it can build (`get_requires_for_build_*`).
    """

    result: ExecResult
    wheel: tuple[str, bytes] | None = None
    requires: tuple[str, ...] = ()


class Builder(Protocol):
    """Builds wheels inside a sandbox without network, in a program of its own; given by the backend."""

    async def build(self, job: BuildJob) -> Built:
        """Put `job.files` below `inside.BUILD`, run `job.argv` with `job.environment` mounted read-only at
        `/work/venv`, read `inside.OUT`, and return `inside.read_built` of it.
        """
        ...


class BadRequirement(ValueError):
    """A line that no installer may see. `denied` is True where the line is well-formed and asks for what it may not."""

    def __init__(self, message: str, *, denied: bool) -> None:
        super().__init__(message)
        self.denied = denied


def checked(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines in normal form: nothing but names, versions, extras and markers gets to uv.

    Raises: BadRequirement.
    """
    found: list[str] = []
    for line in lines:
        text = line.split(" #", 1)[0].strip()
        if not text or text.startswith("#"):
            continue
        text = _HASH.sub("", text).strip()
        if text.startswith("-"):
            raise BadRequirement(f"`{text[:200]}` is an option, not a requirement", denied=True)
        try:
            asked = Requirement(text)
        except InvalidRequirement as error:
            outside = "://" in text or text.startswith((".", "/", "~"))
            why = "asks for a place outside the package index" if outside else str(error).splitlines()[0]
            words = f"`{text[:200]}` {why}" if outside else f"Failed to parse: `{text[:200]}`: {why}"
            raise BadRequirement(words, denied=outside) from error
        if asked.url:
            raise BadRequirement(f"`{text[:200]}` asks for a place outside the package index", denied=True)
        found.append(str(asked))
    return tuple(found)


def hashes_of(lines: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The hashes that lines of the form `name==1.0 --hash=sha256:...` name, by normal name.

    Raises: BadRequirement for a hash that cannot be checked.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        named = [match[1] for match in _HASH.finditer(line.split(" #", 1)[0])]
        strange = [each for each in named if not re.fullmatch(r"sha256:[0-9a-f]{64}", each)]
        if strange:
            raise BadRequirement(f"Failed to parse: `{line[:100]}`: `{strange[0][:40]}` is no SHA-256", denied=False)
        if named:
            name = canonicalize_name(re.split(r"[^\w.-]", line.strip(), maxsplit=1)[0])
            found[name] = (*found.get(name, ()), *(each.removeprefix("sha256:") for each in named))
    return tuple(sorted(found.items()))


def project_source(files: Mapping[str, bytes]) -> ProjectSource | None:
    """The installable project of a repository; None where its pyproject.toml describes none.

    Args:
        files: path in the repository -> content.

    Raises: BadRequirement where pyproject.toml cannot be read.
    """
    if "pyproject.toml" not in files:
        return None
    try:
        table = tomllib.loads(files["pyproject.toml"].decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRequirement(f"Failed to parse: `pyproject.toml`: {error}", denied=False) from error
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name] if _matters(name, table, files) else b""
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return ProjectSource(digest.hexdigest(), build_requires(table))


def build_requires(pyproject: Mapping[str, Any]) -> tuple[str, ...]:
    """`build-system.requires` of a pyproject.toml, unchecked."""
    system = pyproject.get("build-system")
    requires = cast("dict[str, Any]", system).get("requires") if isinstance(system, dict) else None
    if not isinstance(requires, list):
        return DEFAULT_BACKEND
    return tuple(str(each) for each in cast("list[Any]", requires))


def _matters(name: str, pyproject: Mapping[str, Any], files: Mapping[str, bytes]) -> bool:
    """False for a file whose content cannot be seen in an editable wheel: that of a module of a static project."""
    project, system = pyproject.get("project"), pyproject.get("build-system")
    static = isinstance(project, dict) and not cast("dict[str, Any]", project).get("dynamic")
    backend = cast("dict[str, Any]", system).get("build-backend") if isinstance(system, dict) else None
    plain = static and backend in _STATIC_BACKENDS and "setup.py" not in files and "hatch_build.py" not in files
    return not plain or len(PurePosixPath(name).parts) == 1
