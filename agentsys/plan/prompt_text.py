"""What prompts begin with (rules, paper), and diagnostics, checks and diagnoses as text for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentsys.core.artifacts import Diagnosis, Diagnostic, Verdict
from agentsys.core.prompts import render
from agentsys.core.settings import Settings
from agentsys.core.text import clean_line, cut
from agentsys.llm.types import Part
from agentsys.paper.model import Paper
from agentsys.paper.outline import body_sections, other_sections, outline
from agentsys.paper.query import with_children
from agentsys.paper.render import late_floats, to_markdown
from agentsys.plan.rules import SMOKE_SECONDS

MAX_DIAGNOSTICS = 12
MAX_SHORT, SHORT = 40, 200
"""Further diagnostics of which one line is told, and its characters."""
MAX_DETAIL = 2500
LISTED, FEW_LINES = ("faults", "dependence"), 4
"""Checks whose details are lists, and how much of such a list is told."""
_OF = re.compile(r"^`[^`]*` = \S+")
"""What a message says of one number: its name and value."""


def fence_of(paper: Paper) -> str:
    """Return the mark around quoted text. Made from the paper's hash, which no author can write into the paper."""
    return f"Q{paper.sha256[:10]}"


def quoted(text: str, fence: str) -> str:
    """Make sure that quoted text cannot close its own quotation."""
    return text.replace(fence, "Q…")


def rules_part(settings: Settings, python: str, fence: str) -> Part:
    """Return the rules of the team, with which every prompt begins."""
    text = render(
        "plan/rules",
        python=python,
        cpus=f"{settings.cpus:g}",
        memory_mb=settings.memory_mb,
        smoke_seconds=SMOKE_SECONDS,
        fence=fence,
    )
    return Part("rules", text)


def paper_part(paper: Paper) -> Part:
    """Return the paper's body with all footnotes, and where it has appendices a map of everything in it."""
    body = body_sections(paper)
    text = to_markdown(paper, body or None, left_out=False, notes=True, blocks=late_floats(paper))
    shown = with_children(paper, body)
    everything = outline(paper, shown) if other_sections(paper) else ""
    return Part("paper", render("plan/paper", text=text, outline=everything, fence=fence_of(paper)))


def diagnostics_text(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the leading diagnostics, each with place, frames and a cut log excerpt; of further ones a line.

    What the excerpt says is not said before it as well, nor is a fault told twice that stands at several places.
    """
    blocks: list[str] = []
    told: dict[tuple[str, str, str], int] = {}
    for number, item in enumerate(diagnostics[:MAX_DIAGNOSTICS], 1):
        kind = (item.kind, item.check, _OF.sub("", item.message))
        first_of = told.setdefault(kind, number)
        if first_of != number:
            blocks.append(_like(number, item, first_of))
            continue
        place = f" at {item.path}:{item.line}" if item.path and item.line else f" in {item.path}" if item.path else ""
        detail = _few_lines(item) if item.check in LISTED else cut(item.detail, MAX_DETAIL)
        said = {line.removeprefix("E ").strip() for line in detail.splitlines()}
        first, *rest = item.message.splitlines() or [""]
        head = f"[{number}] {item.kind} ({item.check}){place}: {first}"
        if item.requirements:
            head += f" [touches {', '.join(item.requirements)}]"
        lines = [head, *(line for line in rest if line.strip() not in said)]
        lines += [f"    frame {frame}" for frame in item.frames if frame.replace(" in ", ": in ", 1) not in said]
        lines += [detail] if detail else []
        blocks.append("\n".join(lines))
    if len(diagnostics) > MAX_DIAGNOSTICS:
        rest = [_in_short(item) for item in diagnostics[MAX_DIAGNOSTICS : MAX_DIAGNOSTICS + MAX_SHORT]]
        over = len(diagnostics) - MAX_DIAGNOSTICS - len(rest)
        blocks.append("\n".join(["In short:", *rest, *([f"({over} more left out)"] if over > 0 else [])]))
    return "\n\n".join(blocks) or "none"


def _few_lines(item: Diagnostic) -> str:
    """Return the beginning of a list: the log has it whole."""
    lines = item.detail.splitlines()
    more = [f"... {len(lines) - FEW_LINES} more lines ..."] if len(lines) > FEW_LINES + 1 else lines[FEW_LINES:]
    return cut("\n".join([*lines[:FEW_LINES], *more]), MAX_DETAIL)


def _like(number: int, item: Diagnostic, other: int) -> str:
    """Return one line for a fault that was told of another place."""
    what = _OF.match(item.message)
    of = f" of {what[0].strip()}" if what else f" in `{item.symbol}`" if item.symbol else ""
    line = f":{item.line}" if item.line else ""
    where = f" at {item.path}{line}" if item.path else ""
    touched = f" [touches {', '.join(item.requirements)}]" if item.requirements else ""
    return f"[{number}] the same as [{other}]{of}{where}{touched}"


def _in_short(item: Diagnostic) -> str:
    """One line: a repair that does not know of a fault costs another round."""
    where = f" in {item.path}" if item.path else ""
    return f"- {item.kind} ({item.check}){where}: {cut(clean_line(item.message, 2000), SHORT)}"


def checks_text(verdict: Verdict) -> str:
    """Return one line a check."""
    return "\n".join(
        f"{check.name}: {check.state}{' — ' + check.note if check.note else ''}" for check in verdict.checks
    )


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return cause and instructions."""
    lines = [diagnosis.cause, *(f"- `{row.path}`: {row.instruction}" for row in diagnosis.instructions)]
    return "\n".join(lines)
