"""The auditor: asks the safety policy before anything is planned, and before anything is executed."""

from __future__ import annotations

import json
from typing import Literal

from agentsys.audit.decisions import audited_tree
from agentsys.audit.intake import intake_facts
from agentsys.audit.purpose import judge_purpose
from agentsys.core.errors import BlockedError
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.core.tree import read_tree
from agentsys.paper.query import excerpt
from agentsys.plan.context import Agent, Context
from agentsys.plan.declared import declared, read_requirements
from agentsys.plan.known import Known
from agentsys.plan.workspace import Workspace
from agentsys_policies.errors import PolicyError
from agentsys_policies.schema import Decision

EXCERPT_CHARS = 6000


class Auditor(Agent):
    """Screens paper and request once; audits code, dependencies and commands of every new tree."""

    name = "auditor"
    description = "applies the safety policy to the paper, the request, the code, its dependencies and its commands"
    steps: tuple[Step, ...] = ("screen", "audit")

    async def act(self, step: Step) -> str:
        return await self._screen() if step == "screen" else self._audit()

    # -- before planning -----------------------------------------------------------------------------------------------

    async def _screen(self) -> str:
        ws = self._context.ws
        intake = self._context.policy.screen_intake(intake_facts(ws.paper, ws.run.paper))
        decisions = [intake]
        if intake.allows:
            decisions.append(await self._purpose())
        for decision in decisions:
            self._record(decision, "screen")
        go_on = all(decision.allows for decision in decisions)
        data = {
            "paper": ws.paper.sha256,
            "request": ws.request,
            "policy": self._context.policy.ref.sha256,
            "go_on": go_on,
            "decisions": [decision.model_dump(mode="json") for decision in decisions],
        }
        write_atomic(ws.run.audit / "request.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        if not go_on:
            raise BlockedError(*refusal(decisions[-1]))
        return f"screened: {', '.join(f'{d.gate} {d.decision}' for d in decisions)}"

    async def _purpose(self) -> Decision:
        """Ask the judge once, and a second time, independently, where the policy wants that."""
        context, ws = self._context, self._context.ws
        words = excerpt(ws.paper, EXCERPT_CHARS)
        return await judge_purpose(context.policy, context.model, ws.request, words, seed=ws.paper.sha256)

    # -- before execution ----------------------------------------------------------------------------------------------

    def _audit(self) -> str:
        context, ws = self._context, self._context.ws
        tree = ws.code_tree()
        plan = ws.the_plan()
        try:
            code = context.policy.audit_code(ws.run.repo, reported=[row.value for row in plan.expected])
        except PolicyError as error:
            raise BlockedError(str(error), error.hint) from error
        files = read_tree(ws.run.repo)
        needed = read_requirements(files, Known(files=frozenset(files), plan=plan, texts={}))
        dependencies = context.policy.check_dependencies([*needed.lines, *needed.constraints, *declared(files)])
        commands = context.policy.check_command(("bash", "reproduce.sh", "smoke"))
        decisions = (code, dependencies, commands)
        data = {
            "tree": tree,
            "policy": context.policy.ref.sha256,
            "decisions": [decision.model_dump(mode="json") for decision in decisions],
        }
        for decision in decisions:
            self._record(decision, "audit")
        write_atomic(
            ws.run.audit / "dependencies.json", json.dumps(data["decisions"][1], indent=1, ensure_ascii=False) + "\n"
        )
        write_atomic(ws.run.audit / "code.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        if audited_tree(ws, context.policy.ref.sha256) != tree:
            raise BlockedError("the audit record could not be written")
        return "audited: " + ", ".join(f"{d.gate} {d.decision} ({len(d.findings)} findings)" for d in decisions)

    def _record(self, decision: Decision, stage: Literal["screen", "audit"]) -> None:
        record_decision(self._context, decision, stage)


def record_decision(context: Context, decision: Decision, stage: Literal["screen", "audit"]) -> None:
    """Append a decision to the audit record, and say it as an event."""
    context.audit.append(decision)
    context.events.emit(
        "policy.verdict",
        stage=stage,
        gate=decision.gate,
        decision=decision.decision,
        status=decision.status,
        rules=[finding.rule for finding in decision.findings][:20],
    )


def stored_refusal(ws: Workspace) -> Decision:
    """Return the decision that stopped the run when it was screened."""
    data = json.loads((ws.run.audit / "request.json").read_text(encoding="utf-8"))
    decisions = [Decision.model_validate(row) for row in data["decisions"]]
    return next(decision for decision in decisions if not decision.allows)


def refusal(decision: Decision) -> tuple[str, str]:
    """Return message and hint for a decision that stops the run: which rule, on which words, how to appeal."""
    if not decision.findings:
        return (
            f"the safety policy could not decide on the {decision.gate} ({decision.status})",
            "run it again with a model endpoint that answers",
        )
    worst = decision.findings[0]
    quote = f", on the words “{worst.evidence.quote}”" if worst.evidence.quote else ""
    hint = worst.remedy or "a person may appeal; see docs on the safety policy"
    return f"refused by rule `{worst.rule}`: {worst.message}{quote}", hint
