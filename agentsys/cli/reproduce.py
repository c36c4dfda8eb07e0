"""`agentsys reproduce RUN`: run the full profile of a delivered repository later, and update the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentsys.cli import options as opt
from agentsys.cli.data import have_data
from agentsys.cli.jobs import Asked, submit_job
from agentsys.cli.output import json_errors, note, show_json
from agentsys.cli.reproduced import streaming, words
from agentsys.cli.supervise import Stop, supervise
from agentsys.core.errors import EXIT_CODES, UsageError
from agentsys.core.rundir import RunDir, find
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import reproduction_settings
from agentsys.core.text import clean_line

if TYPE_CHECKING:
    from agentsys.run.reproduce import Reproduced

DAY = 86400.0


def reproduce(
    run: opt.RunName = "",
    profile: Annotated[
        Literal["full", "smoke", "claims"],
        typer.Option(help="What is run; `claims`: the cells of its claims that are missing, as a job."),
    ] = "full",
    data: opt.DataMode = None,
    data_dir: opt.DataDir = None,
    offline: opt.Offline = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="Longest time of the run; a day by default.", metavar="12h")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", help="As a job: `local` (this machine), `slurm` or `ray`.", metavar="ENGINE")
    ] = None,
    cpus: Annotated[float | None, typer.Option(help="Processors of the sandbox.", metavar="N", min=0.1)] = None,
    memory: Annotated[str | None, typer.Option(help="Memory of the sandbox.", metavar="32G")] = None,
    gpus: Annotated[int, typer.Option(help="GPUs of each task of a job.", metavar="N", min=0)] = 0,
    time: Annotated[
        str | None, typer.Option("--time", help="Time limit of each task of a job; a day by default.", metavar="4h")
    ] = None,
    partition: Annotated[str, typer.Option(help="Partition of a job.", metavar="NAME")] = "",
    ask: Annotated[
        list[str] | None,
        typer.Option("--ask", help="More that the engine is asked, such as account=NAME.", metavar="KEY=VALUE"),
    ] = None,
    tasks: Annotated[
        int, typer.Option(help="Tasks over which cells are spread; 0: as many as there is room for.", min=0, max=1000)
    ] = 0,
    detach: Annotated[bool, typer.Option("--detach", help="Submit a job and do not wait for it.")] = False,
    backend: opt.Sandbox = None,
    sets: opt.Sets = None,
    runs_dir: opt.RunsDir = None,
    json: opt.JsonRows = False,
) -> None:
    """Run a profile of a run's repository in the sandbox, compare its results with the paper's, update the report.

    The repository stays as it is; logs and results go to `reproductions/NN/` of the run. Its packages come from
    requirements.lock, and the run has no network: its data is fetched before (docs/data.md), or lies in `--data-dir`.
    Exit code 5 if the run, its results or its signs of health fail. As a job it goes on without this terminal: see
    `agentsys jobs`.
    """
    with json_errors(json):
        chosen = find(opt.runs_dir_of(runs_dir), run)
        flags: dict[str, object] = {"backend": backend, "cpus": cpus, "memory_mb": opt.mebibytes_of(memory)}
        flags |= {"gpu": bool(gpus) or None, "data": data, "data_dir": data_dir, "offline": offline or None}
        settings, _ = reproduction_settings(chosen.state(), flags=flags, sets=sets or ())
        if profile == "full":
            _show_needs(chosen)
        _show_data(settings)
        day = opt.seconds_of(timeout) or DAY
        if on is None and profile != "claims":
            if detach or time or partition or ask or tasks:
                raise UsageError("this is asked of jobs only", "say where: `--on local`, `--on slurm` or `--on ray`")
            _reproduce_here(chosen, settings, profile, day, json=json)
            return
        limit = opt.seconds_of(time) or DAY
        asked = Asked(profile, on or "local", gpus, limit, day, partition, ask or (), tasks)
        submit_job(chosen, settings, asked, detach=detach, json=json)


def _reproduce_here(
    run: RunDir, settings: Settings, profile: Literal["full", "smoke"], timeout: float, *, json: bool
) -> None:
    """Run a profile in this process, and show what it prints."""
    from agentsys.run.reproduce import Order
    from agentsys.run.reproduce import reproduce as work

    order = Order(profile, timeout, on_output=streaming(lambda line: typer.echo(line, err=True)))

    async def whole() -> Reproduced:
        if profile == "full":
            await have_data(run, settings)
        return await work(run, settings, order)

    done = supervise(whole, Stop())
    if json:
        show_json(
            {
                "reproduction": done.record.model_dump(mode="json"),
                "measured": [row.model_dump(mode="json") for row in done.rows],
                "folder": str(done.folder),
            }
        )
    else:
        typer.echo(words(done))
    if not done.record.passed:
        raise typer.Exit(EXIT_CODES["unverified"])


def _show_needs(run: RunDir) -> None:
    """Say before a long run what the plan thinks it takes."""
    from agentsys.plan.files import load_plan

    plan = load_plan(run.plan)
    for item in plan.experiments if plan is not None else ():
        typer.echo(f"needs: {clean_line(item.name, 60)}: {clean_line(item.full, 300)}", err=True)


def _show_data(settings: Settings) -> None:
    """Say what lies in a folder of the user's; it is a usage error if that is none."""
    from agentsys.verify.datafiles import read_folder

    if settings.data_dir is not None:
        note(f"data: {read_folder(settings.data_dir).words}")
