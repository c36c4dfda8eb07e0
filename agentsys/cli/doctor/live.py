"""Looks into a throw-away sandbox: is what was asked for also effective."""

from __future__ import annotations

import asyncio
import secrets

from agentsys.cli.doctor.row import Row
from agentsys.core.settings import Settings
from agentsys.verify.sandboxspec import sandbox_spec
from agentsys_sandbox.base import VENV, SandboxError
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import Description, ExecResult

LOOK_SECONDS = 60.0


def confinement(settings: Settings) -> list[Row]:
    """Open a sandbox, run a program, and list every control with whether it is effective."""
    try:
        description, result = asyncio.run(inspect(settings))
    except SandboxError as error:
        return [Row("sandbox opens", "fail", error.message, error.hint)]
    rows = [Row("sandbox opens", "ok", f"{description.backend} {description.version}")]
    if not result.ok:
        rows.append(
            Row("sandbox runs code", "fail", f"{result.outcome.value}: {result.message or result.text()[-200:]}")
        )
    else:
        rows.append(Row("sandbox runs code", "ok", result.text().strip()))
    rows += [
        Row(f"  {each.name}", "ok", each.detail)
        if each.effective
        else Row(f"  {each.name}", "warn", f"not effective: {each.detail}", each.remedy)
        for each in description.controls
    ]
    return rows


async def inspect(settings: Settings) -> tuple[Description, ExecResult]:
    """Open a sandbox with these settings, run one program in it, and say what it is. Raises: SandboxError."""
    spec = sandbox_spec(settings, f"doctor-{secrets.token_hex(4)}")
    backend = await asyncio.to_thread(open_sandbox, spec, settings.backend, settings.docker_hosts)
    async with backend as sandbox:
        result = await sandbox.exec(["python3", "--version"], cwd=VENV.rpartition("/")[0], timeout=LOOK_SECONDS)
        return sandbox.describe(), result
