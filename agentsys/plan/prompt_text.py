"""Diagnostics, checks and diagnoses as text for prompts."""

from __future__ import annotations

from collections.abc import Sequence

from agentsys.core.artifacts import Diagnosis, Diagnostic, Verdict
from agentsys.core.text import cut

MAX_DIAGNOSTICS = 12
MAX_DETAIL = 2500


def diagnostics_text(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the leading diagnostics, each with place, frames and a cut log excerpt; says how many were left out."""
    blocks: list[str] = []
    for number, item in enumerate(diagnostics[:MAX_DIAGNOSTICS], 1):
        place = f" at {item.path}:{item.line}" if item.path and item.line else f" in {item.path}" if item.path else ""
        head = f"[{number}] {item.kind} ({item.check}){place}: {item.message}"
        if item.requirements:
            head += f" [touches {', '.join(item.requirements)}]"
        lines = [head, *(f"    frame {frame}" for frame in item.frames)]
        if item.detail:
            lines.append(cut(item.detail, MAX_DETAIL))
        blocks.append("\n".join(lines))
    if len(diagnostics) > MAX_DIAGNOSTICS:
        blocks.append(f"({len(diagnostics) - MAX_DIAGNOSTICS} more left out)")
    return "\n\n".join(blocks) or "none"


def checks_text(verdict: Verdict) -> str:
    """Return one line a check."""
    return "\n".join(
        f"{check.name}: {check.state}{' — ' + check.note if check.note else ''}" for check in verdict.checks
    )


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return cause and instructions."""
    lines = [diagnosis.cause, *(f"- `{row.path}`: {row.instruction}" for row in diagnosis.instructions)]
    return "\n".join(lines)
