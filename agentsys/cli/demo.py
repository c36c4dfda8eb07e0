"""`agentsys demo`: the recorded run of the example paper goes once more through everything but the model."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

import agentsys
from agentsys.cli import options as opt
from agentsys.cli.implement import implement
from agentsys.core.errors import PrerequisiteError

QUICK = ("mutants=6", "claim_jobs=2")
"""Fewer planted faults, and the cells of claims two at a time: the demo is to end soon."""


def demo(
    runs_dir: opt.NewRunsDir = None,
    sandbox: opt.Sandbox = None,
    sets: opt.Sets = None,
    json: opt.Json = False,
    verbose: opt.Verbose = False,
    quiet: opt.Quiet = False,
    folder: Annotated[bool, typer.Option("--folder", help="Only say where paper and recording lie.")] = False,
) -> None:
    """Replay a recorded run of the example paper: no key; real reader, sandbox, type checker, tests and final replay.

    Only the answers of the model are recorded. It takes minutes and ends like any run.
    """
    place = example_folder()
    if folder:
        typer.echo(place)
        return
    implement(
        str(place / "paper.pdf"),
        out=runs_dir,
        max_rounds=5,
        sandbox=sandbox,
        display="plain",
        json=json,
        verbose=verbose,
        quiet=quiet,
        sets=[*QUICK, *(sets or ())],
        replay=place / "recording",
    )


def example_folder() -> Path:
    """Return the folder with paper and recording, of the installed package or of the source tree.

    Raises: PrerequisiteError where there is neither.
    """
    installed = Path(str(resources.files("agentsys.cli"))) / "example"
    source = Path(str(agentsys.__file__)).resolve().parents[1] / "examples" / "dc-svrg"
    for place in (installed, source):
        if (place / "recording").is_dir():
            return place
    raise PrerequisiteError(
        "the example is not part of this installation", "install agentsys anew, or clone its source"
    )
