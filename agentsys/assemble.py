"""Puts a run's parts together: files, model, policy, sandbox, and the team that works with them."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass

from agentsys.agents.analyzer import Analyzer
from agentsys.agents.auditor import Auditor
from agentsys.agents.coder import Coder
from agentsys.agents.context import Colleague, Context
from agentsys.agents.debugger import Debugger
from agentsys.agents.planner import Planner
from agentsys.agents.reporter import Ending, Reporter
from agentsys.agents.verifier import Verifier
from agentsys.events import EventLog
from agentsys.llm.factory import build_model
from agentsys.llm.guard import GuardedModel
from agentsys.policing import load_advisories, load_policy
from agentsys.repair.gitrepo import GitRepo
from agentsys.rounds import Rounds
from agentsys.rundir import RunDir
from agentsys.runrecord import RunRecord, UsageRecord
from agentsys.sandboxspec import sandbox_spec
from agentsys.settings import Settings
from agentsys.snapshot import snapshot
from agentsys.team.router import Speaker, next_speaker
from agentsys.workspace import Workspace
from agentsys_policies.record import AuditRecord
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.choose import open_sandbox


@dataclass
class Team:
    """All that the conversation needs."""

    colleagues: Sequence[Colleague]
    context: Context
    ending: Ending
    model: GuardedModel

    def choose(self) -> Speaker:
        """Return who acts next, by what lies on disk."""
        context = self.context
        return next_speaker(snapshot(context.ws, context.rounds, context.policy.ref.sha256))

    def usage(self) -> UsageRecord:
        total = self.model.usage
        return UsageRecord(
            calls=self.model.calls,
            prompt=total.prompt,
            cached=total.cached,
            completion=total.completion,
            cost=self.model.cost,
        )

    def tree(self) -> str:
        """Return the hash of the code as it is delivered."""
        return self.context.ws.code_tree()

    async def close(self) -> None:
        await self.model.close()


def assemble(run: RunDir, record: RunRecord, settings: Settings, events: EventLog, deadline: float | None) -> Team:
    """Build the team for one run. A new team for each process: nothing is carried over but files.

    Args:
        deadline: `time.monotonic()` at which the run must end, or None.

    Raises: PrerequisiteError (no key, no model, a faulty policy).
    """
    ws = Workspace(run, settings, events, record.request)
    model = build_model(settings, run.llm, events, deadline=deadline)
    git = GitRepo(run.repo)
    git.init()

    def sandbox() -> Sandbox:
        return open_sandbox(sandbox_spec(settings, record.id), settings.backend, settings.docker_hosts)

    context = Context(
        ws=ws,
        rounds=Rounds(run),
        model=model,
        git=git,
        policy=load_policy(settings),
        audit=AuditRecord(run.audit),
        open_sandbox=sandbox,
        constraints=_constraints(settings),
        python=".".join(platform.python_version_tuple()[:2]),
        advisories=load_advisories(settings),
    )
    ending = Ending()
    colleagues: list[Colleague] = [
        Planner(context),
        Analyzer(context),
        Coder(context),
        Debugger(context),
        Verifier(context),
        Auditor(context),
        Reporter(context, ending),
    ]
    return Team(colleagues, context, ending, model)


def _constraints(settings: Settings) -> tuple[str, ...]:
    """Return the pins of the environment that a recording was made with, so that its replay does not drift."""
    if settings.replay is None or not (settings.replay / "environment.txt").is_file():
        return ()
    lines = (settings.replay / "environment.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
