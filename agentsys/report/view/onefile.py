"""`report.html`: all views of a run in one file that asks for nothing, whatever the run holds."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace

from agentsys.core.rundir import RunDir
from agentsys.core.text import cut_lines
from agentsys.report.claim_plot import Plots, draw_plots
from agentsys.report.data import ReportData
from agentsys.report.verdict import effective_status
from agentsys.report.view.calls import read_call
from agentsys.report.view.files import NotThere, read_inside
from agentsys.report.view.links import FileLinks, anchor
from agentsys.report.view.render import render
from agentsys.report.view.source import Source
from agentsys.report.view.views import MAIN, show

MAX_BYTES = 8_000_000
MAX_CALLS = 100
"""Calls that are shown in full, the most expensive ones."""
_TAIL = "6000"
"""Bytes of the end of each log."""
_PATCH_LINES = 2000
View = tuple[str, str]


def html(data: ReportData) -> str:
    """Return the page, below 8 MB: a run that would be larger loses pictures and calls, then all but its core."""
    plots = draw_plots(RunDir(data.path)) if data.claims else Plots()
    large = "this page would be larger than 8 MB: "
    short = replace(
        data, rounds=tuple(replace(item, patch=cut_lines(item.patch, _PATCH_LINES)) for item in data.rounds)
    )
    for kept, full, note in (
        (short, True, ""),
        (short, False, f"{large}pictures, prompts and answers are left out"),
        (_core(data), False, f"{large}the plan, safety and all but the last 3 rounds are left out"),
    ):
        page = _page(kept, full, note, plots)
        if len(page.encode()) < MAX_BYTES:
            return page
    return _page(
        replace(_core(data), rounds=(), measured=(), problems=()), False, f"{large}only its verdict is here", plots
    )


def _page(data: ReportData, full: bool, note: str, plots: Plots) -> str:
    source = Source(RunDir(data.path), data)
    held = list(_views(source, full))
    plots = plots if full else Plots(why="the page would be too large with plots: they are in claims/pages/")
    links = FileLinks(source, frozenset(held), source.all_pictures() if full else {}, plots)
    asked = {"file": {"tail": _TAIL}}
    sections = [(anchor(*view), show(view[0], source, links, view[1], asked.get(view[0]))) for view in held]
    policy = f"default-src 'none'; style-src {_hash('view.css')}; script-src {_hash('view.js')}; img-src data:"
    values: dict[str, object] = {
        "policy": f"{policy}; base-uri 'none'; form-action 'none'",
        "title": data.record.title or data.record.id,
        "status": effective_status(data),
        "views": [row for row in MAIN if (row[0], "") in held],
        "to": links.to,
        "here": "",
        "home": "",
        "search": "#main",
        "to_server": False,
        "wanted": "",
        "notes": [note] if note else [],
        "sections": sections,
    }
    return render("report.html", values)


def _views(source: Source, full: bool) -> Iterator[View]:
    data = source.data
    yield "overview", ""
    yield from (("claim", row.claim) for row in data.claims)
    yield "numbers", ""
    yield from (("number", row.expected.id) for row in (data.measured if data.plan is not None else ()))
    yield "requirements", ""
    yield from (("requirement", row.id) for row in (data.plan.requirements if data.plan is not None else ()))
    yield "rounds", ""
    yield from (("round", str(item.number)) for item in data.rounds)
    yield from [("round", "replay")] * (data.replay is not None)
    yield "commands", ""
    yield from (("file", name) for name in _logs(source))
    yield "calls", ""
    if full:
        yield from (("call", name) for name in _calls(source))
    yield "audit", ""


def _logs(source: Source) -> list[str]:
    """Return the logs that commands and checks lead to, as far as they are there."""
    data = source.data
    verdicts = [item.verdict for item in data.rounds if item.verdict is not None]
    verdicts += [data.replay] if data.replay is not None else []
    named = [check.log for verdict in verdicts for check in verdict.checks if check.log]
    logs = dict.fromkeys((*named, *(row.log for row in source.commands if row.log)))
    return [name for name in logs if _is_there(source, name)]


def _is_there(source: Source, name: str) -> bool:
    try:
        return bool(read_inside(source.path, name, 1))
    except NotThere:
        return False


def _calls(source: Source) -> Iterator[str]:
    for call in sorted(source.calls, key=lambda call: call.cost, reverse=True)[:MAX_CALLS]:
        try:
            read_call(source.path, call)
        except NotThere:
            continue
        yield call.id


def _core(data: ReportData) -> ReportData:
    """Keep what a page must say about any run, whatever its size."""
    return replace(
        data,
        plan=None,
        measured=data.measured[:50],
        rounds=tuple(replace(item, patch="") for item in data.rounds[-3:]),
        reproductions=data.reproductions[-10:],
        decisions=(),
        evidence=None,
        mutation=None,
        dodges=data.dodges[:20],
        problems=data.problems[:20],
    )


def style_policy() -> str:
    """Return the content policy of a page that has our style, and neither scripts nor pictures."""
    return f"default-src 'none'; style-src {_hash('view.css')}; base-uri 'none'; form-action 'none'"


def _hash(name: str) -> str:
    """Return a source of the content policy: the hash of our own style or script, and of nothing else."""
    digest = hashlib.sha256(render(name, {}).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
