"""What yesterday's idioms do on today's releases: a table that `python -m benchmarks.removals` holds to the index."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field

_ALIASES = {"gym": "gymnasium", "sklearn": "scikit-learn", "pytorch-lightning": "torch", "torchvision": "torch"}
"""Distributions whose users write another library's idioms."""
_MOST = 6
"""Replacements that are named beside one set of diagnostics."""


class Removal(BaseModel):
    """One row. The code in it is run by the benchmark only.

    `since` is the first release with the change, `error` a pattern of the exception; a silent change has none: the
    program goes on with another result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: str
    since: str
    old: str
    new: str
    source: str
    error: str = ""
    fails: str = ""
    works: str = ""
    shows: str = ""
    needs: tuple[str, ...] = Field(default=(), description="further distributions that the row's code takes")

    @property
    def words(self) -> str:
        """Old and new idiom in one line."""
        what = "has changed without an error" if not self.error else "is gone"
        return f"{self.old} {what} ({self.library} {self.since}): {self.new}"


@cache
def table() -> tuple[Removal, ...]:
    """Return all rows, silent changes first."""
    rows = tomllib.loads(files("agentsys.plan").joinpath("removals.toml").read_text(encoding="utf-8"))["row"]
    return tuple(sorted(map(Removal.model_validate, rows), key=lambda row: bool(row.error)))


def touched(dependencies: Iterable[tuple[str, str]]) -> list[Removal]:
    """Return the rows that some distributions meet, silent changes first.

    Args:
        dependencies: name and version specifier of each; releases before a change do not meet it.
    """
    asked = {_library(name): specifier for name, specifier in dependencies}
    return [row for row in table() if row.library in asked and _reaches(asked[row.library], Version(row.since))]


def _library(name: str) -> str:
    normal = canonicalize_name(name)
    return _ALIASES.get(normal, normal)


def _reaches(specifier: str, since: Version) -> bool:
    """Return whether a specifier may allow a release with the change: no upper bound lies before it."""
    try:
        bounds = [(item.operator, Version(item.version.removesuffix(".*"))) for item in SpecifierSet(specifier)]
    except (InvalidSpecifier, InvalidVersion):
        return True
    return not any(
        (operator in ("<=", "==", "===") and bound < since) or (operator == "<" and bound <= since)
        for operator, bound in bounds
    )


def replacements(text: str) -> list[Removal]:
    """Return the rows whose error stands in a text, in the order of the table."""
    return [row for row in table() if row.error and re.search(row.error, text)][:_MOST]
