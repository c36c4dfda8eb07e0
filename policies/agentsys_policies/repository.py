"""The audit of a whole repository: every gate that needs no run, written down as a folder that can be verified."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from agentsys_policies.advisories import Advisories
from agentsys_policies.decide import rank
from agentsys_policies.engine import Policy
from agentsys_policies.errors import PolicyError
from agentsys_policies.page import page
from agentsys_policies.record import AuditRecord
from agentsys_policies.sarif import sarif
from agentsys_policies.sbom import Installed, from_inspect, from_rows, sbom
from agentsys_policies.schema import Decision

SCRIPT = "reproduce.sh"
_MOST_NAMED = 5
SARIF, SBOM, PAGE = "findings.sarif", "sbom.cdx.json", "report.md"


@dataclass(frozen=True)
class Audit:
    """Decisions of an audit, and the head hash of its record (empty if nothing was written)."""

    decisions: tuple[Decision, ...]
    head: str = ""

    @property
    def allows(self) -> bool:
        """True only if there was something to decide and every gate allows it completely."""
        return bool(self.decisions) and all(item.allows for item in self.decisions)

    def against(self, policy: Policy) -> list[str]:
        """Return what is not allowed, gate by gate, each finding and each file that could not be examined by name."""
        reasons: list[str] = []
        for item in self.decisions:
            if item.allows:
                continue
            grave = [row for row in policy.open_findings(item) if rank(row.severity) >= rank(policy.meta.review_at)]
            words = [f"`{row.rule}` in {row.evidence.path or item.subject}: {row.message}" for row in grave]
            words += [f"{name}" for scanner in item.scanners for name in scanner.skipped]
            shown = words[:_MOST_NAMED] or [item.note or item.status]
            more = [f"{len(words) - len(shown)} more"] if len(words) > len(shown) else []
            reasons.append(f"{item.gate}: {'; '.join([*shown, *more])}")
        return reasons


def audit_repository(
    root: Path,
    policy: Policy,
    *,
    out: Path | None = None,
    installed: Sequence[Installed] = (),
    advisories: Advisories | None = None,
    name: str = "",
    version: str = "0",
    known: frozenset[str] = frozenset(),
) -> Audit:
    """Audit the files, requirements and reproduce script of a repository.

    Args:
        out: an empty or new folder outside the repository that gets record, manifest, SARIF, SBOM and page.
        installed: what is installed in the repository's environment; without it no SBOM is written.
        known: SHA-256 of what a verified run wrote into `results/`.

    Raises: PolicyError if the repository is no folder, or `out` is not empty or lies inside it.
    """
    lines = requirement_lines(root)
    decisions = [policy.audit_code(root, known=known)]
    if lines:
        decisions.append(policy.check_dependencies(lines, advisories=advisories))
    if installed:
        decisions.append(policy.check_installed(installed, advisories))
    if (root / SCRIPT).is_file():
        decisions.append(policy.check_command(["bash", SCRIPT, "smoke"]))
    if out is None:
        return Audit(tuple(decisions))
    return _write(root, policy, decisions, out, installed, advisories, name or root.resolve().name, version)


def _write(
    root: Path,
    policy: Policy,
    decisions: list[Decision],
    out: Path,
    installed: Sequence[Installed],
    advisories: Advisories | None,
    name: str,
    version: str,
) -> Audit:
    if out.resolve().is_relative_to(root.resolve()):
        raise PolicyError(f"`{out}` lies inside the repository", "name a folder outside of it")
    if out.is_dir() and any(out.iterdir()):
        raise PolicyError(f"`{out}` is not empty", "name a new folder")
    record = AuditRecord(out)
    for item in decisions:
        record.append(item)
    files = {SARIF: _json(sarif(decisions, policy.rules, version))}
    if installed:
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        files[SBOM] = _json(sbom(name, "0", installed, ts=now, tool_version=version))
    files[PAGE] = page(name, decisions, head=record.head, installed=installed, advisories=advisories)
    write_beside(out, files, record, {"tree": decisions[0].sha256, "policy": policy.ref.model_dump(), "name": name})
    return Audit(tuple(decisions), record.head)


def write_beside(out: Path, files: dict[str, str], record: AuditRecord, facts: dict[str, object]) -> None:
    """Write files beside a record and seal it; the seal holds their hashes."""
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    record.seal({**facts, "files": hashes})


def requirement_lines(root: Path) -> list[str]:
    """Return the lines of requirements*.txt and of the project's own list of dependencies.

    Raises: PolicyError if a file cannot be read: what was not seen is not allowed.
    """
    lines: list[str] = []
    try:
        for path in sorted(root.glob("requirements*.txt")):
            lines += path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        project = root / "pyproject.toml"
        if project.is_file():
            lines += _declared(tomllib.loads(project.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"the requirements in `{root}` cannot be read: {error}", "correct the file") from error
    return [line for line in lines if line.strip() and not line.strip().startswith("#")]


def _declared(loaded: dict[str, Any]) -> list[str]:
    project = cast("dict[str, Any]", loaded.get("project", {}))
    build = cast("dict[str, Any]", loaded.get("build-system", {}))
    extras = cast("dict[str, list[str]]", project.get("optional-dependencies", {}))
    rows = [project.get("dependencies", []), *extras.values(), build.get("requires", [])]
    return [str(line) for row in rows for line in cast("list[object]", row)]


def read_installed(path: Path) -> list[Installed]:
    """Read what is installed: JSON of `pip inspect`, of `pip list --format=json`, or of a run. Raises: PolicyError."""
    try:
        loaded: object = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PolicyError(f"`{path}` is no list of installed packages: {error}") from error
    if isinstance(loaded, dict) and "installed" in loaded:
        return from_inspect(cast("dict[str, Any]", loaded))
    if isinstance(loaded, dict) and "packages" in loaded:
        return from_rows(cast("list[dict[str, object]]", loaded["packages"]))
    if isinstance(loaded, list):
        return from_rows(cast("list[dict[str, object]]", loaded))
    raise PolicyError(f"`{path}` is no list of installed packages", "make it with `pip inspect`")


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
