"""Writes the reports into the run directory."""

from __future__ import annotations

from pathlib import Path

from agentsys.core.files import write_atomic
from agentsys.core.rundir import RunDir
from agentsys.report.data import collect
from agentsys.report.html import html
from agentsys.report.markdown import markdown


def write_reports(run: RunDir) -> tuple[Path, Path]:
    """Write `report.md` and `report.html` from what lies on disk, and return their paths.

    Call it when run.json holds the final status.
    """
    data = collect(run)
    paths = (run.path / "report.md", run.path / "report.html")
    write_atomic(paths[0], markdown(data))
    write_atomic(paths[1], html(data))
    return paths
