"""Options that several commands share, and how they become settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from agentsys.core.errors import AgentsysError, UsageError
from agentsys.core.rundir import RunDir, all_runs, find
from agentsys.core.settings_layers import load_settings
from agentsys.core.settings_text import duration, read_env_file
from agentsys_sandbox import backends
from agentsys_sandbox.errors import SandboxError

DisplayChoice = Literal["auto", "live", "plain", "quiet"]

_WHERE = f"Where the code is run: auto, {', '.join(backends.BACKENDS)}, or another backend that is installed."


def _backend(name: str | None) -> str | None:
    """Refuse a name that is not in the table of backends."""
    try:
        backends.candidates(name or "auto")
    except SandboxError as error:
        raise typer.BadParameter(f"{error.message}: {error.hint}") from error
    return name


RunsDir = Annotated[
    Path | None,
    typer.Option("--runs-dir", help="Folder that holds the run directories.", metavar="DIR"),
]
NewRunsDir = Annotated[
    Path | None,
    typer.Option("--runs-dir", "--out", help="Folder that holds the run directories.", metavar="DIR"),
]
MaxRounds = Annotated[int | None, typer.Option(help="Repair rounds after the first verification.", metavar="N")]
ModelName = Annotated[
    str | None, typer.Option("--model", "-m", help="Model, as its provider calls it.", metavar="NAME")
]
Budget = Annotated[float | None, typer.Option(help="Stop before more US dollars are spent.", metavar="USD")]
Prices = Annotated[
    list[str] | None,
    typer.Option("--price", help="What a model costs, in US dollars a million tokens.", metavar="NAME=IN/OUT"),
]
MaxTokens = Annotated[int | None, typer.Option(help="Stop before more tokens are used.", metavar="N")]
TimeLimit = Annotated[str | None, typer.Option(help="Stop after this wall-clock time.", metavar="2h")]
RoundTimeout = Annotated[str | None, typer.Option(help="Longest time of one command in the sandbox.", metavar="20m")]
ClaimBudget = Annotated[
    str | None, typer.Option("--claim-budget", help="CPU time of the experiments of all claims.", metavar="10m")
]
PaperId = Annotated[
    str, typer.Option("--paper-id", help="Whose claims to take, where the file has several papers.", metavar="ID")
]
DisplayOption = Annotated[DisplayChoice | None, typer.Option(help="How progress is shown on standard error.")]
Json = Annotated[bool, typer.Option("--json", help="Events as JSON lines on standard output, and nothing else there.")]
JsonRows = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show more of what agents and programs say.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings only.")]
Source = Annotated[
    Path | None, typer.Option("--source", help="LaTeX source of a PDF: equations come from it.", metavar="TEX")
]
Paper = Annotated[
    str,
    typer.Argument(
        help="The paper: a file (.pdf, .tex, .tar.gz, .md, .txt), an arXiv number, or an address.", metavar="PAPER"
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Fetch nothing: take what was fetched before.")]
DataMode = Annotated[
    Literal["auto", "ask", "never"] | None, typer.Option("--data", help="Whether data of the full profile is fetched.")
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder that the run finds as `data/`; nothing is fetched then.", metavar="DIR"),
]
Password = Annotated[str, typer.Option("--password", help="Opens an encrypted PDF; never stored.", metavar="TEXT")]
Sandbox = Annotated[
    str | None,
    typer.Option("--sandbox", "--backend", help=_WHERE, metavar="NAME", callback=_backend),
]
Ocr = Annotated[bool, typer.Option("--ocr", help="Recognise scanned pages with tesseract.")]
PolicyName = Annotated[
    str | None, typer.Option("--policy", help="`default`, or a file that adds rules.", metavar="NAME")
]
Config = Annotated[Path | None, typer.Option(help="A configuration file on top of the usual ones.", metavar="FILE")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="Set any setting; may be repeated.", metavar="KEY.PATH=VALUE")
]
Review = Annotated[
    Path | None,
    typer.Option("--review", help="A person's review file: rules that may be passed over, and why.", metavar="FILE"),
]
EnvFile = Annotated[
    Path | None, typer.Option(help="Read KEY=VALUE lines into the environment; never done unasked.", metavar="FILE")
]


def run_ids(incomplete: str) -> list[str]:
    """Return what a shell may complete to the name of a run; nothing where the settings are faulty."""
    try:
        names = [item.path.name for item in all_runs(runs_dir_of(None))]
    except AgentsysError:
        return []
    return [name for name in ("latest", *names) if name.startswith(incomplete)] if names else []


RunName = Annotated[
    str,
    typer.Argument(
        help="Id, unique part of one, `latest`, or path; the latest by default.",
        metavar="RUN",
        autocompletion=run_ids,
    ),
]


def use_env_file(path: Path | None) -> None:
    """Put the variables of `--env-file` into the environment; they win over what is there."""
    if path is not None:
        os.environ.update(read_env_file(path))


def seconds_of(text: str | None) -> float | None:
    """Return the seconds of a duration option that was given."""
    return None if text is None else duration(text)


def folder_or_run(name: str) -> Path:
    """Return a folder that is there by this name, or else the folder of the run with this id.

    Raises: UsageError where it is neither.
    """
    path = Path(name)
    if path.exists() or not name:
        return path
    try:
        return find(runs_dir_of(None), name).path
    except UsageError as error:
        raise UsageError(f"`{name}` is not a folder, and {error.message}", error.hint) from error


def recording_of(path: Path | None) -> Path | None:
    """Return a recording that is there by this name, or that of the run with this id; else the name as it is."""
    try:
        return folder_or_run(str(path)) if path is not None else None
    except UsageError:
        return path


def repository_of(name: str) -> tuple[Path, Path | None]:
    """Return the folder of a repository, and that of its run where it is one's.

    Raises: UsageError where there is no such folder, or the run has none yet.
    """
    path = folder_or_run(name)
    run = path if (path / "run.json").is_file() else None
    if run is None:
        return path, None
    if not (run / "repo").is_dir():
        raise UsageError(f"run `{run.resolve().name}` has no repository yet", "go on with it: `agentsys resume`")
    return run / "repo", run


def paper_of(run: Path) -> Path:
    """Return the paper that a run keeps; for LaTeX sources the place that it was read from."""
    stored = sorted((run / "paper").glob("source.*"))
    return stored[0] if stored else Path(RunDir(run).read().paper_path)


def runs_dir_of(path: Path | None) -> Path:
    """Return the folder of the runs: the option's, or the settings'."""
    return path if path is not None else load_settings()[0].runs_dir
