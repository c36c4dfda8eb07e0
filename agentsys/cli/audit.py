"""`agentsys audit PATH` and `agentsys audit verify DIR`: audit any repository, and recompute an audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, show_json
from agentsys.cli.policy import PolicyName, load_policy, refused, show_decisions
from agentsys.core.errors import BlockedError, UsageError

VERIFY = "verify"


def audit(
    target: Annotated[
        str, typer.Argument(help="A repository, or a run by path or id; or `verify`.", metavar="PATH|verify")
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="After `verify`: a run, or an audit folder.", metavar="DIR")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", "--audit-dir", help="Folder for record, SARIF, SBOM and page.", metavar="DIR"),
    ] = None,
    environment: Annotated[
        Path | None, typer.Option(help="What is installed: JSON of `pip inspect` or `pip list`.", metavar="FILE")
    ] = None,
    advisories: Annotated[
        Path | None, typer.Option(help="Vulnerability data: folder or zip of OSV records, or JSON.", metavar="PATH")
    ] = None,
    head: Annotated[str, typer.Option(help="With `verify`: the head hash noted elsewhere.", metavar="HASH")] = "",
    name: PolicyName = None,
    json: opt.JsonRows = False,
) -> None:
    """Examine every file, requirement and script of a repository by the safety policy. Nothing of it is run.

    `agentsys audit verify DIR` recomputes the record in DIR and says whether anything in it was changed.
    Exit code 6 if something is not allowed, or if the record is not whole.
    """
    with json_errors(json):
        if target == VERIFY and folder is not None:
            refusal = _verify(folder, head, json)
        elif folder is not None:
            raise UsageError(f"`{folder}` is one argument too many", "`agentsys audit verify DIR` verifies an audit")
        else:
            refusal = _audit(target, out, environment, advisories, name, json)
    # Outside: under `--json` the decisions alone stand on standard output.
    if refusal is not None:
        raise refusal


def _audit(
    target: str, out: Path | None, environment: Path | None, data: Path | None, name: str | None, json: bool
) -> BlockedError | None:
    from agentsys.audit.release import known_results, last_installed
    from agentsys.core.rundir import RunDir
    from agentsys.core.version import agentsys_version
    from agentsys_policies.advisories import read_advisories
    from agentsys_policies.errors import PolicyError
    from agentsys_policies.repository import audit_repository, read_installed

    root, run = opt.repository_of(target)
    title = (run or root).resolve().name
    if not root.is_dir():
        raise UsageError(f"`{root}` is not a folder", "name a repository or a run")
    policy = load_policy(name)
    try:
        done = audit_repository(
            root,
            policy,
            out=out,
            installed=read_installed(environment) if environment else last_installed(run) if run else [],
            advisories=read_advisories(data) if data else None,
            name=title,
            version=agentsys_version(),
            known=known_results(RunDir(run)) if run is not None else frozenset(),
        )
    except PolicyError as error:
        raise UsageError(error.message, error.hint) from error
    show_decisions(done.decisions, json)
    if done.head and not json:
        typer.echo(f"\nwritten to {out}\nhead of the record: {done.head}")
    return refused(done.decisions)


def _verify(folder: Path, head: str, json: bool) -> BlockedError | None:
    from agentsys_policies.record import verify

    folder = opt.folder_or_run(str(folder))
    folder = folder / "audit" if (folder / "run.json").is_file() else folder
    if not folder.is_dir():
        raise UsageError(f"`{folder}` is not a folder", "name a run, or the audit folder of a run or of a release")
    problems = verify(folder, head=head)
    if json:
        show_json({"folder": str(folder), "problems": problems})
    else:
        typer.echo("\n".join(problems) or "the record is whole")
    return BlockedError(f"the audit record in `{folder}` is not whole", "do not rely on it") if problems else None
