"""The debugger's small experiment: judged first, run on a copy for a minute at most, and only its output comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentsys.audit.policy import load_policy
from agentsys.core.events import EventLog
from agentsys.core.settings import Settings
from agentsys.plan.context import Context
from agentsys.verify.checks.install import LOCK
from agentsys.verify.probing import MAX_OUTPUT, experiment
from agentsys_policies.record import AuditRecord
from agentsys_sandbox.fake import Call, FakeSandbox, Files, Script, passed
from agentsys_sandbox.spec import ExecResult, InstallResult, Outcome, Package
from unit.verify.tiny import GREEN, PLAN, write_repo

PROGRAM = "from tiny.model import mean\nprint(mean([1.0, 2.0]))\n"
REFUSED = "import base64\nexec(base64.b64decode(b'cHJpbnQoMSk='))\n"


class Timed(FakeSandbox):
    """Remembers how long each program may take."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.budgets: list[float | None] = []

    async def exec(self, argv: Any, **options: Any) -> ExecResult:
        self.budgets.append(options["budget"])
        return await super().exec(argv, **options)


class Bed:
    """A round that executed a repository, and the sandboxes that its experiments opened."""

    def __init__(self, root: Path) -> None:
        self.repo, self.round = write_repo(root / "repo", GREEN), root / "rounds" / "01"
        self.round.mkdir(parents=True)
        (self.round / LOCK).write_text("pytest==8.3.4 --hash=sha256:" + "aa" * 32 + "\n")
        self.audited = root / "audit"
        self.audit = AuditRecord(self.audited)
        self.made: list[Timed] = []
        self.answer: Callable[[Call, Files], Any] = lambda call, files: passed(b"1.5\n")

    async def ask(self, program: str, number: int = 1) -> str:
        def answer(call: Call, files: Files) -> Any:
            if call.kind == "install":
                return InstallResult(passed(), (Package("pytest", "8.3.4", "aa" * 32),))
            return self.answer(call, files)

        def sandbox() -> Timed:
            self.made.append(Timed(Script(default=answer)))
            return self.made[-1]

        settings = Settings()
        ws = SimpleNamespace(run=SimpleNamespace(repo=self.repo), settings=settings, events=EventLog(None, "x"))
        policy: Any = load_policy(settings)
        context = Context(ws, None, None, None, policy, self.audit, sandbox, None)  # type: ignore[arg-type]
        return await experiment(context, PLAN, self.round, number, program)


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


async def test_the_program_runs_on_a_copy_for_a_minute_of_processor_time_and_its_output_comes_back(bed: Bed) -> None:
    seen: list[tuple[Call, Files]] = []

    def answer(call: Call, files: Files) -> Any:
        seen.append((call, dict(files)))
        return passed(b"1.5\n")

    bed.answer = answer
    assert await bed.ask(PROGRAM) == "1.5"
    [(call, files)] = seen
    assert files[call.argv[-1]] == PROGRAM.encode() and not call.argv[-1].startswith("/work/repo/")
    assert files["/work/repo/tiny/model.py"] == GREEN["tiny/model.py"].encode()
    assert bed.made[0].budgets == [60.0] and not bed.made[0].open
    assert sorted(file.name for file in bed.repo.iterdir()) == ["reproduce.sh", "requirements.txt", "tests", "tiny"]


async def test_what_the_policy_refuses_reaches_no_sandbox_and_stands_in_the_audit(bed: Bed) -> None:
    said = await bed.ask(REFUSED)
    assert "it was not run: the policy refuses it" in said and not bed.made
    assert '"block"' in "".join(file.read_text() for file in bed.audited.iterdir())


async def test_a_program_that_does_not_end_is_told_with_what_it_printed_until_then(bed: Bed) -> None:
    bed.answer = lambda call, files: ExecResult(Outcome.TIMEOUT, None, b"before\n", b"", 60.0, message="too long")
    assert await bed.ask(PROGRAM) == "before\n[it ended as `timeout`, exit code None]"


async def test_a_long_output_is_cut_and_control_characters_are_dropped(bed: Bed) -> None:
    bed.answer = lambda call, files: passed(b"\x1b[2J" + b"x" * 50_000)
    said = await bed.ask(PROGRAM)
    assert len(said) < MAX_OUTPUT + 200 and "\x1b" not in said


async def test_a_resumed_run_reads_the_output_and_runs_nothing_again(bed: Bed) -> None:
    assert await bed.ask(PROGRAM) == await bed.ask(PROGRAM)
    assert len(bed.made) == 1
    await bed.ask(PROGRAM + "print(2)\n")
    assert len(bed.made) == 2


async def test_where_nothing_could_be_installed_nothing_is_run(bed: Bed) -> None:
    (bed.round / LOCK).unlink()
    assert "nothing could be installed" in await bed.ask(PROGRAM) and not bed.made
