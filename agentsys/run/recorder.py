"""Writes run.json while the run goes on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from agentsys.core.errors import EXIT_CODES, AgentsysError, GitError, LimitReached
from agentsys.core.events import STAGES, EventLog, Stage, Step, utc_now
from agentsys.core.prompts import template_hash
from agentsys.core.rounds import Rounds
from agentsys.core.rundir import RunDir, process_start
from agentsys.core.runrecord import RunRecord, UsageRecord
from agentsys.core.settings import Settings
from agentsys.llm.replay import reworded
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.freezing import FOLDER
from agentsys.plan.workspace import CONTRACTS
from agentsys.report.ending import Ending

UsageMeter = Callable[[], UsageRecord]
VERSIONS = ("agentsys", "autogen-agentchat", "openai", "pyright", "pypdfium2")


class RunRecorder:
    """Updates run.json at every turn: status, stage, usage, time of each stage."""

    def __init__(self, run: RunDir, record: RunRecord, events: EventLog) -> None:
        self._run = run
        self._events = events
        self.record = record
        self.meter: UsageMeter | None = None
        self.failure: AgentsysError | None = None
        """What ended the run before its time."""
        self._stage: Stage | None = None
        self._since = 0.0

    def begin(self, settings: Settings) -> None:
        self._update(
            status="running",
            exit_code=None,
            reason="",
            reason_code="",
            hint="",
            release="",
            pid=os.getpid(),
            pid_started=process_start(os.getpid()),
            finished="",
            versions={"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
        )
        self._events.emit(
            "run.started", id=self.record.id, title=self.record.title, path=str(self._run.path), model=settings.model
        )
        # Where a run is taken up again its last stage is due once more.
        for stage in STAGES:
            if stage in self.record.seconds and (stage == "read" or stage != self.record.stage):
                self._events.emit("stage.finished", stage=stage, seconds=self.record.seconds[stage])

    def turn(self, step: Step, speaker: str) -> None:
        """Note that another step begins, and who takes it."""
        self._close_stage()
        self._stage, self._since = step, time.monotonic()
        self._update(stage=step)
        self._events.emit("stage.started", stage=step, agent=speaker)

    def said(self, speaker: str, receipt: str) -> None:
        self._events.emit("agent.message", stage=self._stage, agent=speaker, text=receipt, chars=len(receipt))

    def end(self, ending: Ending) -> None:
        code = EXIT_CODES[ending.status]
        self._update(
            status=ending.status, reason=ending.reason, reason_code=ending.code, hint=ending.hint, exit_code=code
        )

    def releasable(self, against: str) -> None:
        """Note whether a verified run can be released, and if not, why."""
        self._update(release=against or "yes")

    def fail(self, error: AgentsysError) -> None:
        self.failure = error
        self._update(
            status=error.status,
            reason=error.message,
            reason_code=error.code,
            hint=error.hint,
            exit_code=error.exit_code,
        )
        if not isinstance(error, LimitReached):  # the model layer has said that one already
            self._events.emit("error", kind=error.status, message=error.message, hint=error.hint)

    def crash(self) -> None:
        """A bug: the traceback goes to the user, the record says where it happened."""
        self._update(status="internal_error", reason=f"internal error in stage {self.record.stage}", exit_code=1)

    def finish(self) -> None:
        self._close_stage()
        recording = self.record.recording
        changed = reworded(Path(recording), self._run.path) if recording else 0
        self._update(finished=utc_now(), pid=None, pid_started=None, reworded=changed)
        self._write_report()
        self._events.emit(
            "run.finished",
            status=self.record.status,
            exit_code=self.record.exit_code,
            reason=self.record.reason,
            paths={"run": str(self._run.path), "repo": str(self._run.repo)},
        )

    def _write_report(self) -> None:
        """The last of all: what a person reads. The modules of the reports are loaded only here."""
        from agentsys.report.pages import write_reports
        from agentsys.report.status import write_status

        if self.record.status == "internal_error":
            return
        try:
            write_status(self._run)
            write_reports(self._run)
        except (OSError, GitError) as error:  # a full disk must not hide how the run ended
            self._events.emit("warning", message=f"the report could not be written: {error}")

    def _close_stage(self) -> None:
        if self._stage is not None:
            seconds = round(time.monotonic() - self._since, 3)
            total = {**self.record.seconds, self._stage: round(self.record.seconds.get(self._stage, 0) + seconds, 3)}
            self._update(seconds=total)
            self._events.emit("stage.finished", stage=self._stage, seconds=seconds)
            self._stage = None

    def _update(self, **changes: object) -> None:
        if self.meter is not None:
            changes["usage"] = self.meter()
        rounds = Rounds(self._run)
        found = rounds.all()
        replay = rounds.replay()
        changes["rounds"] = len(found)
        tree = found[-1].verdict.tree if found else ""
        changes["replayed"] = replay is not None and replay.passed and replay.tree == tree
        changes["hashes"] = {**self.record.hashes, **self._frozen(), "prompts": template_hash()}
        if found:
            changes["backend"], changes["weak_sandbox"] = found[-1].verdict.backend, found[-1].verdict.weak
        self.record = self.record.model_copy(update=changes)
        self._run.write(self.record)

    def _frozen(self) -> dict[str, str]:
        """Return the hash of each contract that is committed, `contract C1` and so on."""
        file = self._run.repo / FOLDER / CONTRACTS
        try:
            contracts = Contracts.model_validate_json(file.read_bytes())
        except (FileNotFoundError, ValidationError):  # not there yet, or altered: who judges by it says so
            return {}
        return {f"contract {claim}": contracts.current(claim).hash for claim in contracts.claims}
