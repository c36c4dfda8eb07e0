"""Builds inside a sandbox: what is put there, run, and read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, cast

from agentsys_sandbox import transfer
from agentsys_sandbox.box import Box, Job, OnOutput
from agentsys_sandbox.environment import run_environment
from agentsys_sandbox.errors import SandboxGone
from agentsys_sandbox.packages.wish import BuildJob, Built
from agentsys_sandbox.paths import VENV, WORK
from agentsys_sandbox.spec import ExecResult, Outcome

BoxOf = Callable[[Path], AbstractAsyncContextManager[Box]]
"""A throw-away box that sees an environment of this machine at `VENV`."""
BUILD = "/work/build"
"""Where the files of a job lie inside."""
OUT = f"{BUILD}/out"
MAX_WHEEL = 512 << 20
_SCRIPT = "inside_build.py"


class BoxBuilder:
    """The protocol `wish.Builder` on boxes of a sandbox."""

    def __init__(self, box_of: BoxOf, on_output: OnOutput | None) -> None:
        self._box_of = box_of
        self._on_output = on_output

    async def build(self, job: BuildJob) -> Built:
        """Build one wheel; nothing of the build goes on afterwards. Raises: SandboxGone, Unavailable."""
        if self._on_output is not None:
            self._on_output("stderr", f"Building {job.source[0] if job.source else 'the repository'}\n".encode())
        async with self._box_of(job.environment) as box:
            await transfer.remove(box.helper, [PurePosixPath(BUILD).name], WORK)
            await transfer.write_files(box.helper, files(job), BUILD)
            # Not /tmp, which is small: compilers write much.
            environment = run_environment(box.cpus, box.path, {"TMPDIR": BUILD})
            result = await box.run(Job(argv(job), "/", environment, b"", job.limit, on_output=self._on_output))
            data = await transfer.read_file(box.helper, OUT, MAX_WHEEL + 1) if result.ok else None
            with suppress(SandboxGone):  # ended at a limit; the next build removes it
                await transfer.remove(box.helper, [PurePosixPath(BUILD).name], WORK)
        return read_built(result, data)


def files(job: BuildJob) -> Mapping[str, bytes]:
    """What to write below `BUILD`."""
    script = resources.files("agentsys_sandbox.packages").joinpath(_SCRIPT).read_bytes()
    return {_SCRIPT: script, **dict([job.source] if job.source else [])}


def argv(job: BuildJob) -> tuple[str, ...]:
    """The program to run."""
    source = f"{BUILD}/{job.source[0]}" if job.source else "-"
    return f"{VENV}/bin/python", f"{BUILD}/{_SCRIPT}", source, OUT, json.dumps(job.given)


def read_built(result: ExecResult, data: bytes | None) -> Built:
    """What a build came to.

    Args:
        data: content of `OUT`, not to be trusted; None where there is none. At most `MAX_WHEEL` bytes are taken.
    """
    if not result.ok:
        return Built(result)
    if data is None or len(data) > MAX_WHEEL:
        message = "the build ended well and left no wheel" if data is None else "the built wheel is too large"
        return Built(replace(result, outcome=Outcome.NONZERO, message=message))
    head, _, wheel = data.partition(b"\n")
    try:
        told: Any = json.loads(head[: 1 << 16])
    except ValueError:
        told = None
    table = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    requires = table.get("requires")
    if isinstance(requires, list):
        return Built(result, requires=tuple(str(each) for each in cast("list[Any]", requires)[:50]))
    return Built(result, wheel=(str(table.get("wheel", "")), wheel))
