"""`agentsys sandbox build|check|clean`: the places where code runs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agentsys.cli import options as opt
from agentsys.core.errors import PrerequisiteError, SandboxUnavailable
from agentsys.core.settings_layers import load_settings
from agentsys_sandbox import backends
from agentsys_sandbox.errors import SandboxError

if TYPE_CHECKING:
    from agentsys_sandbox.labels import Leftover

sandbox = typer.Typer(
    name="sandbox", no_args_is_help=True, help="Build, check and clean sandboxes.", rich_markup_mode=None
)


@contextmanager
def sandbox_errors() -> Generator[None]:
    """Turn the sandbox package's errors into ours."""
    try:
        yield
    except SandboxError as error:
        raise SandboxUnavailable(error.message, error.hint) from error


@sandbox.command("build")
def build(
    backend: opt.Sandbox = None,
    source: Annotated[
        Literal["auto", "registry", "host"],
        typer.Option(help="`registry` builds on the official Python image, `host` on this machine's files."),
    ] = "auto",
) -> None:
    """Build the base image, or for bubblewrap the base file system, and print its name."""
    from agentsys_sandbox.choose import detect

    with sandbox_errors():
        typer.echo(backends.load(detect(_backend(backend))).build_base(source))


@sandbox.command("check")
def check(backend: opt.Sandbox = None, json: opt.JsonRows = False) -> None:
    """Open a throw-away sandbox and list every control of its confinement, seen from inside."""
    from agentsys.cli.doctor.sandboxes import confinement
    from agentsys.cli.output import show_json, table

    settings, _ = load_settings(flags={"backend": backend})
    rows = confinement(settings)
    if json:
        show_json([asdict(row) for row in rows])
    else:
        typer.echo(table(("check", "state", "detail", "fix"), [(r.check, r.status, r.detail, r.fix) for r in rows]))
    raise typer.Exit(3 if any(row.status == "fail" for row in rows) else 0)


@sandbox.command("clean")
def clean(
    everything: Annotated[bool, typer.Option("--all", help="Those of living runs too; only if nothing runs.")] = False,
    images: Annotated[
        bool, typer.Option("--images", help="Base images of earlier recipes too; the current one stays.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
) -> None:
    """Remove containers, volumes and folders that dead runs left behind, and list them."""
    from agentsys_sandbox.reap import clean_up

    with sandbox_errors():
        hosts = load_settings()[0].docker_hosts
        done = clean_up(dry_run=dry_run, everything=everything, images=images, hosts=hosts)
    kept = {id(each): why for each, why in done.kept}
    for each in done.found:
        state = "found" if dry_run else "kept: " + kept[id(each)] if id(each) in kept else "removed"
        typer.echo(f"{state}  {each.backend} {each.kind} {each.name}  {_whose(each)}{each.reason}")
    typer.echo(f"{len(done.found)} found, {0 if dry_run else len(done.found) - len(kept)} removed", err=True)
    if done.outdated:
        typer.echo(f"{len(done.outdated)} base images or folders of earlier recipes: `--images` removes them", err=True)
    for name, why in done.not_looked_at:
        typer.echo(f"not looked at: {name} ({why})", err=True)
    if kept or len(done.not_looked_at) == len(backends.names()):
        raise PrerequisiteError("not everything could be looked at or removed", "the lines above say why")


def _whose(leftover: Leftover) -> str:
    return f"run {leftover.run}: " if leftover.run else ""


def _backend(chosen: str | None) -> str:
    return chosen or load_settings()[0].backend
