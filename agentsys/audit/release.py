"""Whether a run can be released: asked when a verified run ends, and again when a release is made."""

from __future__ import annotations

from pathlib import Path

from agentsys.core.blocks import FIGURES
from agentsys.core.rounds import Rounds
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys_policies.engine import Policy
from agentsys_policies.errors import PolicyError
from agentsys_policies.record import MANIFEST, read_events, verify
from agentsys_policies.release import audit_for_release, reasons_against
from agentsys_policies.repository import read_installed
from agentsys_policies.sbom import Installed


def reasons_of_record(run: RunDir, record: RunRecord) -> list[str]:
    """Return what stands against a release before its files are audited: what was not done, or is not whole."""
    reasons = reasons_against(record.status, record.replayed, run.repo, last_installed(run.path))
    try:
        events = read_events(run.audit)
    except PolicyError as error:
        events = []
        reasons.append(error.message)
    if not events:
        reasons.append("the run has no audit record")
    if (run.audit / MANIFEST).is_file():
        reasons += verify(run.audit)
    return reasons


def reasons_against_release(run: RunDir, record: RunRecord, policy: Policy) -> list[str]:
    """Return everything that stands against a release of this run now; an empty list where it can be released."""
    if reasons := reasons_of_record(run, record):
        return reasons
    try:
        return audit_for_release(run.repo, policy, last_installed(run.path), known_results(run), (FIGURES,))
    except PolicyError as error:
        return [error.message]


def known_results(run: RunDir) -> frozenset[str]:
    """Return the SHA-256 of every results file that a passed verification of the replayed tree wrote."""
    rounds = Rounds(run)
    again = rounds.replay()
    if again is None or not again.passed:
        return frozenset()
    verdicts = [again, *(item.verdict for item in rounds.all() if item.verdict.tree == again.tree)]
    return frozenset(digest for verdict in verdicts if verdict.passed for digest in verdict.wrote.values())


def last_installed(run: Path) -> list[Installed]:
    """Return what the last verification of a run, or better its replay, had installed."""
    files = [*sorted(run.glob("rounds/[0-9]*/packages.json")), run / "rounds" / "replay" / "packages.json"]
    found = [file for file in (*files, run / "audit" / "installed.json") if file.is_file()]
    return read_installed(found[-1]) if found else []
