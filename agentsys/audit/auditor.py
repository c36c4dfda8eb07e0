"""The auditor: asks the safety policy before anything is planned, and before anything is executed."""

from __future__ import annotations

from agentsys.audit.record import audited_tree, record_decision, refusal
from agentsys.audit.reported import reported_numbers
from agentsys.audit.screening import screen
from agentsys.core.blocks import clear_status
from agentsys.core.errors import BlockedError
from agentsys.core.events import Step
from agentsys.core.files import write_json
from agentsys.core.tree import read_tree
from agentsys.plan.context import Agent
from agentsys.plan.repo_facts import RepoFacts
from agentsys.plan.requirements import project_requirements, read_requirements
from agentsys_policies.errors import PolicyError


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
        decisions = await screen(self._context.policy, self._context.model, ws.paper, ws.run.paper, ws.asked)
        for decision in decisions:
            record_decision(self._context, decision, "screen")
        go_on = all(decision.allows for decision in decisions)
        data = {
            "paper": ws.paper.sha256,
            "request": ws.asked,
            "policy": self._context.policy.ref.sha256,
            "go_on": go_on,
            "decisions": [decision.model_dump(mode="json") for decision in decisions],
        }
        write_json(ws.run.audit / "request.json", data)
        if not go_on:
            raise BlockedError(*refusal(decisions[-1]))
        return f"screened: {', '.join(f'{d.gate} {d.decision}' for d in decisions)}"

    # -- before execution ----------------------------------------------------------------------------------------------

    def _audit(self) -> str:
        context, ws = self._context, self._context.ws
        tree = ws.code_tree()
        plan = ws.require_plan()
        clear_status(ws.run.repo)
        try:
            code = context.policy.audit_code(ws.run.repo, reported=reported_numbers(plan))
        except PolicyError as error:
            raise BlockedError(str(error), error.hint) from error
        files = read_tree(ws.run.repo)
        needed = read_requirements(files, RepoFacts(files=frozenset(files), plan=plan, texts={}))
        dependencies = context.policy.check_dependencies(
            [*needed.lines, *needed.constraints, *project_requirements(files)]
        )
        commands = context.policy.check_command(("bash", "reproduce.sh", "smoke"))
        decisions = (code, dependencies, commands)
        rows = [decision.model_dump(mode="json") for decision in decisions]
        for decision in decisions:
            record_decision(context, decision, "audit")
        write_json(ws.run.audit / "dependencies.json", rows[1])
        write_json(ws.run.audit / "code.json", {"tree": tree, "policy": context.policy.ref.sha256, "decisions": rows})
        if audited_tree(ws, context.policy.ref.sha256) != tree:
            raise BlockedError("the audit record could not be written")
        return "audited: " + ", ".join(f"{d.gate} {d.decision} ({len(d.findings)} findings)" for d in decisions)
