"""The command line: which commands there are, and how the program ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from agentsys.cli.audit import audit
from agentsys.cli.batch import batch
from agentsys.cli.claims import claims
from agentsys.cli.config import config
from agentsys.cli.data import data
from agentsys.cli.demo import demo
from agentsys.cli.doctor.command import doctor
from agentsys.cli.estimate import estimate
from agentsys.cli.evaluate import evaluate
from agentsys.cli.examples import example
from agentsys.cli.export import export
from agentsys.cli.implement import implement
from agentsys.cli.jobs import jobs
from agentsys.cli.mcp.command import mcp
from agentsys.cli.output import exit_with
from agentsys.cli.policy import policy
from agentsys.cli.read import read
from agentsys.cli.release import release
from agentsys.cli.report import report
from agentsys.cli.reproduce import reproduce
from agentsys.cli.resume import resume
from agentsys.cli.runs import runs
from agentsys.cli.sandbox import sandbox
from agentsys.cli.view import view
from agentsys.core.errors import AgentsysError

EXIT_CODE_TABLE = """\b
exit codes:
    0  verified: the repository was replayed from scratch (or the command did its work)
    1  internal error, with a traceback
    2  wrong usage, or the paper cannot be read
    3  configuration, or something on this machine is missing
    4  the model provider failed after retries
    5  finished, not verified; the repository is delivered as it is
    6  refused by the safety policy
    7  a limit on money, tokens or time is used up; resumable
  130  interrupted by Ctrl-C; resumable
  143  interrupted by SIGTERM; resumable
"""

app = typer.Typer(
    name="agentsys",
    help="Read a scientific paper and deliver a code repository that was run, repaired and replayed in a sandbox.",
    epilog=EXIT_CODE_TABLE,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    # Locals in a traceback would show keys.
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from agentsys.core.version import agentsys_version

        typer.echo(f"agentsys {agentsys_version()}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Read a scientific paper and deliver a code repository that was run, repaired and replayed in a sandbox."""


for _command, _words in (
    (implement, "Turn a paper into a verified repository."),
    (estimate, "Say what a run may cost."),
    (resume, "Go on with a run that stopped."),
    (batch, "Implement many papers under one budget."),
    (report, "Show the report of a run."),
    (view, "Show runs in a browser, live and afterwards."),
    (reproduce, "Run the full profile of a delivered repository."),
    (evaluate, "Score any repository as an implementation of a paper."),
    (audit, "Audit a repository, or verify an audit."),
    (export, "Write the claims of a run as a logbook, crate or notebook."),
    (release, "Make a deployment from a verified run."),
    (read, "Read a paper and show what was found."),
    (demo, "Replay the example's recorded run: no key."),
    (mcp, "Serve tools to other agents (MCP)."),
    (doctor, "Check this machine."),
):
    app.command(short_help=_words, epilog=example(_command.__name__))(_command)
for _group in (claims, jobs, data, runs, policy, sandbox, config):
    app.add_typer(_group)
    for _item in _group.registered_commands:
        _item.epilog = example(f"{_group.info.name} {_item.name}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; ends with SystemExit.

    Args:
        argv: arguments without the program's name; the process's own by default.
    """
    try:
        app(args=None if argv is None else list(argv), prog_name="agentsys")
    except AgentsysError as error:
        exit_with(error)
    except KeyboardInterrupt:
        sys.exit(130)
