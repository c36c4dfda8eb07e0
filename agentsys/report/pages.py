"""The report as a page for browsers and as data for programs, and the files of it in the run directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from agentsys.core.files import write_atomic
from agentsys.core.rundir import RunDir
from agentsys.core.text import clean_line, cut_lines
from agentsys.report.claim_plot import Plots, draw_plots
from agentsys.report.data import ReportData, RoundData, collect
from agentsys.report.markdown import PLOT, markdown
from agentsys.report.verdict import effective_status, headline, missing_evidence, next_command

if TYPE_CHECKING:
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

MAX_BYTES = 1_000_000
PAGES = "claims/pages"
_EMPTY_COMMENT = "<!-- -->"


def write_reports(run: RunDir) -> tuple[Path, Path]:
    """Write `report.md` and `report.html` from what lies on disk, and return their paths.

    Call it when run.json holds the final status.
    """
    data = collect(run)
    paths = (run.path / "report.md", run.path / "report.html")
    write_atomic(paths[0], markdown(data))
    write_atomic(paths[1], html(data))
    return paths


def html(data: ReportData) -> str:
    """Return `report.md` as a page without script and without request to anywhere, below 1 MB.

    A larger one loses the patches' middle first, then the plots, then everything but the verdict and the last rounds,
    and says so.
    """
    plots = draw_plots(RunDir(data.path)) if data.claims else Plots()
    short, bare = _short_patches(data), Plots(why=f"the page would be too large with plots: they are in {PAGES}/")
    for kept, drawn in ((data, plots), (short, plots), (short, bare)):
        text = markdown(kept, charts=False)
        # Markdown of that size need not be rendered: it takes seconds, and the page is rarely smaller.
        if len(text) < MAX_BYTES and len((page := _page(kept, text, drawn)).encode()) < MAX_BYTES:
            return page
    kept = _core(data)
    return _page(kept, markdown(kept, charts=False), bare)


def _page(data: ReportData, text: str, plots: Plots) -> str:
    from markdown_it import MarkdownIt

    # Nothing in a report is a link, a picture or HTML: these rules stay off, whatever `md` may have let through.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.disable(["link", "image", "autolink", "html_inline", "html_block", "reference"])
    parser.inline.ruler.push("empty_comment", _skip_empty_comment)
    parser.add_render_rule("fence", _fence(plots))
    source = resources.files("agentsys.report").joinpath("page.html").read_text(encoding="utf-8")
    title = escape(clean_line(data.record.title or data.record.id))
    return Template(source).substitute(title=title, status=effective_status(data), body=parser.render(text))


def _fence(plots: Plots) -> Callable[..., str]:
    """Show plots in the place of the blocks that name them; nothing of a report can write such a block but ours."""

    def render(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[index]
        if token.info != PLOT:
            return self.fence(tokens, index, options, env)
        shown = plots.svg.get(token.content.strip())
        return f"<figure>{shown}</figure>\n" if shown else f"<p>{escape(plots.why)}</p>\n" if plots.why else ""

    return render


def _skip_empty_comment(state: StateInline, _silent: bool) -> bool:
    """Show nothing for the empty comments by which `md` keeps text from becoming a list or a link."""
    found = state.src.startswith(_EMPTY_COMMENT, state.pos)
    state.pos += len(_EMPTY_COMMENT) if found else 0
    return found


def _short_patches(data: ReportData) -> ReportData:
    return replace(data, rounds=tuple(replace(item, patch=cut_lines(item.patch, 10)) for item in data.rounds))


def _core(data: ReportData) -> ReportData:
    """Keep what a page must say about any run, whatever its size."""
    left_out = (
        "this page would be larger than 1 MB: the plan, safety and all but the last 3 rounds are in report.md only"
    )
    return replace(
        data,
        plan=None,
        measured=data.measured[:50],
        rounds=data.rounds[-3:],
        reproductions=data.reproductions[-10:],
        decisions=(),
        evidence=None,
        mutation=None,
        dodges=data.dodges[:20],
        problems=(left_out, *data.problems[:20]),
    )


def as_json(data: ReportData) -> str:
    """Return the report as one JSON object; keys are added, never renamed."""
    tree: dict[str, object] = {
        "schema_version": 1,
        "status": effective_status(data),
        "headline": headline(data),
        "missing_evidence": missing_evidence(data),
        "next": next_command(data),
        "paths": {"run": str(data.path), "repo": str(data.repo)},
        "record": data.record.model_dump(mode="json"),
        "plan": None if data.plan is None else data.plan.model_dump(mode="json"),
        "rounds": [_round(item) for item in data.rounds],
        "replay": None if data.replay is None else data.replay.model_dump(mode="json"),
        "measured": [row.model_dump(mode="json") for row in data.measured],
        "evidence": None if data.evidence is None else data.evidence.model_dump(mode="json"),
        "mutation": None if data.mutation is None else data.mutation.model_dump(mode="json"),
        "dodges": [item.model_dump(mode="json") for item in data.dodges],
        "claims": [row.model_dump(mode="json") for row in data.claims],
        "paper_scale": data.paper_scale,
        "full_seconds": data.full_seconds,
        "reproductions": [item.model_dump(mode="json") for item in data.reproductions],
        "decisions": [item.model_dump(mode="json") for item in data.decisions],
        "files": [{"path": file.path, "lines": file.lines} for file in data.files],
        "problems": list(data.problems),
    }
    return json.dumps(tree, indent=1, ensure_ascii=False)


def _round(item: RoundData) -> dict[str, object]:
    return {
        "number": item.number,
        "rolled_back": item.rolled_back,
        "verdict": None if item.verdict is None else item.verdict.model_dump(mode="json"),
        "diagnosis": None if item.diagnosis is None else item.diagnosis.model_dump(mode="json"),
        "patch": item.patch,
        "review": None if item.review is None else item.review.model_dump(mode="json"),
    }
