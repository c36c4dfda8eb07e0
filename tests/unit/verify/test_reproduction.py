"""A profile that is run later: what it needs, what it leaves behind, and what of it enters the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import Verdict
from agentsys.core.errors import BlockedError, SandboxUnavailable, UsageError
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.report.data import collect
from agentsys.report.markdown import markdown
from agentsys.report.pages import as_json
from agentsys.report.summary import summary
from agentsys.run.reproduce import Order, Reproduced, reproduce
from agentsys.verify.datafiles import read_folder
from agentsys.verify.reproduction import FILE, Reproduction
from agentsys_policies.engine import Policy
from agentsys_policies.record import MANIFEST
from agentsys_sandbox.fake import Call, FakeSandbox, Files, passed
from agentsys_sandbox.spec import ExecResult, Outcome, SandboxSpec
from unit.verify.delivered import audit, deliver
from unit.verify.scripted import RESULTS, Twist, ends, gone, scripted

FULL: dict[str, Any] = {"mean": 1.55, "large": 9.0, "scale": "all numbers"}
STALLED = {"health": [{"experiment": "mean", "quantity": "loss", "start": 1.0, "end": 1.0, "better": "lower"}]}


class Later:
    """One delivered run and the sandboxes that were opened for it."""

    def __init__(self, root: Path) -> None:
        self.run = deliver(root)
        self.made: list[FakeSandbox] = []
        self.specs: list[SandboxSpec] = []
        self.printed: list[bytes] = []
        self.settings = Settings()

    async def go(self, twist: Twist, *, profile: str = "full", data: Path | None = None, **kind: Twist) -> Reproduced:
        def opener(spec: SandboxSpec) -> FakeSandbox:
            self.specs.append(spec)
            self.made.append(scripted({"smoke": twist, **kind}))
            return self.made[-1]

        folder = read_folder(data) if data is not None else None
        order = Order(profile, 600.0, folder, lambda _, piece: self.printed.append(piece), opener)  # type: ignore[arg-type]
        return await reproduce(self.run, self.settings, order)


@pytest.fixture(autouse=True)
def policy_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one; reading its rules takes most of a second."""
    monkeypatch.setattr(Policy, "load", staticmethod(_load))


_read = Policy.load


@cache
def _load(*args: Any) -> Policy:
    return _read(*args)


@pytest.fixture
def later(tmp_path: Path) -> Later:
    return Later(tmp_path)


def writes(data: dict[str, Any]) -> Twist:
    def twist(call: Call, files: Files) -> ExecResult:
        files[RESULTS] = json.dumps(data).encode()
        return passed(b"epoch 1\n")

    return twist


