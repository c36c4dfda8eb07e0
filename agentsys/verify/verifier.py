"""The verifier: runs the checks in the sandbox, and in the end everything again in a fresh one."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from agentsys.audit.findings import as_diagnostics
from agentsys.audit.record import audited_tree
from agentsys.core.artifacts import CHECKS, Check, Diagnostic, Plan, Verdict
from agentsys.core.errors import InternalError, SandboxUnavailable
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.plan.context import Agent
from agentsys.verify.deliver import deliver
from agentsys.verify.environment import screen_installed
from agentsys.verify.fidelity.mutation import mutation_check
from agentsys.verify.fidelity.mutation_report import FILE, read_report
from agentsys.verify.replay import replay
from agentsys.verify.run import verify
from agentsys_policies.schema import Decision
from agentsys_sandbox.base import SandboxError

MUTATION_SECONDS = 900.0
"""After this time no further planted fault is tried."""


class Verifier(Agent):
    """Says what is true. Executes only what the audit allows; an infrastructure fault is never the code's."""

    name = "verifier"
    description = "installs, imports, type-checks, tests and runs the repository in the sandbox"
    steps: tuple[Step, ...] = ("verify", "replay")

    async def act(self, step: Step) -> str:
        context = self._context
        plan = context.ws.require_plan()
        tree = context.ws.code_tree()
        if audited_tree(context.ws, context.policy.ref.sha256) != tree:
            raise InternalError("a tree that was not audited reached the sandbox")
        current = context.rounds.latest_for_tree(tree)
        try:
            if step == "replay" and current is not None and current.verdict.passed:
                return await self._replay(plan, tree, current.number)
            return await self._verify(plan, tree)
        except SandboxError as error:
            raise SandboxUnavailable(error.message, error.hint or "see `agentsys doctor`") from error

    async def _verify(self, plan: Plan, tree: str) -> str:
        context = self._context
        number = len(context.rounds.all()) + 1
        folder = context.ws.run.round(number)
        context.git.commit("Edited by hand")
        write_atomic(folder / "commit", context.git.head() + "\n")
        audit, findings, may_run = self._audit()
        context.events.emit("round.started", stage="verify", round=number)
        if not may_run:
            verdict = _not_executed(number, tree, audit, findings)
        else:
            verdict = await verify(
                context.ws.run.repo,
                context.open_sandbox,
                round=number,
                out=folder,
                plan=plan,
                tree=tree,
                timeout=context.settings.round_timeout,
                constraints=context.constraints,
                events=context.events,
                audit=(audit, findings),
                screen=partial(screen_installed, context),
            )
        return self._close(number, folder, verdict)

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

    async def _replay(self, plan: Plan, tree: str, number: int) -> str:
        """Run the delivered repository once more, from its own files and pins, in a brand-new sandbox."""
        context = self._context
        folder = context.ws.run.rounds / "replay"
        audit, findings, may_run = self._audit()
        noticed = await self._plant_faults(plan, tree) if may_run else ""
        deliver(context)
        if not may_run:  # the policy was changed after the round passed
            verdict = _not_executed(number, tree, audit, findings)
            write_atomic(folder / "verdict.json", verdict.model_dump_json(indent=1) + "\n")
        else:
            verdict = await replay(
                context.ws.run.repo,
                context.open_sandbox,
                round=number,
                out=folder,
                plan=plan,
                tree=tree,
                timeout=context.settings.round_timeout,
                events=context.events,
                audit=(audit, findings),
                screen=partial(screen_installed, context),
            )
        if verdict.infra:
            return self._close(number, folder, verdict)
        if not verdict.passed:
            # What fails only in a fresh place is a fault like any other: it becomes the next round's verdict.
            following = len(context.rounds.all()) + 1
            write_atomic(context.ws.run.round(following) / "commit", context.git.head() + "\n")
            context.rounds.write_verdict(verdict.model_copy(update={"round": following}))
        context.git.commit("Results of the replay in a fresh sandbox")
        return f"replayed in a fresh sandbox: {'passed' if verdict.passed else 'failed'}{noticed}"

    async def _plant_faults(self, plan: Plan, tree: str) -> str:
        """See once for each tree whether the tests notice small faults. It tells, and never changes the verdict."""
        context = self._context
        rounds = context.ws.run.rounds
        stored = read_report(rounds / FILE)
        if context.settings.mutants == 0 or (stored is not None and stored.tree == tree):
            return ""
        report = await mutation_check(
            context.ws.run.repo,
            context.open_sandbox,
            out=rounds,
            plan=plan,
            tree=tree,
            count=context.settings.mutants,
            timeout=context.settings.round_timeout,
            limit=min(context.settings.round_timeout, MUTATION_SECONDS),
            constraints=context.constraints,
            screen=partial(screen_installed, context),
        )
        if report.note:
            message = f"planted faults: {report.note}"
            context.events.emit("warning", stage="verify", message=message)
        tried = report.count("caught") + report.count("survived")
        return f"; the tests noticed {report.count('caught')} of {tried} planted faults" if tried else ""

    def _audit(self) -> tuple[Check, tuple[Diagnostic, ...], bool]:
        """Turn the audit of this tree into a check, which only a complete allow passes; and say if it may be run."""
        data = json.loads((self._context.ws.run.audit / "code.json").read_text(encoding="utf-8"))
        decisions = [Decision.model_validate(row) for row in data["decisions"]]
        refused = [decision for decision in decisions if not decision.allows]
        gates = {decision.gate for decision in decisions}
        if gates != {"code", "dependency", "command"}:
            raise InternalError(f"the audit looked through {', '.join(sorted(gates)) or 'no gate'} only")
        note = ", ".join(f"{decision.gate} {decision.decision}" for decision in decisions)
        check = Check(name="audit", state="failed" if refused else "passed", note=note, log="audit/code.json")
        policy = self._context.policy
        rows = tuple(row for decision in refused for row in as_diagnostics(decision, policy.open_findings(decision)))
        return check, rows, policy.may_run(decisions)


def _not_executed(number: int, tree: str, audit: Check, findings: tuple[Diagnostic, ...]) -> Verdict:
    rest = tuple(Check(name=name, state="not_run", note="refused by the audit") for name in CHECKS if name != "audit")
    return Verdict(round=number, tree=tree, checks=(*rest, audit), diagnostics=findings)
