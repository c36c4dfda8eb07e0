"""`agentsys reproduce RUN`: run the full profile of a delivered repository later, and update the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentsys.cli import options as opt
from agentsys.cli.data import have_data
from agentsys.cli.output import json_errors, note, show_json, table
from agentsys.cli.supervise import Stop, supervise
from agentsys.core.errors import EXIT_CODES
from agentsys.core.rundir import RunDir, find
from agentsys.core.settings_layers import reproduction_settings
from agentsys.core.text import clean_line

if TYPE_CHECKING:
    from agentsys.run.reproduce import Reproduced
    from agentsys_sandbox.base import OnOutput

DAY = 86400.0
MAX_LINE = 4000


def reproduce(
    run: opt.RunName = "",
    profile: Annotated[Literal["full", "smoke"], typer.Option(help="What is run.")] = "full",
    data: opt.DataMode = None,
    data_dir: opt.DataDir = None,
    offline: opt.Offline = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", help="Longest time of the run; a day by default.", metavar="12h")
    ] = None,
    backend: opt.Sandbox = None,
    sets: opt.Sets = None,
    runs_dir: opt.RunsDir = None,
    json: opt.JsonRows = False,
) -> None:
    """Run a profile of a run's repository in the sandbox, compare its results with the paper's, update the report.

    The repository stays as it is; logs and results go to `reproductions/NN/` of the run. Its packages come from
    requirements.lock, and the run has no network: its data is fetched before (docs/data.md), or lies in `--data-dir`.
    More memory or cores: `--set memory_mb=32000 --set cpus=8`. Exit code 5 if the run, its results or its signs of
    health fail.
    """
    with json_errors(json):
        chosen = find(opt.runs_dir_of(runs_dir), run)
        flags = {"backend": backend, "data": data, "data_dir": data_dir, "offline": offline or None}
        settings, _ = reproduction_settings(chosen.state(), flags=flags, sets=sets or ())
        from agentsys.run.reproduce import Order
        from agentsys.run.reproduce import reproduce as work
        from agentsys.verify.datafiles import read_folder

        folder = read_folder(settings.data_dir) if settings.data_dir is not None else None
        if profile == "full":
            _show_needs(chosen)
        if folder is not None:
            note(f"data: {folder.words}")
        order = Order(
            profile, opt.seconds_of(timeout) or DAY, on_output=streaming(lambda line: typer.echo(line, err=True))
        )
        stop = Stop()

        async def whole() -> Reproduced:
            if profile == "full":
                await have_data(chosen, settings)
            return await work(chosen, settings, order)

        done = supervise(whole, stop)
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


def streaming(show: Callable[[str], None]) -> OnOutput:
    """Return what shows the lines of a running program, harmless for a terminal; of a progress bar the last state."""
    rest: dict[str, bytes] = {}

    def on_output(stream: Literal["stdout", "stderr"], piece: bytes) -> None:
        *lines, rest[stream] = (rest.get(stream, b"") + piece).split(b"\n")
        if len(rest[stream]) > MAX_LINE:  # a progress bar draws itself on one line for ever
            rest[stream] = rest[stream].rpartition(b"\r")[2][:MAX_LINE]
        for line in lines:
            show(clean_line(line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace"), MAX_LINE))

    return on_output


def words(done: Reproduced) -> str:
    """Return verdict, checks, the table of numbers and where everything lies."""
    from agentsys.report.facts import NUMBERS_HEAD, numbers

    record = done.record
    state = "passed" if record.passed else "failed"
    lines = [f"{record.profile} profile {state} after {record.seconds:.1f} s ({record.backend or 'no sandbox'})"]
    if record.weak:
        lines.append("  sandbox  WEAK, it isolates less than Docker does")
    if not record.passed:
        lines.append(f"  reason   {clean_line(record.reason, 500)}")
        lines += [f"  hint     {clean_line(record.hint, 300)}"] if record.hint else []
    lines.append(f"  written  {done.folder}")
    rows: Sequence[tuple[str, ...]] = numbers(done.rows)
    return "\n".join([*lines, "", table(NUMBERS_HEAD, rows)] if rows and record.passed else lines)
