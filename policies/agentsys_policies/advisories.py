"""Published vulnerabilities, looked up in a file on this machine: no network, and the age of the data is said.

Two forms are read: a folder or zip of OSV records (https://ossf.github.io/osv-schema/, e.g. the export of a database),
and one JSON object {package: {advisory id: [affected versions]}}
whose file name holds the day of the data.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from agentsys_policies.errors import PolicyError

MALICIOUS = "MAL-"
"""Ids of this prefix name packages that are malicious as a whole."""
_MOST_RECORDS = 500_000


@dataclass
class Advisories:
    """Advisories by package."""

    source: str
    date: str
    """Day of the youngest record; where records have none, the day in the file's name."""
    exact: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict[str, dict[str, frozenset[str]]])
    ranges: dict[str, dict[str, list[tuple[str, str]]]] = field(
        default_factory=dict[str, dict[str, list[tuple[str, str]]]]
    )

    def affecting(self, name: str, version: str) -> list[str]:
        """Return the ids of the advisories that affect this version, sorted; one that names no version affects all."""
        key = canonicalize_name(name)
        found = {
            identity
            for identity, versions in self.exact.get(key, {}).items()
            if version in versions or (not versions and identity not in self.ranges.get(key, {}))
        }
        found |= {
            identity
            for identity, spans in self.ranges.get(key, {}).items()
            if any(_between(version, introduced, fixed) for introduced, fixed in spans)
        }
        return sorted(found)

    @property
    def packages(self) -> int:
        """Number of packages with at least one advisory."""
        return len({*self.exact, *self.ranges})


def read_advisories(path: Path) -> Advisories:
    """Read advisory data. Raises: PolicyError if there is none or it cannot be read."""
    try:
        if path.is_file() and path.suffix == ".json":
            return _compact(path)
        found = Advisories(str(path), "")
        for number, record in enumerate(_records(path)):
            if number >= _MOST_RECORDS:
                raise PolicyError(f"`{path}` holds more than {_MOST_RECORDS} records")
            _add(found, record)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, PolicyError):
            raise
        raise PolicyError(f"the advisory data in `{path}` cannot be read: {error}") from error
    if not found.packages:
        raise PolicyError(f"there is no advisory in `{path}`", "name a folder or zip of OSV records, or a JSON file")
    return found


def _compact(path: Path) -> Advisories:
    loaded = cast("dict[str, dict[str, list[str] | None]]", json.loads(path.read_bytes()))
    day = re.search(r"\d{4}-\d{2}-\d{2}", path.name)
    exact: dict[str, dict[str, frozenset[str]]] = {
        canonicalize_name(name): {identity: frozenset(versions or ()) for identity, versions in rows.items()}
        for name, rows in loaded.items()
    }
    return Advisories(str(path), day.group(0) if day else "an unknown day", exact)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield json.loads(file.read_bytes())
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def _add(found: Advisories, record: dict[str, Any]) -> None:
    if record.get("withdrawn"):
        return
    found.date = max(found.date, str(record.get("modified", ""))[:10])
    for affected in record.get("affected", []):
        package = affected.get("package", {})
        if package.get("ecosystem") != "PyPI":
            continue
        name, identity = canonicalize_name(str(package.get("name", ""))), str(record["id"])
        versions = frozenset(str(version) for version in affected.get("versions", []))
        found.exact.setdefault(name, {})[identity] = versions
        spans = [
            span for item in affected.get("ranges", []) if item.get("type") == "ECOSYSTEM" for span in _spans(item)
        ]
        if spans:
            found.ranges.setdefault(name, {})[identity] = spans


def _spans(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    introduced = ""
    for event in item.get("events", []):
        if "introduced" in event:
            introduced = str(event["introduced"])
        elif "fixed" in event:
            yield introduced or "0", str(event["fixed"])
            introduced = ""
    if introduced:
        yield introduced, ""


def _between(version: str, introduced: str, fixed: str) -> bool:
    try:
        here = Version(version)
        return here >= Version(introduced) and (not fixed or here < Version(fixed))
    except InvalidVersion:
        return False
