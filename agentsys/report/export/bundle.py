"""What every export is made from: the claims of a run with their plots, and the committed repository they rest on."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from agentsys.core.blocks import FIGURES
from agentsys.core.errors import PrerequisiteError, UsageError
from agentsys.core.files import write_atomic
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.plan.claims.freezing import FOLDER
from agentsys.report.claim_plot import Plots, draw_plots
from agentsys.report.data import ReportData, collect

CHECK = ("python", f"{FOLDER}/evaluate.py")
"""Evaluates the record again, in the folder of the repository."""


@dataclass(frozen=True)
class Bundle:
    """A run's claims, ready to be written in any form."""

    data: ReportData
    plots: Plots
    files: dict[str, bytes]
    """Path to content of what the repository's last commit holds, without the pictures that are the paper's."""

    @property
    def title(self) -> str:
        """Title of the paper, or the run's id."""
        return self.data.record.title or self.data.record.id


def load(run: RunDir) -> Bundle:
    """Read a run whose claims were judged.

    Raises: UsageError where there are no verdicts on the code as it is delivered; GitError.
    """
    data = collect(run)
    if not any(row.verdict for row in data.claims):
        raise UsageError(
            f"run `{data.record.id}` has no verdicts on claims that belong to its code and contracts",
            "claims are judged once the repository is verified: `agentsys resume`, or `agentsys claims rerun` for one",
        )
    files = {name: data for name, data in GitRepo(run.repo).files().items() if not name.startswith(FIGURES)}
    if f"{FOLDER}/verdicts.json" not in files:
        raise UsageError(f"the repository of run `{data.record.id}` does not hold the record of its claims")
    return Bundle(data, draw_plots(run), files)


@contextlib.contextmanager
def new_folder(out: Path) -> Generator[Path]:
    """Make a folder, and take it away again where what is written into it fails.

    Raises: UsageError where something is there already, or it cannot be made.
    """
    if out.exists() or out.is_symlink():
        raise UsageError(f"`{out}` is there already", "choose another place with `--out`, or remove it")
    try:
        out.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot write to `{out}`: {error.strerror}", "choose another place with `--out`") from error
    try:
        yield out
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def write_files(bundle: Bundle, out: Path, below: str = "") -> None:
    """Write the repository's committed files, or those below a folder of it, into `out`."""
    for name, content in bundle.files.items():
        if name.startswith(below):
            write_atomic(out / name, content, durable=False)


def evaluated(folder: Path) -> str:
    """Evaluate a record of claims again and return what its program prints.

    Raises: UsageError where a verdict, a contract or a file is not the one that was judged.
    """
    from agentsys.verify.claims.standalone.again import main

    said, faults = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(faults):
        code = main(folder)
    text = said.getvalue()
    if code:
        found = [line for line in text.splitlines() if line.startswith("differs: ")] or faults.getvalue().splitlines()
        raise UsageError(
            f"the record is not the one that was judged: {'; '.join(found[:5]) or 'it cannot be evaluated'}",
            "have the claims judged anew with `agentsys resume`, or export an unaltered copy of the run",
        )
    return text


def absent(package: str) -> PrerequisiteError:
    """Return the failure that a package of the extra is not there."""
    return PrerequisiteError(f"`{package}` is not installed", "`pip install 'agentsys[export]'`")
