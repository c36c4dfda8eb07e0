"""Holds the table of removals to the package index: `python -m benchmarks.removals [LIBRARY ...] [--python PATH]`.

Without `--python` the newest releases are installed into an environment that is thrown away. Each row is run in a
process of its own: what `fails` has to fail as the row says, and what works or shows has to end well. Exit code 1 if a
row is wrong.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agentsys.plan.removals import Removal, table
from agentsys_sandbox.image.hostfiles import uv

_SECONDS = 1200
"""Seconds for one row; most take a few, to load torch and transformers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the rows of some libraries, or of all, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", nargs="*")
    parser.add_argument("--python", type=Path, help="an interpreter that has the libraries")
    chosen = parser.parse_args(arguments)
    rows = [row for row in table() if not chosen.libraries or row.library in chosen.libraries]
    with tempfile.TemporaryDirectory() as folder:
        python = chosen.python or _install(rows, Path(folder))
        faults = [_told(row, _fault(row, python)) for row in rows]
        versions = {name: _version(name, python) for name in sorted({row.library for row in rows})}
    print(f"{sum(not fault for fault in faults)} of {len(rows)} rows hold on " + ", ".join(versions.values()))
    return int(not rows or any(faults))


def _told(row: Removal, fault: str) -> str:
    """Print a row as soon as it is known: all of them take long."""
    print(
        f"{'WRONG' if fault else 'ok   '} {row.library:13} {row.old[:70]}{f' -- {fault}' if fault else ''}", flush=True
    )
    return fault


def _install(rows: Sequence[Removal], folder: Path) -> Path:
    subprocess.run([str(uv()), "venv", "-q", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    names = sorted({name for row in rows for name in (row.library, *row.needs)})
    subprocess.run([str(uv()), "pip", "install", "-q", "--python", str(python), *names], check=True)
    return python


def _fault(row: Removal, python: Path) -> str:
    """Return what of a row does not hold, or nothing."""
    for code in filter(None, (row.works, row.shows)):
        status, said = _run(code, python)
        if status:
            return f"should end well: {said}"
    if not row.error:
        return "" if row.shows else "nothing shows the change"
    status, said = _run(row.fails, python, whole=True)
    if not status:
        return "works again"
    return "" if re.search(row.error, said) else f"fails otherwise: {said[-160:]}"


def _run(code: str, python: Path, *, whole: bool = False) -> tuple[int, str]:
    command = [str(python), "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return 1, f"no end within {_SECONDS} s"
    said = done.stderr.strip()
    return done.returncode, said if whole else (said.splitlines() or [""])[-1]


def _version(name: str, python: Path) -> str:
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return f"{name} {done.stdout.strip() or 'absent'}"


if __name__ == "__main__":
    sys.exit(main())
