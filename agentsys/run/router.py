"""Which step comes next: a pure function of what is on disk. It always names one."""

from __future__ import annotations

from agentsys.core.events import Step
from agentsys.core.state import STEP_OF_OWNER, State


def next_step(state: State) -> Step:
    """Return the step that is due; `report` ends the conversation."""
    if state.stopped or state.screened == "stopped":
        return "report"
    if state.screened == "no":
        return "screen"
    return _writing(state) or _checking(state)


def _writing(state: State) -> Step | None:
    """Something still has to be written."""
    if not state.planned:
        return "plan"
    if state.pending is not None:
        return STEP_OF_OWNER[state.pending]
    if state.data_due:
        return "data"
    if not state.claimed:
        return "claims"
    if state.analyses_missing:
        return "analyse"
    if state.files_missing:
        return "code"
    return None


def _checking(state: State) -> Step:
    """Everything is written: check it, or have it repaired."""
    if not state.audited:
        return "audit"
    if state.verified == "no":
        return "verify"
    if state.verified == "passed":
        if not state.reviewed:
            return "review"
        if state.replayed == "no":
            return "replay"
        return "report" if state.experimented else "experiments"
    if state.verified == "failed" and state.rounds_left > 0 and not state.stuck:
        return "debug"
    return "report"
