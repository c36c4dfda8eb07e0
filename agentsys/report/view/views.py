"""The views of one run: what each template is given. The server and the one file show the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from agentsys.core.artifacts import Diagnostic, Verdict
from agentsys.core.blocks import FIGURES
from agentsys.report import claim_page, facts, ledger
from agentsys.report.beside import compare_figures
from agentsys.report.claims import because, scoreboard
from agentsys.report.data import ReportData, RoundData
from agentsys.report.figures import INDEX as FIGURES_PAGE
from agentsys.report.verdict import decisive, effective_status, failing, headline, next_command
from agentsys.report.view import code
from agentsys.report.view.calls import dearest, read_call
from agentsys.report.view.files import NUMBERED, PNG, NotThere, names_below, read_inside, read_part, read_tail
from agentsys.report.view.links import Links
from agentsys.report.view.live import live
from agentsys.report.view.numbers import by_difference
from agentsys.report.view.places import read_paper
from agentsys.report.view.render import render
from agentsys.report.view.search import search
from agentsys.report.view.source import Source
from agentsys.report.view.tiles import tiles

Values = dict[str, object]
Asked = Mapping[str, str]
View = Callable[[Source, str, Asked], Values]

MOST_ROWS = 500
"""Commands, calls or files on one page."""
_MOST_FIGURES = 6


def show(kind: str, source: Source, links: Links, name: str = "", asked: Asked | None = None) -> Markup:
    """Return one view as markup.

    Raises: NotThere where the run has no such thing; UsageError where it is no run.
    """
    view = VIEWS.get(kind)
    if view is None:
        raise NotThere(kind)
    values = view(source, name, asked or {})
    return Markup(
        render(
            f"{kind}.html",
            {
                **values,
                "to": links.to,
                "spots": links.spots,
                "image": links.image,
                "plot": links.plot,
                "drawing": links.drawing,
                "words": links.words,
            },
        )
    )


def _overview(source: Source, _name: str, _asked: Asked) -> Values:
    data = source.data
    numbers = by_difference(data.measured)
    return {
        "data": data,
        "status": effective_status(data),
        "headline": headline(data),
        "next": next_command(data),
        "running": data.record.status == "running",
        "live": live(source),
        "tiles": tiles(data),
        "failing": failing(data),
        "verdict": decisive(data),
        "scoreboard": scoreboard(data.claims),
        "numbers": numbers,
        "measured": sum(1 for row in numbers if row.off is not None),
        "dearest": dearest(source.calls),
        **_figures(source),
        "open": ledger.open_words(data),
        "dodged": ledger.dodged_words(data),
        "not_reproduced": facts.not_reproduced(data),
        "overview": facts.overview(data),
        "provenance": facts.provenance(data),
        "refusals": [item for item in data.decisions if not item.allows],
    }


def _figures(source: Source) -> Values:
    """The paper's figures and tables of which the run has something, and pictures that stand alone on either side."""
    names = [name.removeprefix("repo/") for name in names_below(source.path, "repo/results")]
    found = compare_figures(source.data, read_paper(source.path), names)
    left = [block for block in found.left if block.image]
    return {
        "pairs": found.pairs[:_MOST_FIGURES],
        "more_pairs": max(len(found.pairs) - _MOST_FIGURES, 0),
        "alone": [
            *(("the paper", f"paper/{block.image}", block.caption) for block in left[:_MOST_FIGURES]),
            *(("this repository", f"repo/{name}", name) for name in found.others[:_MOST_FIGURES]),
        ],
        "figures_page": f"repo/{FIGURES_PAGE}",
        "figures_folder": f"repo/{FIGURES}",
    }


def _claim(source: Source, name: str, _asked: Asked) -> Values:
    row = next((row for row in source.data.claims if row.claim == name), None)
    if row is None:
        raise NotThere(name)
    return {"row": row, "because": because(row), "lines_head": claim_page.LINES}


def _numbers(source: Source, _name: str, _asked: Asked) -> Values:
    data = source.data
    return {
        "numbers": by_difference(data.measured),
        "note": facts.numbers_note(data),
        "marks": facts.number_notes(data.measured),
    }


def _number(source: Source, name: str, _asked: Asked) -> Values:
    data = source.data
    found = next((row for row in by_difference(data.measured) if row.id == name), None)
    if found is None or data.plan is None:
        raise NotThere(name)
    wanted = set(code.requirements_of(data.plan, found.row.expected))
    rows = [row for row in data.plan.requirements if row.id in wanted]
    carried = {row.id: code.carriers(source.path, data, row.id) for row in rows}
    return {"number": found, "requirements": rows, "carried": carried}


def _requirements(source: Source, _name: str, _asked: Asked) -> Values:
    data = source.data
    return {
        "rows": facts.requirements(data),
        "head": facts.REQUIREMENTS_HEAD,
        "said": ledger.evidence_words(data),
        "none": facts.no_plan(data),
        "unnoticed": ledger.unnoticed_words(data),
        "mutants": ledger.mutants(data.mutation) if data.mutation is not None else [],
        "mutants_head": ledger.MUTANTS_HEAD,
        "mutants_words": ledger.mutants_words(data),
        "review_head": ledger.REVIEW_HEAD,
        "review": ledger.review_findings(data),
        "review_words": ledger.review_words(data),
    }


