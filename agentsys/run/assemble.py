"""Puts a run's parts together: files, model, policy, sandbox, and the team that works with them."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from agentsys.analyse.analyzer import Analyzer
from agentsys.audit.auditor import Auditor
from agentsys.audit.policy import load_advisories, load_policy
from agentsys.code.coder import Coder
from agentsys.code.experimenter import Experimenter
from agentsys.core.events import EventLog, Step
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rounds import Rounds
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord, UsageRecord
from agentsys.core.settings import Settings
from agentsys.debug.debugger import Debugger
from agentsys.llm.client import Model
from agentsys.llm.factory import build_model
from agentsys.llm.limits import Limits
from agentsys.llm.pool import Turns
from agentsys.plan.context import Agent, Context
from agentsys.plan.planner import Planner
from agentsys.plan.workspace import Workspace
from agentsys.report.reporter import Reporter
from agentsys.run.router import next_step
from agentsys.run.snapshot import snapshot
from agentsys.verify.reviewer import Reviewer
from agentsys.verify.sandboxspec import sandbox_spec
from agentsys.verify.verifier import Verifier
from agentsys_policies.record import AuditRecord
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import SandboxSpec


@dataclass(frozen=True)
class Shared:
    """What a run has in common with others that go on at the same time."""

    turns: Turns
    """For requests to models."""
    room: Callable[[], AbstractAsyncContextManager[None]]
    """Held while a sandbox on this machine is open."""
    again: str
    """How the run is taken up again, for hints."""


@dataclass
class Team:
    """All that the conversation needs."""

    agents: Sequence[Agent]
    context: Context
    reporter: Reporter
    model: Model

    def choose(self) -> Step:
        """Return the step that is due, by what lies on disk."""
        return next_step(self.context.read_state())

    def usage(self) -> UsageRecord:
        total = self.model.usage
        return UsageRecord(
            calls=self.model.calls,
            prompt=total.prompt,
            cached=total.cached,
            completion=total.completion,
            cost=self.model.cost,
        )

    async def close(self) -> None:
        await self.model.close()


def assemble(
    run: RunDir,
    record: RunRecord,
    settings: Settings,
    events: EventLog,
    deadline: float | None,
    ask: Callable[[str], Awaitable[bool]] | None = None,
    shared: Shared | None = None,
) -> Team:
    """Build the team for one run. A new team for each process: nothing is carried over but files.

    Args:
        deadline: `time.monotonic()` at which the run must end, or None.
        ask: asks a person, see `Context.ask`.
        shared: what other runs share with it; None where it goes alone.

    Raises: PrerequisiteError (no key, no model, a faulty policy).
    """
    ws = Workspace(run, settings, events, record.request)
    turns, again = (None, Limits.again) if shared is None else (shared.turns, shared.again)
    model = build_model(settings, run.llm, events, deadline=deadline, turns=turns, again=again)
    git = GitRepo(run.repo)
    git.init()

    opened = opener(settings, shared)
    rounds, policy = Rounds(run), load_policy(settings)
    context = Context(
        ws=ws,
        rounds=rounds,
        model=model,
        git=git,
        policy=policy,
        audit=AuditRecord(run.audit),
        open_sandbox=lambda: opened(sandbox_spec(settings, record.id)),
        read_state=lambda: snapshot(ws, rounds, policy.ref.sha256),
        constraints=_constraints(settings),
        python=".".join(platform.python_version_tuple()[:2]),
        ask=ask,
        advisories=load_advisories(settings),
    )
    reporter = Reporter(context)
    agents: list[Agent] = [
        Planner(context),
        Analyzer(context),
        Coder(context),
        Debugger(context),
        Verifier(context),
        Reviewer(context),
        Experimenter(context),
        Auditor(context),
        reporter,
    ]
    return Team(agents, context, reporter, model)


def opener(settings: Settings, shared: Shared | None) -> Callable[[SandboxSpec], Sandbox]:
    """Return what makes sandboxes; they wait for room among those of other runs."""

    def opened(spec: SandboxSpec) -> Sandbox:
        sandbox = open_sandbox(spec, settings.backend, settings.docker_hosts)
        # Docker endpoints that are shared count their sandboxes themselves.
        sandbox.room = shared.room if shared is not None and not settings.docker_hosts else None
        return sandbox

    return opened


def _constraints(settings: Settings) -> tuple[str, ...]:
    """Return the pins of the environment that a recording was made with, so that its replay does not drift."""
    if settings.replay is None or not (settings.replay / "environment.txt").is_file():
        return ()
    lines = (settings.replay / "environment.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
