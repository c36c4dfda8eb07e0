"""Files that a tree runs as programs, whatever they are called: each is judged as what it is run as."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agentsys_policies.schema import Evidence
from agentsys_policies.session import Judged, Language, Ran

_STRUCTURED = (".json", ".yaml", ".yml", ".toml", ".csv", ".ini", ".cfg", ".tsv", ".xml")
"""Of these files a part is run, which nobody can tell from the file."""


@dataclass
class Trace:
    """What the files of a tree run and make, collected while they are examined."""

    ran: list[tuple[Evidence, Ran]] = field(default_factory=list[tuple[Evidence, Ran]])
    made: set[str] = field(default_factory=set[str])
    """Files that are downloaded, or written by what is known only at run time."""
    fetched: set[str] = field(default_factory=set[str])
    """Those that are downloaded."""
    programs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Path and text of what was examined as Python."""

    def take(self, judged: Judged, place: Evidence) -> None:
        """Add what a shell text or an argument list does."""
        self.ran += [(place, item) for item in judged.ran]
        self.made |= judged.made
        self.fetched |= judged.fetched


@dataclass(frozen=True)
class Followed:
    """One file that is run: where it lies in the tree, or nowhere."""

    place: Evidence
    ran: Ran
    paths: tuple[str, ...]


def follow(trace: Trace, paths: Sequence[str]) -> Iterator[Followed]:
    """Yield each file that is run, with the files of the tree that it can be."""
    for place, item in trace.ran:
        folder = posixpath.dirname(place.path)
        names = [posixpath.normpath(posixpath.join(start, item.name)) for start in ("", folder) if item.name]
        exact = [path for path in paths if any(fnmatch.fnmatchcase(path, name) for name in names)]
        # A program may have changed its folder before: then the file is known by its name alone.
        alike = [path for path in paths if posixpath.basename(path) == posixpath.basename(item.name)]
        yield Followed(place, item, tuple(exact or alike))


def language_of(name: str, text: str, language: Language) -> Language:
    """Return the language in which a file is run."""
    if language:
        return language
    return "python" if name.endswith(".py") or "python" in text.split("\n", 1)[0] else "shell"


def can_be_examined(name: str) -> bool:
    """True if the text of a file that is run is the program itself."""
    return not name.lower().endswith(_STRUCTURED)
