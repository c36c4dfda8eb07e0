"""What a backend needs to run a build inside its sandbox, and to read what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from typing import Any, cast

from agentsys_sandbox.base import VENV
from agentsys_sandbox.packages.wish import BuildJob, Built
from agentsys_sandbox.spec import ExecResult, Outcome

BUILD = "/work/build"
"""Where the files of a job lie inside."""
OUT = f"{BUILD}/out"
MAX_WHEEL = 512 << 20
_SCRIPT = "inside_build.py"


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
