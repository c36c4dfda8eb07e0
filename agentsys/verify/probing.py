"""A small experiment of the debugger's: a program that looks at the repository, on a copy that is thrown away.

It was written by a model, so the policy decides first whether it may run. It gets what is verified and the locked
environment in a sandbox of its own; of what it leaves there only its output comes back, and no check reads that.
"""

from __future__ import annotations

from pathlib import Path

from agentsys.audit.record import record_decision
from agentsys.audit.reported import reported_numbers
from agentsys.core.artifacts import Plan
from agentsys.core.errors import SandboxUnavailable
from agentsys.core.files import write_atomic
from agentsys.core.text import clean_text, cut
from agentsys.core.tree import read_tree
from agentsys.plan.context import Context
from agentsys.verify.checks.base import Bench, Infrastructure, Job
from agentsys.verify.checks.install import LOCK
from agentsys.verify.checks.table import run_checks
from agentsys.verify.run import retrying
from agentsys_sandbox.base import REPO, VENV, WORK, SandboxError

NAME = "agentsys_experiment.py"
SECONDS = 60.0
"""Processor time of one experiment, on each processor."""
MAX_OUTPUT = 6000
"""Characters of its output that come back."""


async def experiment(context: Context, plan: Plan, round_folder: Path, number: int, text: str) -> str:
    """Run a program on a copy of the repository and return what it printed, or why it was not run.

    Program and output are kept beside the round, so that a resumed run does not run it again.

    Args:
        round_folder: of the round that executed this very tree: its lock is installed again.
        number: of the experiment in its round.

    Raises: SandboxUnavailable where no sandbox works.
    """
    folder = round_folder / f"experiment-{number}"
    program, log = folder / NAME, folder / "output.log"
    if log.is_file() and program.read_text(encoding="utf-8") == text:
        return log.read_text(encoding="utf-8")
    write_atomic(program, text)
    said = _refused(context, plan, folder) or await _run(context, plan, round_folder, folder, text)
    write_atomic(log, said)
    return said


def _refused(context: Context, plan: Plan, folder: Path) -> str:
    """Return what the policy has against it; empty where it may run."""
    code = context.policy.audit_code(folder, [NAME], reported=reported_numbers(plan))
    for decision in (code, context.policy.check_command(("python", NAME))):
        record_decision(context, decision, "audit")
        if not decision.allows:
            found = "; ".join(f"{row.message} ({row.evidence.quote})" for row in decision.findings)
            return f"it was not run: the policy refuses it: {found or decision.status}"
    return ""


async def _run(context: Context, plan: Plan, round_folder: Path, folder: Path, text: str) -> str:
    lock = round_folder / LOCK
    if not lock.is_file():
        return "it was not run: nothing could be installed for this repository yet"
    job = Job(
        files=read_tree(context.ws.run.repo),
        out=folder,
        plan=plan,
        events=context.events,
        timeout=context.settings.round_timeout,
        constraints=context.constraints,
        lock=lock.read_text(encoding="utf-8"),
        stage="debug",
    )

    async def once() -> str:
        async with context.open_sandbox() as sandbox:
            bench = Bench(sandbox, job)
            if not (await run_checks(bench, only=("install",))).passed("install"):
                raise Infrastructure("the environment that was verified could not be installed again")
            await bench.place_repo()
            await sandbox.write_files({NAME: text.encode()}, root=f"{WORK}/experiment")
            argv = [f"{VENV}/bin/python", f"{WORK}/experiment/{NAME}"]
            env = {"PYTHONPATH": f"{REPO}:{REPO}/src"}
            result = await bench.run("experiment", argv, env=env, timeout=SECONDS)
            ended = "" if result.ok else f"\n[it ended as `{result.outcome.value}`, exit code {result.exit_code}]"
            return cut(clean_text(result.text()).strip(), MAX_OUTPUT) + ended or "it printed nothing"

    try:
        return await retrying(job)(once)
    except (Infrastructure, SandboxError) as error:
        hint = getattr(error, "hint", "") or "see `agentsys doctor`, then go on with `agentsys resume`"
        raise SandboxUnavailable(f"the sandbox failed: {error}", hint) from error