def verdict_of(done: Reproduced) -> Verdict:
    return Verdict.model_validate_json((done.folder / "verdict.json").read_bytes())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_run_of_the_full_profile_leaves_its_evidence_and_changes_nothing_of_the_repository(
    later: Later, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/numbers.txt").write_text("1\n2\n")
    before = contents(later.run.repo)
    done = await later.go(writes(FULL), data=tmp_path / "d")
    assert contents(later.run.repo) == before
    assert done.record.passed and done.record.number == 1 and done.record.data.startswith("1 files")
    names = {path.name for path in (later.run.path / "reproductions/01").iterdir()}
    assert {FILE, "verdict.json", "run.log", "install.log", "results.json", "health.log", "table.json"} <= names
    stored = Reproduction.model_validate_json((done.folder / FILE).read_bytes())
    assert stored == done.record and len(stored.data_sha256) == 64
    assert ("bash", "reproduce.sh", "full") in [call.argv for call in later.made[0].calls]
    assert b"epoch 1\n" in later.printed
    assert later.specs[0].limits.ttl > 600.0
    assert not later.made[0].open
    second = await later.go(writes(FULL))
    assert second.record.number == 2


async def test_full_numbers_stand_in_place_of_smoke_ones_and_both_are_shown(later: Later) -> None:
    before = collect(later.run)
    assert [(row.measured, row.grade, row.profile) for row in before.measured] == [
        (1.25, "within 20 %", "smoke"),
        (None, "not attempted", "smoke"),
    ]
    await later.go(writes(FULL))
    report = collect(later.run)
    assert [(row.measured, row.grade, row.profile, row.smoke) for row in report.measured] == [
        (1.55, "within 20 %", "full", 1.25),
        (9.0, "beyond", "full", None),
    ]
    page = markdown(report)
    assert "| 1.55 (smoke: 1.25) |" in page and "full profile: all numbers" in page and "## Run later" in page
    assert "smoke scale)" not in page and "only the smoke profile was run" not in page
    assert page == (later.run.path / "report.md").read_text(), "the stored report is made anew"
    assert "later    full profile" in summary(report) and len(json.loads(as_json(report))["reproductions"]) == 1


async def test_numbers_of_a_failed_run_or_of_other_code_are_not_taken(later: Later) -> None:
    await later.go(ends(Outcome.NONZERO, 3))
    stalled = await later.go(writes(FULL | STALLED))
    assert (stalled.folder / "results.json").is_file() and not stalled.record.passed
    assert [row.profile for row in collect(later.run).measured] == ["smoke", "smoke"]
    await later.go(writes(FULL))
    (later.run.repo / "tiny/model.py").write_text("def mean(x: list[float]) -> float:\n    return 1.55\n")
    report = collect(later.run)
    assert [row.profile for row in report.measured] == ["smoke", "smoke"]
    assert any("ran other code than is delivered now" in problem for problem in report.problems)
    assert "only the smoke profile was run" in markdown(report)


async def test_a_smoke_run_later_replaces_nothing(later: Later) -> None:
    done = await later.go(writes(FULL), profile="smoke")
    assert done.record.passed
    assert [(row.measured, row.profile) for row in collect(later.run).measured] == [(1.25, "smoke"), (None, "smoke")]


@pytest.mark.parametrize(
    ("twist", "reason", "hint"),
    [
        (writes(FULL | STALLED), "did not move", ""),
        (writes({"mean": 1.5}), "neither a finite number nor a reason", ""),
        (ends(Outcome.TIMEOUT), "did not end in time", "--timeout"),
        (ends(Outcome.OOM), "more memory", "--set memory_mb"),
        (ends(Outcome.NONZERO, 1, b"socket.gaierror: [Errno -3] Temporary failure in name resolution\n"),
         "the full profile wants the network, which no run has here", "--data-dir DIR"),
        (ends(Outcome.NONZERO, 1, b"wget: unable to resolve host address 'x'\n"),
         "wants the network", "--data-dir DIR"),
        (ends(Outcome.NONZERO, 1, b"FileNotFoundError: [Errno 2] No such file or directory: 'data/x.csv'\n"),
         "misses a file of `data/`", "--data-dir DIR"),
        (ends(Outcome.NONZERO, 1, b"ValueError: x\n"), "exit code 1", ""),
    ],
)  # fmt: skip
async def test_what_fails_says_why_and_what_to_do(later: Later, twist: Twist, reason: str, hint: str) -> None:
    done = await later.go(twist)
    assert not done.record.passed and reason in done.record.reason and hint in done.record.hint
    assert done.record.hint or not hint


async def test_an_installation_that_fails_runs_nothing(later: Later) -> None:
    done = await later.go(writes(FULL), install=ends(Outcome.NONZERO, 1, b"No matching distribution found for x\n"))
    assert not done.record.passed
    assert [call.kind for call in later.made[0].calls] == ["install"]


async def test_the_lock_decides_the_versions(later: Later, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    plain = FakeSandbox.resolve

    async def resolve(self: FakeSandbox, *args: Any, **options: Any) -> Any:
        seen.append((options["constraints"], options["locked"] and options["locked"].text))
        return await plain(self, *args, **options)

    monkeypatch.setattr(FakeSandbox, "resolve", resolve)
    await later.go(writes(FULL))
    lock = f"pytest==8.3.4 \\\n    --hash=sha256:{'a' * 64}\n"
    (later.run.repo / "requirements.lock").write_text(lock)
    await later.go(writes(FULL))
    # Earlier versions wrote no hashes.
    assert seen == [(("pytest==8.3.4",), None), ((), lock)]


async def test_a_lock_that_was_tampered_with_is_named_and_nothing_is_installed(later: Later) -> None:
    (later.run.repo / "requirements.lock").write_text("pytest==8.3.4 --hash=sha256:aa\n")
    done = await later.go(writes(FULL))
    assert not done.record.passed and "`requirements.lock` cannot be used: line 1" in done.record.reason
    assert later.made[-1].calls == []


def no_audit(run: RunDir) -> None:
    (run.audit / "code.json").unlink()


def changed_code(run: RunDir) -> None:
    (run.repo / "tiny/model.py").write_text("import os\n")


def other_policy(run: RunDir) -> None:
    _edit(run, lambda data: data.update(policy="0" * 64))


def refused(run: RunDir) -> None:
    _edit(run, lambda data: data["decisions"][0].update(decision="block"))


def a_gate_missing(run: RunDir) -> None:
    _edit(run, lambda data: data["decisions"].pop(0))


def for_review(run: RunDir) -> None:
    _edit(run, lambda data: data["decisions"][0].update(decision="review"))


def _edit(run: RunDir, change: Callable[[dict[str, Any]], object]) -> None:
    file = run.audit / "code.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


@pytest.mark.parametrize("fault", [no_audit, changed_code, other_policy, refused, a_gate_missing, for_review])
async def test_nothing_is_run_that_the_audit_does_not_allow_as_it_is(
    later: Later, fault: Callable[[RunDir], None]
) -> None:
    fault(later.run)
    with pytest.raises(BlockedError):
        await later.go(writes(FULL))
    assert later.made == [] and not later.run.reproductions.exists()
    audit(later.run)
    assert (await later.go(writes(FULL))).record.passed


async def test_an_audit_record_that_is_not_whole_is_not_relied_on(later: Later) -> None:
    (later.run.audit / MANIFEST).write_text("{}")
    with pytest.raises(BlockedError, match="record of the run is not whole"):
        await later.go(writes(FULL))
    assert later.made == []


@pytest.mark.parametrize("fault", [gone, ends(Outcome.SANDBOX_DIED)])
async def test_a_sandbox_that_dies_is_nobodys_fault_and_leaves_no_reproduction(later: Later, fault: Twist) -> None:
    with pytest.raises(SandboxUnavailable):
        await later.go(fault)
    assert collect(later.run).reproductions == ()
    assert (await later.go(writes(FULL))).record.number == 2


async def test_a_run_without_a_repository_has_nothing_to_reproduce(later: Later) -> None:
    (later.run.repo / "reproduce.sh").unlink()
    with pytest.raises(UsageError, match="no repository that can be run"):
        await later.go(writes(FULL))


async def test_nothing_is_installed_and_nothing_runs_where_the_policy_refuses_it(later: Later, tmp_path: Path) -> None:
    data = tmp_path / "advisories_2024-10-10.json"
    data.write_text('{"pytest": {"PYSEC-0000-1": []}}')
    later.settings = Settings(advisories=data)
    done = await later.go(writes(FULL))
    ran = {check.name for check in verdict_of(done).checks if check.state == "passed"}
    assert ran == set() and not done.record.passed
    assert "refuses what would be installed" in done.record.reason
    assert later.made[-1].installed == ()
