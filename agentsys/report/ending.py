"""Why a run ended as it did, and what to do next: decided and worded here alone, for the record and the console.

What is decided is a `ReasonCode` (`core.errors`), stored in run.json; words are made from it and never read back.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsys.core.errors import ReasonCode, Status
from agentsys.core.rounds import REPEATS_STOP, Round, Rounds
from agentsys.core.runrecord import RunRecord
from agentsys.core.state import State

WORDS: dict[ReasonCode, str] = {
    "not_verified": "the repository was not verified",
    "replay_failed": "all checks passed, but not again in a fresh sandbox",
    "central_method": "the paper's own method is missing",
    "rounds_used": "the repair rounds are used up",
    "same_cause": f"the same root cause came back after {REPEATS_STOP} repairs",
    "no_change": "the last repair changed nothing",
}
_LIMIT_FLAGS = {"budget": "budget", "tokens": "max-tokens", "time": "time-limit"}
_BY_HAND = ("same_cause", "no_change")
"""Another round of the same would end the same."""


@dataclass(frozen=True)
class Ending:
    """How a run ended: `reason` is one sentence, `hint` what can be done about it."""

    status: Status = "unverified"
    code: ReasonCode = ""
    reason: str = ""
    hint: str = ""


def stuck(rounds: Rounds, current: Round | None) -> ReasonCode:
    """Return why another repair of this tree is pointless; empty where it is not."""
    if current is None or current.verdict.passed:
        return ""
    if rounds.given_up():
        return "given_up"
    made = rounds.attempts(current.verdict.diagnostics)
    if len(made) >= REPEATS_STOP and not made[-1].alternatives:
        return "same_cause"
    last = rounds.last()
    return "no_change" if last is not None and last.diagnosis is not None and not last.pending else ""


def judge(state: State, current: Round | None, given_up: str, missing: Sequence[str] = ()) -> Ending:
    """Return how a run ends that was neither refused at its beginning nor cut short by an error; without a hint.

    Args:
        current: the round that verified the tree as it is.
        given_up: why nobody found a usable repair, if it was so.
        missing: ids of the requirements of the paper's own method that are not fulfilled (`verify.fidelity.central`).
    """
    if state.stopped:
        return Ending(code="stopped", reason=state.stopped)
    if current is None:
        return Ending(code="not_verified", reason=WORDS["not_verified"])
    if state.verified == "passed" and state.replayed == "passed":
        words = f"all checks passed in round {current.number}, and again in a fresh sandbox without network"
        return Ending("verified", "passed", words)
    if state.verified == "passed":
        return Ending(code="replay_failed", reason=WORDS["replay_failed"])
    verdict = current.verdict
    failed = [check.name for check in verdict.checks if check.state == "failed"]
    if failed == ["audit"] and all(check.state != "passed" for check in verdict.checks):
        words = f"the safety policy refuses the code: {verdict.diagnostics[0].message}"
        return Ending("blocked", "refused", words)
    code = state.stuck or "rounds_used"
    why = given_up if code == "given_up" else WORDS[code]
    words = f"{', '.join(failed) or 'checks'} failed ({len(verdict.diagnostics)} diagnostics); {why}"
    if missing:
        return Ending(code="central_method", reason=f"{WORDS['central_method']} ({', '.join(missing)}); {words}")
    return Ending(code=code, reason=words)


def code_of(record: RunRecord) -> str:
    """Return the code of a run that has ended; for runs from before it was stored, by what was written then."""
    if record.reason_code:
        return record.reason_code
    if record.status == "unverified":
        return "no_change" if "by hand" in record.hint else ""
    if record.status == "limit":
        reason = record.reason.lower()
        return "tokens" if "token" in reason else "time" if "time" in reason else "budget"
    return ""


def next_step(status: Status, code: str, run: Path | str, repo: Path, rounds: int) -> str:
    """Return the command that goes on from here, or what has to be done before; empty where nothing is left to do.

    Args:
        run: path or id by which `resume` finds the run.
        rounds: repair rounds after which a resumed run stops.
    """
    name = shlex.quote(str(run))
    resume = f"agentsys resume {name}"
    if status == "blocked":
        return f"agentsys report {name} --format md    (rule ids and the words they matched)"
    if status == "limit":
        return f"{resume} --{_LIMIT_FLAGS.get(code, 'budget')} MORE"
    if status in ("interrupted", "provider_error", "config_error", "internal_error"):
        return resume
    if status != "unverified":
        return ""
    if code in ("stopped", "not_verified"):
        return resume
    if code == "given_up":
        return f"{resume} --model ..."
    if code in _BY_HAND:
        return f"correct {shlex.quote(str(repo))} by hand, then: {resume}"
    return f"{resume} --max-rounds {rounds}"
