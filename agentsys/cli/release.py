"""`agentsys release RUN`: a deployment from a verified run with a clean audit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.policy import PolicyName, load_policy
from agentsys.core.errors import AgentsysError, BlockedError, PrerequisiteError, UsageError
from agentsys.core.rundir import find

if TYPE_CHECKING:
    from agentsys_policies.release import ReleaseFacts
    from agentsys_policies.repository import Audit

BUILD_SECONDS = 1800.0
"""Longest time of one step of the build."""


def release(
    run: opt.RunName = "",
    out: Annotated[Path, typer.Option("--out", "-o", "--release-dir", help="New folder.", metavar="DIR")] = Path(
        "release"
    ),
    base: Annotated[str, typer.Option(help="Base image; it needs Python and bash.", metavar="IMAGE")] = "",
    wheels: Annotated[
        bool, typer.Option("--wheels", help="Put the wheels in, so that the image builds offline.")
    ] = False,
    build: Annotated[bool, typer.Option("--build", help="Build the image now; needs `docker`.")] = False,
    runs_dir: opt.RunsDir = None,
    name: PolicyName = None,
    review: opt.Review = None,
) -> None:
    """Write a release: repository, fresh audit with a bill of materials, hardened image recipe, and how to run it.

    Refuses, with reasons, what was not verified and replayed, or what the audit does not allow (exit code 6).
    """
    from agentsys.audit.release import known_results, last_installed, reasons_of_record
    from agentsys.core.blocks import FIGURES
    from agentsys.core.version import agentsys_version
    from agentsys_policies.errors import PolicyError
    from agentsys_policies.release import BASE_IMAGE, ReleaseFacts, make_release

    chosen = find(opt.runs_dir_of(runs_dir), run)
    record = chosen.state()
    if reasons := reasons_of_record(chosen, record):
        words = "; ".join(reasons)
        raise BlockedError(f"run `{chosen.path.name}` cannot be released: {words}", "finish it with `resume`")
    installed = last_installed(chosen.path)
    facts = ReleaseFacts(record.title or chosen.path.name, chosen.path.name, agentsys_version(), base or BASE_IMAGE)
    try:
        audit = make_release(
            chosen.repo, out, load_policy(name, review), installed, facts, known_results(chosen), (FIGURES,)
        )
    except PolicyError as error:
        raise BlockedError(error.message, error.hint) from error
    image = _finish(out, audit, facts, wheels, build)
    typer.echo(f"release: {out}\naudit head: {audit.head}\nimage: {image}{'' if build else ' (not built)'}")


def _finish(out: Path, audit: Audit, facts: ReleaseFacts, wheels: bool, build: bool) -> str:
    from agentsys_policies.release import LOCK, write_recipes

    if wheels:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        _step([*pip, "--dest", str(out / "wheels"), "--requirement", str(out / "app" / LOCK)], "the wheels")
    image = write_recipes(out, audit, facts, wheels=wheels)
    if build:
        if shutil.which("docker") is None:
            raise PrerequisiteError("`docker` is not installed", f"the release in `{out}` can be built elsewhere")
        _step(["docker", "build", "--quiet", "--tag", image, str(out)], "the image")
    return image


def _step(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise _failed(what, f"no end after {BUILD_SECONDS:.0f} s") from error
    except OSError as error:
        raise UsageError(f"`{command[0]}` cannot be started: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise _failed(what, lines[-1] if lines else f"exit code {done.returncode}")


def _failed(what: str, why: str) -> AgentsysError:
    return PrerequisiteError(
        f"{what} could not be made: {why}", "the rest of the release is there and can be built later"
    )
