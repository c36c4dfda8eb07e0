"""The verifier: runs the checks in the sandbox, and in the end everything again in a fresh one."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from agentsys.audit.record import audited_tree
from agentsys.core.artifacts import Plan, Verdict
from agentsys.core.errors import InternalError, SandboxUnavailable
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.core.tree import read_tree
from agentsys.plan.context import Agent
from agentsys.verify.checks.audit import GATES, audit_found
from agentsys.verify.checks.base import Found, Job
from agentsys.verify.checks.beside import two_fit
from agentsys.verify.checks.table import Seen, make_verdict
from agentsys.verify.data.step import have_planned
from agentsys.verify.deliver import deliver
from agentsys.verify.dependence.report import FILE as FILE_OF_DEPENDENCE
from agentsys.verify.environment import screen_packages
from agentsys.verify.run import replay, verify
from agentsys_policies.schema import Decision
from agentsys_sandbox.base import SandboxError


class Verifier(Agent):
    """Says what is true. Executes only what the audit allows; an infrastructure fault is never the code's."""

    name = "verifier"
    description = (
        "has planned data fetched; installs, imports, type-checks, tests and runs the repository in the sandbox"
    )
    steps: tuple[Step, ...] = ("data", "verify", "replay")

    async def act(self, step: Step) -> str:
        context = self._context
        plan = context.ws.require_plan()
        if step == "data":
            return await have_planned(context, plan)
        tree = context.ws.code_tree()
        if audited_tree(context.ws, context.policy.ref.sha256) != tree:
            raise InternalError("a tree that was not audited reached the sandbox")
        current = context.rounds.latest_for_tree(tree)
        try:
            if step == "replay" and current is not None and current.verdict.passed:
                job = self._job(plan, tree, current.number, context.ws.run.rounds / "replay")
                return await self._replay(replace(job, earlier=self._measured(tree)))
            number = len(context.rounds.all()) + 1
            return await self._verify(self._job(plan, tree, number, context.ws.run.round(number)))
        except SandboxError as error:
            raise SandboxUnavailable(error.message, error.hint or "see `agentsys doctor`") from error

    def _job(self, plan: Plan, tree: str, number: int, folder: Path) -> Job:
        context = self._context
        return Job(
            files=read_tree(context.ws.run.repo),
            out=folder,
            plan=plan,
            events=context.events,
            timeout=context.settings.round_timeout,
            round=number,
            constraints=context.constraints,
            tree=tree,
            mutants=context.settings.mutants,
            keep_in=context.ws.run.repo,
            screen=partial(screen_packages, context),
            two_sandboxes=not context.settings.gpu and two_fit(context.settings.memory_mb << 20),
        )

    def _measured(self, tree: str) -> Path | None:
        """Return the folder of the verification that saw this tree's results depend on its method."""
        log = self._context.rounds.evidence(tree, FILE_OF_DEPENDENCE)
        return log.parent if log is not None else None

    async def _verify(self, job: Job) -> str:
        context = self._context
        context.git.commit(f"As it was before verification {job.round}")
        write_atomic(job.out / "commit", context.git.head() + "\n")
        audit, may_run = self._audit()
        context.events.emit("round.started", stage="verify", round=job.round)
        verdict = await verify(job, context.open_sandbox, audit) if may_run else _not_executed(job, audit)
        return self._close(job.round, job.out, verdict)

    def _close(self, number: int, folder: Path, verdict: Verdict) -> str:
        context = self._context
        if verdict.infra:
            write_atomic(folder / "infra.json", verdict.model_dump_json(indent=1) + "\n")
            raise SandboxUnavailable(
                f"the sandbox failed: {verdict.infra}", "see `agentsys doctor`, then go on with `agentsys resume`"
            )
        self._keep_environment(folder)
        context.rounds.write_verdict(verdict)
        states = {check.name: check.state for check in verdict.checks}
        context.events.emit("round.finished", stage="verify", round=number, passed=verdict.passed, checks=states)
        if verdict.passed:
            return f"round {number}: all checks passed"
        failed = ", ".join(name for name, state in states.items() if state == "failed")
        first = verdict.diagnostics[0].message if verdict.diagnostics else ""
        return f"round {number}: {failed} failed, {len(verdict.diagnostics)} diagnostics; first: {first[:140]}"

    def _keep_environment(self, folder: Path) -> None:
        """Keep what was installed beside the model's answers: together they replay this run."""
        file = folder / "packages.json"
        if file.is_file():
            packages = json.loads(file.read_text(encoding="utf-8"))
            lines = [f"{row['name']}=={row['version']}" for row in sorted(packages, key=lambda row: str(row["name"]))]
            write_atomic(self._context.ws.run.llm / "environment.txt", "\n".join(lines) + "\n")

    async def _replay(self, job: Job) -> str:
        """Run the delivered repository once more, from its own files and pins, in a brand-new sandbox."""
        context = self._context
        audit, may_run = self._audit()
        deliver(context)
        if may_run:
            verdict = await replay(job, context.ws.run.repo, context.open_sandbox, audit)
        else:  # the policy was changed after the round passed
            verdict = _not_executed(job, audit)
            write_atomic(job.out / "verdict.json", verdict.model_dump_json(indent=1) + "\n")
        if verdict.infra:
            return self._close(job.round, job.out, verdict)
        if not verdict.passed:
            # What fails only in a fresh place is a fault like any other: it becomes the next round's verdict.
            following = len(context.rounds.all()) + 1
            write_atomic(context.ws.run.round(following) / "commit", context.git.head() + "\n")
            context.rounds.write_verdict(verdict.model_copy(update={"round": following}))
        context.git.commit("Results of the replay in a fresh sandbox")
        return f"replayed in a fresh sandbox: {'passed' if verdict.passed else 'failed'}"

    def _audit(self) -> tuple[Found, bool]:
        """Return the audit of this tree as a check, and whether the tree may be run."""
        data = json.loads((self._context.ws.run.audit / "code.json").read_text(encoding="utf-8"))
        decisions = [Decision.model_validate(row) for row in data["decisions"]]
        gates = {decision.gate for decision in decisions}
        if gates != GATES:
            raise InternalError(f"the audit looked through {', '.join(sorted(gates)) or 'no gate'} only")
        policy = self._context.policy
        return audit_found(decisions, policy), policy.may_run(decisions)


def _not_executed(job: Job, audit: Found) -> Verdict:
    verdict = make_verdict(job, Seen(found={"audit": audit}), otherwise="refused by the audit")
    return verdict.model_copy(update={"diagnostics": audit.diagnostics})  # in the policy's order, the worst first
