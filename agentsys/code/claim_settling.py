"""Settling claims: rows, reviews and checkers become verdicts, in the record of the run and of the repository."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsys.code.claim_review import FILE as REVIEWS
from agentsys.code.claim_review import ClaimReview
from agentsys.core.files import write_atomic, write_json
from agentsys.core.gitrepo import GitRepo
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.claim import Claims
from agentsys.plan.claims.conflicts import against
from agentsys.plan.claims.freezing import FOLDER
from agentsys.plan.workspace import Workspace, experiment_inputs
from agentsys.verify.claims.celllog import FILE, CellLog
from agentsys.verify.claims.checking import Agreement, compared, small_cells
from agentsys.verify.claims.data import data_absent, rested_on
from agentsys.verify.claims.gathering import judged_rows, rows_so_far
from agentsys.verify.claims.record import Findings, write_record
from agentsys.verify.claims.running import Trial

ENTRIES = "entries.json"
"""Which claims have a program, and why the others have none or got no further."""


@dataclass(frozen=True)
class Tested:
    """What was done to find out whether claims hold."""

    trials: Sequence[Trial]
    checkers: Sequence[Trial]
    """Those that ran, each with the cells of its claim."""
    reviews: Mapping[str, ClaimReview]
    reasons: Mapping[str, str]
    """Why claims have no program."""
    programs: Mapping[str, str]
    """Path -> text of all programs, which become part of the repository."""


def settle(ws: Workspace, git: GitRepo, contracts: Contracts, tested: Tested, log: CellLog) -> str:
    """Judge every claim, and put the record into the run and, with the programs, into the repository.

    Returns: how many claims have which verdict.
    """
    claims, folder = ws.run.claims, ws.run.repo / FOLDER
    files = judged_rows(tested.trials, log, claims / "judged")
    agreed = {checker.contract.claim: _agreement(checker, tested.trials, log) for checker in tested.checkers}
    reasons = dict(tested.reasons) | {trial.contract.claim: trial.fault for trial in tested.trials}
    said = [(claim, one.words) for claim, one in agreed.items()]
    said += [(claim, words) for claim, review in tested.reviews.items() for words in review.findings]
    for claim, words in said:
        reasons[claim] = "; ".join(filter(None, (reasons.get(claim), words)))
    lacking = _lacking(ws, contracts, tested, files)
    for claim, names in lacking.items():
        words = f"data that is not here: {', '.join(names)} (`agentsys data fetch`, or `--data-dir`)"
        reasons[claim] = "; ".join(filter(None, (words, reasons.get(claim))))
    findings = _findings(claims, agreed, tested.reviews, lacking)
    for target in (claims, folder):
        write_json(target / REVIEWS, {name: each.model_dump(mode="json") for name, each in tested.reviews.items()})
        judged = write_record(target, contracts, files, findings)
        write_json(target / ENTRIES, {claim: reason for claim, reason in sorted(reasons.items()) if reason})
    for path, text in tested.programs.items():
        write_atomic(ws.run.repo / path, text)
    if (claims / FILE).is_file():
        shutil.copyfile(claims / FILE, folder / FILE)
    git.commit_files(_files(ws.run.repo), "Verdicts on the claims, with their raw rows")
    ws.mark({"experiments": experiment_inputs(ws.run)})
    counts = Counter(row.decision.verdict for row in judged)
    return "claims: " + ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))


def known_reviews(claims: Path) -> list[ClaimReview]:
    """Return the whole reviews that lie in a folder of claims."""
    file = claims / REVIEWS
    rows = json.loads(file.read_bytes()).values() if file.is_file() else ()
    return [review for row in rows if (review := ClaimReview.model_validate(row)).items]


def _agreement(checker: Trial, trials: Sequence[Trial], log: CellLog) -> Agreement:
    ours = next(trial for trial in trials if trial.contract.claim == checker.contract.claim)
    cells = small_cells(checker.climb)
    both = rows_so_far(ours, cells, log), rows_so_far(checker, cells, log)
    return compared(*both, deterministic=checker.contract.deterministic)


def _lacking(ws: Workspace, contracts: Contracts, tested: Tested, files: Sequence[Path]) -> dict[str, list[str]]:
    """Return the claims of which nothing was measured and whose data is not here, each with the names of it."""
    measured = {file.stem for file in files}
    rest = [contracts.current(claim) for claim in contracts.claims if claim not in measured]
    if not any(contract.datasets for contract in rest):
        return {}
    absent = data_absent(ws.run, ws.require_plan(), ws.settings)
    return {contract.claim: names for contract in rest if (names := rested_on(contract, absent))}


def _findings(
    folder: Path, agreed: Mapping[str, Agreement], reviews: Mapping[str, ClaimReview], lacking: Collection[str]
) -> dict[str, Findings]:
    claims = Claims.model_validate_json((folder / "claims.json").read_bytes()).claims
    return {
        claim.id: Findings(
            contradicted=bool(claim.contradictions),
            data_absent=claim.id in lacking,
            against=against(claim, claims),
            checker=agreed[claim.id].state if claim.id in agreed else "absent",
            reviewer=reviews[claim.id].state if claim.id in reviews else "absent",
        )
        for claim in claims
    }


def _files(repo: Path) -> list[str]:
    return sorted(
        file.relative_to(repo).as_posix()
        for file in (repo / FOLDER).rglob("*")
        if file.is_file() and not file.is_symlink()
    )
