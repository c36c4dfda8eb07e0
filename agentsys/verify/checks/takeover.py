"""What a repair could not have touched is not run again: a run that reads the same files in the same environment.

Most repairs change a test. The profile's run, what is judged of its results, and its variants read no test; where they
passed in an earlier round on the same files, plan, packages and backend, that round's evidence is taken over, and the
check says so. A replay takes over nothing.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from agentsys.core.artifacts import Verdict
from agentsys.core.tree import is_test_path, tree_hash
from agentsys.core.version import agentsys_version
from agentsys.verify.checks.base import Bench, CheckSpec, Found
from agentsys.verify.checks.install import LOCK
from agentsys.verify.withheld import shown

KEY = "run.key"
"""File of a round that holds the hash of all that its run could read."""
_LISTS = re.compile(
    r"\b(?:i?glob|r?glob|listdir|iterdir|scandir|f?walk|subprocess|os\.system|popen|pytest|unittest)\b", re.I
)
_LISTS_SHELL = re.compile(r"\b(?:find|ls|tar|zip|git|rsync|pytest|unittest)\b|/\*|\*[./]")
"""Words by which a program could come to read files that it does not name."""


def run_key(bench: Bench) -> str:
    """Return the hash of all that the profile's run can read; empty where that may be the tests."""
    job = bench.job
    read = {name: data for name, data in shown(job.files).items() if not is_test_path(name)}
    lock = job.out / LOCK
    replayed = (job.out.parent / "replay").exists()  # what was taken over may be what hid the fault
    if job.stage != "verify" or replayed or not lock.is_file() or _may_read_tests(read, job.files.keys() - read.keys()):
        return ""
    parts = (tree_hash(read), job.plan.model_dump_json(), job.profile, str(job.timeout), agentsys_version())
    place = (lock.read_text(encoding="utf-8"), bench.sandbox.describe().backend)
    return hashlib.sha256("\0".join((*parts, *place)).encode()).hexdigest()


def _may_read_tests(read: Mapping[str, bytes], tests: Iterable[str]) -> bool:
    """True where a program names a test, or may list folders."""
    folders = {part for path in tests for part in path.split("/")[:-1]}
    stems = {path.rpartition("/")[2].partition(".")[0] for path in tests}
    quoted = "|".join(map(re.escape, sorted(folders))) or "(?!)"
    named = "|".join(map(re.escape, sorted(stems - {"__init__"}))) or "(?!)"
    names = re.compile(rf"""['"/\s](?:{quoted})['"/\\.]|\b(?:{named})\b""")
    for name, data in read.items():
        text = data.decode("utf-8", "replace")
        lists = _LISTS if name.endswith(".py") else _LISTS_SHELL if name.endswith(".sh") else None
        if names.search(text) or (lists is not None and lists.search(text)):
            return True
    return False


def taken_over(bench: Bench, spec: CheckSpec) -> Found | None:
    """Return what an earlier round found by a check on all the same input, with its evidence; None where none passed.

    Leaves what the check leaves on the bench.
    """
    key = run_key(bench) if spec.leaves else ""
    if not key:
        return None
    out = bench.job.out
    for file in sorted(out.parent.glob(f"[0-9]*/{KEY}"), reverse=True):
        stored = file.parent / "verdict.json"
        if file.parent == out or file.read_text(encoding="utf-8") != key or not stored.is_file():
            continue
        verdict = Verdict.model_validate_json(stored.read_bytes())
        check = next((row for row in verdict.checks if row.name == spec.name and row.state == "passed"), None)
        if check is None or not all((file.parent / name).exists() for name in spec.leaves):
            continue
        for name in spec.leaves:
            _copy(file.parent / name, out / name)
        if spec.name == "results":
            bench.exported = next((found.parent for found in sorted((out / "export").rglob("results.json"))), None)
        bench.run_seconds = check.seconds if spec.name == "smoke" else bench.run_seconds
        note = f"as in round {verdict.round}, nothing that it reads has changed: {check.note}"
        log = check.log.replace(file.parent.name, out.name, 1)
        return Found(check.model_copy(update={"note": note, "log": log}))
    return None


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