def _requirement(source: Source, name: str, _asked: Asked) -> Values:
    data = source.data
    row = next((row for row in (data.plan.requirements if data.plan is not None else ()) if row.id == name), None)
    if row is None:
        raise NotThere(name)
    return {
        "row": row,
        "place": facts.place_words(row.place),
        "evidence": ledger.evidence_cell(data.evidence, name),
        "carriers": code.carriers(source.path, data, name),
        "review": [found for found in ledger.review_findings(data) if found[0] == name],
        "numbers": [
            number
            for number in by_difference(data.measured)
            if data.plan is not None and name in code.requirements_of(data.plan, number.row.expected)
        ],
    }


def _rounds(source: Source, _name: str, _asked: Asked) -> Values:
    data = source.data
    return {
        "rounds": [(item, _changed(item)) for item in data.rounds],
        "replay": data.replay,
        "reproductions": facts.reproductions(data),
        "reproductions_head": facts.REPRODUCTIONS_HEAD,
    }


def _changed(item: RoundData) -> tuple[int, int]:
    """Return how many lines a patch adds and takes away."""
    lines = item.patch.splitlines()
    return (
        sum(1 for line in lines if line.startswith("+") and not line.startswith("+++")),
        sum(1 for line in lines if line.startswith("-") and not line.startswith("---")),
    )


def _round(source: Source, name: str, _asked: Asked) -> Values:
    data = source.data
    found = next((item for item in data.rounds if f"{item.number}" == name), None)
    verdict = data.replay if name == "replay" else found.verdict if found is not None else None
    if found is None and (name != "replay" or verdict is None):
        raise NotThere(name)
    return {"name": name, "item": found, "verdict": verdict, "failing": _failing_of(verdict)}


def _failing_of(verdict: Verdict | None) -> Sequence[Diagnostic]:
    return verdict.diagnostics if verdict is not None else ()


def _commands(source: Source, _name: str, asked: Asked) -> Values:
    return {"commands": source.commands, **_paged(source.commands, asked)}


def _paged(rows: Sequence[object], asked: Asked) -> Values:
    """Return one page of a long list, and where the pages beside it begin."""
    at = int(asked["at"]) if asked.get("at", "").isdecimal() else 0
    before, after = max(at - MOST_ROWS, 0) if at else None, at + MOST_ROWS if at + MOST_ROWS < len(rows) else None
    return {"rows": rows[at : at + MOST_ROWS], "at": at, "before": before, "after": after}


def _calls(source: Source, _name: str, asked: Asked) -> Values:
    order = asked.get("sort", "cost")
    calls = list(source.calls)
    if order == "cost":
        calls.sort(key=lambda call: call.cost, reverse=True)
    elif order == "seconds":
        calls.sort(key=lambda call: call.seconds, reverse=True)
    priced = any(call.price is not None for call in calls)
    more = {"order": order, "said": facts.usage_words(source.data), "priced": priced}
    return {"calls": calls, **more, **_paged(calls, asked)}


def _call(source: Source, name: str, _asked: Asked) -> Values:
    call = next((call for call in source.calls if call.id == name), None)
    if call is None:
        raise NotThere(name)
    return {"call": call, "asked": read_call(source.path, call)}


def _audit(source: Source, _name: str, _asked: Asked) -> Values:
    data = source.data
    return {
        "decisions": facts.decisions(data),
        "decisions_head": facts.DECISIONS_HEAD,
        "findings": facts.findings(data),
        "findings_head": facts.FINDINGS_HEAD,
        "none": facts.no_decisions(data),
    }


def _files(source: Source, _name: str, asked: Asked) -> Values:
    names = list(names_below(source.path))
    return {"names": names, "lines": _line_counts(source.data), **_paged(names, asked)}


def _line_counts(data: ReportData) -> dict[str, int]:
    return {f"repo/{file.path}": file.lines for file in data.files}


def _file(source: Source, name: str, asked: Asked) -> Values:
    if read_inside(source.path, name, len(PNG)) == PNG:
        return {"name": name, "picture": True, "part": None, "lines": ()}
    if tail := asked.get("tail", ""):
        return {"name": name, "picture": False, "part": read_tail(source.path, name, int(tail)), "lines": ()}
    at = int(asked["at"]) if asked.get("at", "").isdecimal() else 0
    part = read_part(source.path, name, at)
    if not part.whole and part.size <= NUMBERED:
        part = read_part(source.path, name, 0, NUMBERED)
    lines = part.text.split("\n") if part.whole and not part.binary else ()
    return {"name": name, "picture": False, "part": part, "lines": lines}


def _search(source: Source, _name: str, asked: Asked) -> Values:
    wanted = asked.get("q", "").strip()
    return {"wanted": wanted, "found": search(source, wanted) if wanted else None}


VIEWS: dict[str, View] = {
    "overview": _overview,
    "claim": _claim,
    "numbers": _numbers,
    "number": _number,
    "requirements": _requirements,
    "requirement": _requirement,
    "rounds": _rounds,
    "round": _round,
    "commands": _commands,
    "calls": _calls,
    "call": _call,
    "audit": _audit,
    "files": _files,
    "file": _file,
    "search": _search,
}
MAIN = (
    ("overview", "Overview"),
    ("numbers", "Numbers"),
    ("requirements", "Requirements"),
    ("rounds", "Rounds"),
    ("commands", "Commands"),
    ("calls", "Model calls"),
    ("audit", "Safety"),
    ("files", "Files"),
)
"""The views that every page leads to, with their names."""
