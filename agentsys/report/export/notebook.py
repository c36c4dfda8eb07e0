"""A Jupyter notebook that opens with frozen results, and when run evaluates every verdict again from the raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentsys.core.files import write_atomic
from agentsys.core.text import md
from agentsys.plan.claims.freezing import FOLDER
from agentsys.report.claim_page import body, plot_file, table
from agentsys.report.claims import HEAD, cells_of, scoreboard
from agentsys.report.export.bundle import Bundle, absent, evaluated, write_files
from agentsys.report.verdict import headline

FILE = "claims.ipynb"
_EVALUATE = f'''import sys
from pathlib import Path

# The record lies beside this notebook; its programs need numpy and scipy alone.
record = Path("{FOLDER}").resolve()
sys.path.insert(0, str(record))
from standalone.again import main

differs = main(record)
assert differs == 0, "a verdict, a contract or a row is not the one that was judged"'''


def write_notebook(bundle: Bundle, out: Path) -> Path:
    """Write `claims.ipynb` and the record that it reads into a folder; return the notebook.

    Raises: PrerequisiteError without nbformat; UsageError where the record is not the one that was judged.
    """
    try:
        import nbformat
    except ImportError as error:
        raise absent("nbformat") from error
    write_files(bundle, out, f"{FOLDER}/")
    for claim, drawn in bundle.plots.svg.items():
        write_atomic(out / _plot(claim), drawn + "\n", durable=False)
    library: Any = nbformat
    notebook = library.v4.new_notebook(cells=_cells(library.v4, bundle, evaluated(out / FOLDER)))
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the library's own are random
    library.validate(notebook)
    write_atomic(out / FILE, library.writes(notebook) + "\n")
    return out / FILE


def _cells(v4: Any, bundle: Bundle, said: str) -> list[Any]:
    data = bundle.data
    head = [
        f"# {md(bundle.title, 200)}",
        f"**{md(headline(data), 600)}**",
        f"## Claims: {md(scoreboard(data.claims))}",
        table(HEAD, [cells_of(row) for row in data.claims]),
        *([md(bundle.plots.why, 600)] if bundle.plots.why else []),
        f"The results below are frozen. The next cell evaluates every verdict again from `{FOLDER}/rows/`.",
    ]
    printed = v4.new_output("stream", name="stdout", text=said)
    cells: list[Any] = [
        v4.new_markdown_cell("\n\n".join(head)),
        v4.new_code_cell(_EVALUATE, execution_count=1, outputs=[printed]),
    ]
    for row in data.claims:
        title = f"## Claim {row.claim}: {md(row.verdict or 'not judged')}"
        cells.append(v4.new_markdown_cell("\n\n".join([title, *body(row, raw=bundle.plots.values.get(row.claim))])))
        if drawn := bundle.plots.svg.get(row.claim):
            shown = v4.new_output("execute_result", {"image/svg+xml": drawn}, execution_count=len(cells))
            source = f'from IPython.display import SVG\n\nSVG(filename="{_plot(row.claim)}")'
            cells.append(v4.new_code_cell(source, execution_count=len(cells), outputs=[shown]))
    return cells


def _plot(claim: str) -> str:
    return f"{FOLDER}/{plot_file(claim)}"
