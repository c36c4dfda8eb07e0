"""The audit record: decisions as a hash chain of lines, and a manifest that seals head and count.

Without a key the chain shows accidental and partial changes; somebody who may write the folder can still forge the
whole of it. Print the head hash where others keep it (the report, a release's label) to notice that too.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from agentsys_policies.errors import PolicyError
from agentsys_policies.schema import Decision

GENESIS = "0" * 64
EVENTS = "events.jsonl"
HEAD = "head.json"
MANIFEST = "manifest.json"


class AuditRecord:
    """Appends decisions to `folder`/events.jsonl; opening it again goes on where an earlier process stopped.

    A half-written last line (the process was killed) is cut off, and an event says so. Any other fault in what lies
    there already is a PolicyError: a record that is not whole is not continued.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        torn = _cut_torn_line(folder / EVENTS)
        lines, problems = _read_chain(folder)
        if problems:
            raise PolicyError(f"the audit record in `{folder}` is not whole: {problems[0]}", "keep it as evidence")
        self._count = len(lines)
        self._head = str(lines[-1]["hash"]) if lines else GENESIS
        if torn:
            self._append("repair", {"cut_bytes": len(torn), "cut_sha256": hashlib.sha256(torn).hexdigest()})

    @property
    def head(self) -> str:
        """Hash of the last event."""
        return self._head

    @property
    def count(self) -> int:
        """Number of events."""
        return self._count

    def append(self, decision: Decision) -> None:
        """Record one decision; it is on disk when this returns."""
        self._append("decision", decision.model_dump(mode="json"))

    def seal(self, facts: Mapping[str, object]) -> Path:
        """Write manifest.json: `facts` with head hash, count and time. May be done again after more events."""
        manifest = {
            "schema_version": 1,
            "sealed": _now(),
            "head": self._head,
            "count": self._count,
            "events_sha256": hashlib.sha256(_read_bytes(self._folder / EVENTS)).hexdigest(),
            "facts": dict(facts),
        }
        manifest["sha256"] = hashlib.sha256(_canonical(manifest)).hexdigest()
        path = self._folder / MANIFEST
        _write_atomic(path, json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
        return path

    def _append(self, kind: str, body: Mapping[str, object]) -> None:
        line: dict[str, object] = {"v": 1, "seq": self._count + 1, "ts": _now(), "kind": kind, "body": dict(body)}
        line["prev"] = self._head
        line["hash"] = hashlib.sha256(_canonical(line)).hexdigest()
        with (self._folder / EVENTS).open("ab") as file:
            file.write(_canonical(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._count += 1
        self._head = str(line["hash"])
        _write_atomic(self._folder / HEAD, json.dumps({"count": self._count, "head": self._head}) + "\n")


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return the events of a record. Raises: PolicyError if the chain is broken."""
    lines, problems = _read_chain(folder)
    if problems:
        raise PolicyError(f"the audit record in `{folder}` is not whole: {problems[0]}")
    return lines


def verify(folder: Path, *, head: str = "") -> list[str]:
    """Recompute chain and seal; return every problem found, an empty list if there is none.

    Args:
        folder: the audit folder of a run.
        head: the head hash noted elsewhere (report, release label); empty compares with the manifest alone.
    """
    lines, problems = _read_chain(folder)
    try:
        manifest = cast("dict[str, Any]", json.loads((folder / MANIFEST).read_bytes()))
        stated = manifest.pop("sha256")
        if hashlib.sha256(_canonical(manifest)).hexdigest() != stated:
            problems.append("the manifest was changed after it was sealed")
        problems += _compare(manifest, lines, hashlib.sha256(_read_bytes(folder / EVENTS)).hexdigest())
        problems += _files(folder, manifest["facts"].get("files", {}))
    except FileNotFoundError:
        problems.append("there is no manifest: the record was never sealed, or the file is missing")
    except (ValueError, KeyError, AttributeError, TypeError):
        problems.append("the manifest is not readable")
    if head and (not lines or lines[-1].get("hash") != head):
        problems.append("the head hash is not the one noted elsewhere")
    return problems


def _compare(manifest: dict[str, Any], lines: list[dict[str, Any]], digest: str) -> list[str]:
    count, sealed = len(lines), manifest["count"]
    if count < sealed:
        return [f"{sealed - count} of {sealed} sealed events are missing at the end"]
    if count > sealed:
        return [f"{count - sealed} events were added after the seal"]
    if manifest["head"] != (lines[-1]["hash"] if lines else GENESIS):
        return ["the head hash differs from the sealed one"]
    return [] if manifest["events_sha256"] == digest else ["the bytes of the events differ from the sealed ones"]


def _files(folder: Path, hashes: dict[str, str]) -> list[str]:
    """Files that were written beside the record, by the hashes in the seal."""
    problems: list[str] = []
    for name, digest in sorted(hashes.items()):
        path = folder / name
        if Path(name).name != name or not path.is_file():
            problems.append(f"`{name}` is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            problems.append(f"`{name}` was changed after the seal")
    return problems


def _read_chain(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the events up to the first fault, and the faults."""
    path = folder / EVENTS
    noted = _noted(folder)
    if not path.exists():
        return [], [f"`{EVENTS}` is missing"] if noted else []
    lines: list[dict[str, Any]] = []
    previous = GENESIS
    raw = _read_bytes(path)
    if raw and not raw.endswith(b"\n"):
        return [], ["the last line is not complete"]
    for number, text in enumerate(raw.splitlines(), 1):
        try:
            line = cast("dict[str, Any]", json.loads(text))
            stated = line.pop("hash")
            whole = line["prev"] == previous and line["seq"] == number and _canonical({**line, "hash": stated}) == text
        except (ValueError, KeyError, AttributeError, TypeError):
            return lines, [f"line {number} is not an event"]
        if not whole or hashlib.sha256(_canonical(line)).hexdigest() != stated:
            return lines, [f"line {number} was changed, or a line before it is missing"]
        lines.append({**line, "hash": stated})
        previous = stated
    return lines, _behind(noted, lines)


def _behind(noted: dict[str, Any], lines: list[dict[str, Any]]) -> list[str]:
    """The head file may be one event behind (killed between the two writes), never ahead."""
    count = noted.get("count", 0)
    if not noted or len(lines) == count + 1:
        return []
    if len(lines) < count:
        return [f"{count - len(lines)} events are missing at the end"]
    same = len(lines) == count and (not lines or lines[-1]["hash"] == noted.get("head"))
    return [] if same else [f"`{HEAD}` does not belong to the events"]


def _noted(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / HEAD).read_bytes())
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {"count": -1}
    except FileNotFoundError:
        return {}
    except ValueError:
        return {"count": -1}


def _cut_torn_line(path: Path) -> bytes:
    raw = _read_bytes(path)
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) != len(raw):
        _write_atomic(path, whole)
    return raw[len(whole) :]


def _read_bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _canonical(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write_atomic(path: Path, data: str | bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
