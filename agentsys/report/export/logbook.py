"""A Trackio logbook of a run's claims: a local folder that its own program reads and serves. Nothing is published.

The shape is that of the challenge on ICML 2026 papers: an index that is a table of pages; a summary with a pinned
outcome and poster; a page a claim with what the paper reports, what was measured and the command; a conclusion with
the bundle to do it all again.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import sys
import zipfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from agentsys.core.errors import UsageError
from agentsys.core.files import sha256_bytes
from agentsys.core.text import clean_line
from agentsys.plan.claims.freezing import FOLDER
from agentsys.report.claim_page import by_seed, contract, limits, measured, review, table, words
from agentsys.report.claims import HEAD, ClaimRow, because, cells_of, scoreboard
from agentsys.report.export.bundle import CHECK, Bundle, absent, evaluated, write_files
from agentsys.report.facts import overview
from agentsys.report.verdict import headline
from agentsys.verify.claims.cells import program

BUNDLE = "repository.zip"
MOST_CHARACTERS = 110_000
"""Of all pages: judges of such logbooks read the first 120,000. What is over loses plots, then programs."""
_SETTINGS = "configs/full.yaml"
"""The repository's configuration at the paper's scale."""
_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
_HUB = "huggingface_hub.constants"
_TRUE = ("1", "ON", "YES", "TRUE")
"""What huggingface_hub takes for true in its variables."""
_AT_A_GLANCE = ("time", "usage", "model", "sandbox", "code")
_COLOURS = {"verified": "#1a7f37", "falsified": "#b3261e", "toy": "#7a5c00", "contested": "#5b3a8c"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_logbook(bundle: Bundle, out: Path) -> Path:
    """Write a logbook into a folder, its workspace, and the repository beside it; return the folder.

    Raises: PrerequisiteError without trackio; UsageError where the record is not the one that was judged, or the folder
        lies inside the workspace of another logbook, into which trackio would write.
    """
    with _offline():
        try:
            from trackio import logbook
        except ImportError as error:
            raise absent("trackio") from error
        out = out.resolve()
        if (other := logbook.find_project_dir(out)) is not None:
            raise UsageError(f"`{out}` lies inside the logbook `{other.parent}`", "choose another place with `--out`")
        write_files(bundle, out, f"{FOLDER}/")
        said = evaluated(out / FOLDER)
        _zip(bundle, out / BUNDLE)
        with contextlib.chdir(out):  # a new logbook is made in the current folder, and nowhere else
            _Writer(logbook, bundle, logbook.create_logbook(_title(bundle))).write(said)
    return out


@contextlib.contextmanager
def _offline() -> Generator[None]:
    """Keep trackio's libraries off the network, and leave them as they were: the same process may fetch data later.

    huggingface_hub reads the variable once, when it is loaded.
    """
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(_OFFLINE)
    hub = sys.modules.get(_HUB)
    was = getattr(hub, "HF_HUB_OFFLINE", (before["HF_HUB_OFFLINE"] or "").upper() in _TRUE)
    if hub is not None:
        vars(hub)["HF_HUB_OFFLINE"] = True
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if (hub := sys.modules.get(_HUB)) is not None:
            vars(hub)["HF_HUB_OFFLINE"] = was


class _Writer:
    """The pages of one logbook, by trackio's own functions."""

    def __init__(self, logbook: Any, bundle: Bundle, project: Path) -> None:
        self._logbook = logbook
        self._bundle = bundle
        self._project = project
        self._rows = bundle.data.claims
        self._pages: dict[str, str] = {}

    def write(self, said: str) -> None:
        self._summary()
        for row in self._rows:
            self._claim(row)
        self._conclusion(said)
        # What can be done without comes last, as far as there is room.
        for add in (self._raw, self._plot, self._program):
            for row in self._rows:
                add(row)

    def _page(self, title: str) -> str:
        page: str = self._logbook.ensure_page(self._project, title)
        return page

    def _pin(self, page: str) -> None:
        self._logbook.set_cell_pinned(self._project, self._logbook.last_cell_id(self._project, page))

    def _add(self, page: str, title: str, blocks: Sequence[str]) -> None:
        self._logbook.add_markdown_cell(self._project, page, "\n\n".join(blocks), title=title)

    def _summary(self) -> None:
        data, rows = self._bundle.data, self._rows
        page = self._page("Executive summary")
        facts = dict(overview(data))
        spent = sum(row.cpu_seconds for row in rows)
        glance = [
            ("scope", f"{len(rows)} claims of “{self._bundle.title}”"),
            ("outcome", scoreboard(rows)),
            ("hardware", _hardware(self._bundle)),
            ("CPU time of the claims", f"{spent:.1f} s in {sum(row.cells for row in rows)} cells"),
            *((name, facts[name]) for name in _AT_A_GLANCE if name in facts),
            ("repository", headline(data)),
        ]
        said = [f"{row.claim} {row.verdict or 'not judged'}: {because(row) or 'no rule was evaluated'}" for row in rows]
        self._add(
            page,
            "Outcome",
            [
                f"**{plain(scoreboard(rows), 200)}** of {len(rows)} claims, by rules that were frozen before the code.",
                "\n".join(f"- {plain(line, 400)}" for line in said),
                table(("at a glance", "value"), glance, plain, 600),
            ],
        )
        self._pin(page)
        self._logbook.add_figure_cell(self._project, page, html=poster(rows), title="Poster")
        self._pin(page)
        self._add(page, "Scoreboard", [table(HEAD, [cells_of(row) for row in rows], plain)])

    def _claim(self, row: ClaimRow) -> None:
        page = self._pages[row.claim] = self._page(f"Claim {row.claim}: {row.verdict or 'not judged'}")
        self._add(
            page,
            "What the paper reports, and what was measured",
            [
                *words(row, plain),
                f"**{row.verdict or 'not judged'}**: {plain(because(row) or 'no rule was evaluated', 1500)}.",
                measured(row, plain),
                *([f"Checked apart from it: {plain(row.checked)}."] if row.checked else []),
                *review(row, plain),
                *limits(row, plain),
            ],
        )
        if row.commands:
            failed = f", {row.failed} failed" if row.failed else ", none failed"
            took = f"{row.cells} cells{failed}; {row.cpu_seconds:.1f} CPU s, {row.seconds:.1f} s on the clock"
            setup = f"{took}\n{_hardware(self._bundle)}\nevery command with exit code and hash: {FOLDER}/cells.jsonl"
            self._logbook.add_code_cell(
                self._project,
                page,
                block(setup),
                title="Commands: the last of each case",
                code_text=block("\n".join(row.commands)),
                language="bash",
            )
        self._add(page, "Contract, frozen before the code", [contract(row, plain)])

    def _conclusion(self, said: str) -> None:
        page = self._page("Conclusion")
        files = [name for name in self._bundle.files if name.startswith(f"{FOLDER}/rows/")]
        files = [f"{FOLDER}/contracts.json", *files, f"{FOLDER}/verdicts.json"]
        hashes = [(name, sha256_bytes(self._bundle.files[name])) for name in files]
        data = (self._project.parent / BUNDLE).read_bytes()
        self._add(
            page,
            "How to do it again",
            [
                f"`{BUNDLE}` holds the repository, every raw row, the contracts and the programs. Unpacked, "
                f"`{' '.join(CHECK)}` evaluates every verdict again, with numpy and scipy alone.",
                table(("file", "SHA-256"), [(BUNDLE, sha256_bytes(data)), *hashes], plain),
                *([plain(self._bundle.plots.why, 300)] if self._bundle.plots.why else []),
            ],
        )
        settings = self._bundle.files.get(_SETTINGS, b"").decode("utf-8", "replace")
        if settings and self._room(settings):
            self._logbook.add_code_cell(
                self._project, page, "", title="Settings of the method", code_text=block(settings), language="yaml"
            )
        self._logbook.add_code_cell(
            self._project, page, block(said), title="Evaluated again", code_text=" ".join(CHECK), language="bash"
        )
        self._logbook.add_path_artifact_cell(
            self._project, page, BUNDLE, len(data), artifact_type="dataset", title="Reproduction bundle"
        )

    def _raw(self, row: ClaimRow) -> None:
        raw = self._bundle.plots.values.get(row.claim)
        blocks = by_seed(row.claim, raw, plain) if raw is not None else []
        if blocks and self._room("".join(blocks)):
            self._add(self._pages[row.claim], "Raw values", blocks)

    def _plot(self, row: ClaimRow) -> None:
        drawn = re.sub(r">\s+<", "><", self._bundle.plots.svg.get(row.claim, ""))
        if drawn and self._room(drawn):
            self._logbook.add_figure_cell(self._project, self._pages[row.claim], html=block(drawn), title="Plot")

    def _program(self, row: ClaimRow) -> None:
        source = self._bundle.files.get(program(row.claim), b"").decode("utf-8", "replace")
        if source and self._room(source):
            self._logbook.add_code_cell(
                self._project,
                self._pages[row.claim],
                "",
                title="Program of this claim",
                code_text=block(source),
                language="python",
            )

    def _room(self, text: str) -> bool:
        root = self._logbook.logbook_root(self._project) / "pages"
        used = sum(len(file.read_text(encoding="utf-8")) for file in root.rglob("*.md"))
        return used + len(text) < MOST_CHARACTERS


