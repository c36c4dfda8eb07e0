"""The reporter: ends the conversation with the best repository there is and the true status."""

from __future__ import annotations

from dataclasses import replace

from agentsys.audit.record import refusal, stored_refusal
from agentsys.core.events import Step
from agentsys.core.tree import read_tree
from agentsys.debug.rollback import restore_best
from agentsys.plan.context import Agent, Context
from agentsys.report.ending import Ending, judge, next_step
from agentsys.verify.deliver import deliver
from agentsys.verify.fidelity.central import central_missing


class Reporter(Agent):
    """Reads the status off the disk: `verified` only if the replay in a fresh sandbox passed on this very tree."""

    name = "reporter"
    description = "delivers the repository and says what is verified and what is not"
    steps: tuple[Step, ...] = ("report",)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.ending = Ending()
        """How the run ended; until the reporter has spoken, nothing is verified."""

    async def act(self, step: Step) -> str:
        context = self._context
        if (context.ws.run.repo / ".git").is_dir() and context.rounds.all():
            restore_best(context, final=True)
            deliver(context)
        self.ending = self._judge()
        return f"{self.ending.status}: {self.ending.reason}"

    def _judge(self) -> Ending:
        context = self._context
        state = context.read_state()
        if state.screened == "stopped":
            return Ending("blocked", "refused", *refusal(stored_refusal(context.ws)))
        current = None if state.stopped else context.rounds.latest_for_tree(context.ws.code_tree())
        found = judge(state, current, context.rounds.given_up(), self._missing() if current is not None else ())
        if found.status != "unverified":
            return found
        run, rounds = context.ws.run, max(context.settings.max_rounds, len(context.rounds.all())) + 3
        return replace(found, hint=next_step(found.status, found.code, run.path.name, run.repo, rounds))

    def _missing(self) -> tuple[str, ...]:
        ws = self._context.ws
        return tuple(
            row.requirement or f"`{row.what}`" for row in central_missing(ws.require_plan(), read_tree(ws.run.repo))
        )
