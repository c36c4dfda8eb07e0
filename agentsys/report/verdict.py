"""The verdict of a run in one sentence, and what to do next. Only evidence on disk makes it `verified`."""

from __future__ import annotations

from agentsys.core.artifacts import Check, Diagnostic, Verdict
from agentsys.core.errors import Status
from agentsys.core.text import clean_line
from agentsys.report.claims import scoreboard
from agentsys.report.data import ReportData
from agentsys.report.ending import code_of, next_step


def effective_status(data: ReportData) -> Status:
    """Return the run's status; a `verified` without its evidence counts as unverified."""
    if data.record.status == "verified" and missing_evidence(data):
        return "unverified"
    return data.record.status


def missing_evidence(data: ReportData) -> str:
    """Return what speaks against `verified`; empty where every piece of evidence is there."""
    if data.verdict is None:
        return "no verification is on disk"
    if not any(item.verdict is not None and item.verdict.passed for item in data.rounds):
        return "no verification passed every check"
    if not data.verdict.passed:
        return f"of the delivered code, {failed_checks(data.verdict)}"
    if data.replay is None:
        return "the replay in a fresh sandbox is not on disk"
    if not data.replay.passed:
        return f"the replay in a fresh sandbox failed: {failed_checks(data.replay)}"
    return ""


def headline(data: ReportData) -> str:
    """Return the verdict, first line of every report; that the policy was loosened stands before it."""
    looser = sorted({row for item in data.decisions for row in item.loosened})
    if not looser:
        return _ending(data)
    return f"judged by a policy looser than the shipped one ({clean_line('; '.join(looser), 200)}); {_ending(data)}"


def _ending(data: ReportData) -> str:
    record, status = data.record, effective_status(data)
    reason = clean_line(record.reason, 300)
    if status == "verified":
        words = f"every check passed in {_rounds(data)}, and again in a new sandbox without network"
        return f"verified; claims: {scoreboard(data.claims)}; {words}" if data.claims else f"verified: {words}"
    if record.status == "verified":
        return f"not verified: run.json says verified, but {missing_evidence(data)}"
    if status == "unverified":
        return f"not verified: {_open_ends(data) or reason or 'no verification passed every check'}"
    if status == "blocked":
        return f"refused by the safety policy: {reason or 'no reason is recorded'}"
    if status == "limit":
        return f"stopped at a limit: {reason or 'no reason is recorded'}"
    if status == "interrupted":
        return f"interrupted during {clean_line(record.stage, 20)}" + (
            f": {reason}" if reason not in ("", "interrupted") else ""
        )
    if status == "running":
        return f"still running: {clean_line(record.stage, 20)}"
    words = {
        "provider_error": "the model provider failed",
        "config_error": "stopped, something is missing",
        "internal_error": "stopped by an internal error",
    }
    return f"{words[status]}: {reason or 'no reason is recorded'}"


def decisive(data: ReportData) -> Verdict | None:
    """Return the verification that decides: of the delivered code, or its replay where only that failed."""
    if data.verdict is not None and data.verdict.passed and data.replay is not None:
        return data.replay
    return data.verdict


def failing(data: ReportData) -> list[tuple[Check | None, list[Diagnostic]]]:
    """Return each check that did not pass with its diagnostics; diagnostics of no such check come last, without one."""
    verdict = decisive(data)
    if verdict is None:
        return []
    bad = [check for check in verdict.checks if check.state in ("failed", "infra_error")]
    rows: list[tuple[Check | None, list[Diagnostic]]] = [
        (check, [item for item in verdict.diagnostics if item.check == check.name]) for check in bad
    ]
    others = [item for item in verdict.diagnostics if item.check not in {check.name for check in bad}]
    return [*rows, (None, others)] if others else rows


def failed_checks(verdict: Verdict) -> str:
    """Return the checks that did not pass, with what they saw."""
    if verdict.infra:
        return clean_line(verdict.infra, 200)
    bad = [check for check in verdict.checks if check.state != "passed"]
    return "; ".join(check_words(check) for check in bad) or "a check is missing"


def check_words(check: Check) -> str:
    """Return `pytest failed (11 of 12 passed)`."""
    words = f"{check.name} {check.state.replace('_', ' ')}"
    return f"{words} ({clean_line(check.note, 80)})" if check.note else words


def next_command(data: ReportData) -> str:
    """Return the command that goes on from here; empty where nothing is left to do."""
    run, rounds = data.path, max(_setting(data, "max_rounds", 5), data.record.rounds) + 3
    status, code = effective_status(data), code_of(data.record)
    if status == "unverified" and data.verdict is None:
        code = "not_verified"
    # The path, not the id: it is found from every working directory.
    return next_step(status, code, run, data.repo, rounds)


def _setting(data: ReportData, key: str, default: int) -> int:
    item = data.record.settings.get(key)
    return item.value if item is not None and isinstance(item.value, int) else default


def _rounds(data: ReportData) -> str:
    number = max([data.record.rounds, *(item.number for item in data.rounds)], default=0)
    return f"round {number}"


def _open_ends(data: ReportData) -> str:
    verdict = data.verdict
    if verdict is None:
        return ""
    if verdict.passed:
        return f"the replay failed: {failed_checks(data.replay)}" if data.replay else "the replay was not done"
    return failed_checks(verdict)