def plain(text: object, limit: int = 300) -> str:
    """Return one line that a logbook's viewer, and any other Markdown, shows as text: no link, image, cell or table.

    Its viewer knows neither backslashes nor entities, so what would be markup is taken apart.
    """
    line = clean_line(text, limit).replace("|", "¦").replace("`", "'").replace("📦", "")
    line = re.sub(r"\](?=[(\[:])", "] ", line)
    line = re.sub(r"(?<=:)//", " //", line)
    return re.sub(r"<(?=[A-Za-z/!?])", "< ", line)


def block(text: str) -> str:
    """Return text for a fenced block of a cell, which neither ends the block nor opens another cell."""
    return text.replace("```", "'''").replace("<!-- trackio-cell", "<! -- trackio-cell")


def poster(rows: Sequence[ClaimRow]) -> str:
    """Return the claims as a page of tiles: verdict, what the paper says, what was measured."""
    tiles = "".join(
        f'<div style="border-left:.4rem solid {_COLOURS.get(row.verdict, "#777777")};padding:.3rem .7rem">'
        f"<b>{row.claim} {html.escape(row.verdict or 'not judged')}</b><br>"
        f"paper {html.escape(plain(row.paper, 60) or 'no number')}<br>"
        f"measured {html.escape(plain(row.measured, 60) or 'nothing')}</div>"
        for row in rows
    )
    return (
        '<div style="font:14px sans-serif;display:grid;gap:.8rem;'
        f'grid-template-columns:repeat(auto-fill,minmax(15rem,1fr))">{tiles}</div>'
    )


def _title(bundle: Bundle) -> str:
    """One line without backslash: trackio puts the title into a pattern's replacement."""
    return plain(bundle.title, 160).replace("\\", "∖") or "Claims"


def _hardware(bundle: Bundle) -> str:
    settings, said = bundle.data.record.settings, []
    if "cpus" in settings and "memory_mb" in settings:
        said = [f"{settings['cpus'].value} CPU cores and {settings['memory_mb'].value} MB at most"]
    return ", ".join([*said, f"sandbox {bundle.data.record.backend or 'unknown'} without network"])


def _zip(bundle: Bundle, file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in sorted(bundle.files.items()):
            told = zipfile.ZipInfo(name, _EPOCH)
            told.external_attr = 0o644 << 16
            target.writestr(told, content, zipfile.ZIP_DEFLATED)
