"""The reporter: ends the conversation with the best repository there is and the true status."""

from __future__ import annotations

from dataclasses import dataclass

from agentsys.audit.record import refusal, stored_refusal
from agentsys.core.errors import Status
from agentsys.core.events import Step
from agentsys.debug.rollback import restore_best
from agentsys.plan.context import Agent, Context
from agentsys.verify.deliver import deliver


@dataclass
class Ending:
    """How the run ended."""

    status: Status = "unverified"
    reason: str = ""
    hint: str = ""


class Reporter(Agent):
    """Reads the status off the disk: `verified` only if the replay in a fresh sandbox passed on this very tree."""

    name = "reporter"
    description = "delivers the repository and says what is verified and what is not"
    steps: tuple[Step, ...] = ("report",)

    def __init__(self, context: Context, ending: Ending) -> None:
        super().__init__(context)
        self._ending = ending

    async def act(self, step: Step) -> str:
        context = self._context
        if (context.ws.run.repo / ".git").is_dir() and context.rounds.all():
            restore_best(context, final=True)
            deliver(context)
        self._judge()
        return f"{self._ending.status}: {self._ending.reason}"

    def _judge(self) -> None:
        context, ending = self._context, self._ending
        state = context.read_state()
        if state.screened == "stopped":
            ending.status = "blocked"
            ending.reason, ending.hint = refusal(stored_refusal(context.ws))
            return
        if state.stopped:
            ending.reason, ending.hint = state.stopped, "`agentsys resume` goes on from here"
            return
        current = context.rounds.latest_for_tree(context.ws.code_tree())
        if state.verified == "passed" and state.replayed == "passed":
            number = current.number if current is not None else 0
            ending.status = "verified"
            ending.reason = f"all checks passed in round {number}, and again in a fresh sandbox without network"
            return
        if current is None:
            ending.reason = "the repository was not verified"
            return
        failed = [check.name for check in current.verdict.checks if check.state == "failed"]
        if state.verified == "passed":
            ending.reason = "all checks passed, but not again in a fresh sandbox"
        elif failed == ["audit"] and all(check.state != "passed" for check in current.verdict.checks):
            ending.status = "blocked"
            ending.reason = f"the safety policy refuses the code: {current.verdict.diagnostics[0].message}"
        else:
            why = state.stuck or "the repair rounds are used up"
            ending.reason = (
                f"{', '.join(failed) or 'checks'} failed ({len(current.verdict.diagnostics)} diagnostics); {why}"
            )
            name, more = context.ws.run.path.name, context.settings.max_rounds + 3
            ending.hint = f"try `agentsys resume {name} --max-rounds {more}`"
            if context.rounds.given_up():
                ending.hint = f"`agentsys resume {name} --model ...` asks again"
            elif state.stuck:
                ending.hint = f"correct the files in `{context.ws.run.repo}` by hand, then `agentsys resume {name}`"
