"""Claims of a run as jobs see them: which cells there are, which are done, and what they come to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsys.audit.policy import load_policy
from agentsys.audit.reported import reported_numbers
from agentsys.code.claim_settling import ENTRIES, Tested, known_reviews, settle
from agentsys.core.errors import BlockedError, UsageError
from agentsys.core.events import EventLog
from agentsys.core.files import write_atomic
from agentsys.core.gitrepo import GitRepo
from agentsys.core.numbers import plural
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.freezing import FOLDER
from agentsys.plan.workspace import CONTRACTS, Workspace
from agentsys.run.jobs.part import Part
from agentsys.run.reproduce import Code
from agentsys.verify.claims.celllog import CellLog, Done, intact, read_log, rows_file
from agentsys.verify.claims.cells import Cell, checker, climb, program
from agentsys.verify.claims.running import Trial, count_scales, stamp_of
from agentsys_sandbox.spec import Outcome

Known = dict[tuple[str, str], Done]
"""Name of a cell and stamp -> how it ended."""


@dataclass(frozen=True)
class Claimed:
    """The claims that were put to the test before, with their programs as they are in git."""

    contracts: Contracts
    trials: tuple[Trial, ...]
    checkers: tuple[Trial, ...]
    programs: dict[str, str]

    @property
    def cells(self) -> list[tuple[Trial, Cell]]:
        """All cells, of each claim the smallest first."""
        return [(trial, cell) for trial in self.trials for level in trial.climb.levels for cell in level]


def claimed(run: RunDir, tree: str) -> Claimed:
    """Return what can be run.

    Args:
        tree: hash of the code.

    Raises: UsageError where no claim has a program.
    """
    committed = GitRepo(run.repo).files() if (run.repo / ".git").is_dir() else {}
    name = f"{FOLDER}/{CONTRACTS}"
    none = UsageError(f"run `{run.path.name}` has no claim with a program", "finish it with `resume`")
    if name not in committed or not (run.claims / "claims.json").is_file():
        raise none
    contracts = Contracts.model_validate_json(committed[name])
    trials, checkers, programs = list[Trial](), list[Trial](), dict[str, str]()
    for claim in contracts.claims:
        contract = contracts.current(claim)
        for path, stamped, found in ((program(claim), tree, trials), (checker(claim), "", checkers)):
            alone = found is checkers and program(claim) not in programs
            if contract.accept is None or path not in committed or alone:
                continue
            programs[path] = committed[path].decode("utf-8", "replace")
            found.append(Trial(contract, climb(contract), stamp_of(stamped, programs[path]), path))
    if not trials:
        raise none
    return Claimed(contracts, tuple(trials), tuple(checkers), programs)


def audit_programs(run: RunDir, settings: Settings, code: Code, found: Claimed, folder: Path) -> None:
    """Have the policy look at the programs that are to be run. Raises: BlockedError.

    Args:
        folder: where they may be written to for that.
    """
    policy = load_policy(settings)
    paths = [trial.path for trial in found.trials]
    for path in paths:
        write_atomic(folder / path, found.programs[path])
    decisions = [policy.audit_code(folder, paths, reported=reported_numbers(code.plan))]
    decisions += [policy.check_command(trial.climb.levels[0][0].argv("FILE.csv", trial.path)) for trial in found.trials]
    refused = [row.message for decision in decisions if not decision.allows for row in decision.findings]
    if any(not decision.allows for decision in decisions):
        words = f"the policy does not allow the programs of claims: {'; '.join(refused[:3]) or 'it could not decide'}"
        raise BlockedError(words, f"`agentsys resume {run.path.name}` has them written anew")


def known_cells(run: RunDir, parts: Iterable[Part], data: str) -> Known:
    """Return the cells whose rows are whole: of the run, where not for want of time, and of the parts of a job.

    Args:
        data: identity of the data that there is; what failed without it is not among them.
    """
    found = {
        (done.cell.name, done.stamp): done
        for done in read_log(run.claims)
        if done.outcome != Outcome.TIMEOUT and done.stands(data) and intact(run.claims, done)
    }
    for part in parts:
        for done in read_log(part.folder):
            if done.stands(data) and intact(part.folder, done):
                found.setdefault((done.cell.name, done.stamp), done)
    return found


def missing(found: Claimed, known: Known) -> list[tuple[Trial, Cell]]:
    """Return the cells that are still to be run: of a claim of which one failed none."""
    failed = {
        trial.contract.claim
        for trial, cell in found.cells
        if (done := known.get((cell.name, trial.stamp))) is not None and done.fault
    }
    return [
        (trial, cell)
        for trial, cell in found.cells
        if trial.contract.claim not in failed and (cell.name, trial.stamp) not in known
    ]


def merge(run: RunDir, found: Claimed, parts: Sequence[Part]) -> int:
    """Take the cells of parts into the run's log, each with its rows, whose hash is checked; return how many.

    Who calls holds the run's lock: the log has one writer.
    """
    log, taken = CellLog(run.claims), 0
    expected = {(cell.name, trial.stamp) for trial, cell in found.cells}
    for part in parts:
        for done in read_log(part.folder):
            key = (done.cell.name, done.stamp)
            before = log.done(done.cell, done.stamp)
            if key not in expected or not intact(part.folder, done):
                continue
            if before == done or (
                before is not None and before.outcome != Outcome.TIMEOUT and before.stands(done.data)
            ):
                continue
            if done.sha256:
                rows = rows_file(part.folder, done.cell, done.stamp).read_bytes()
                write_atomic(log.rows(done.cell, done.stamp), rows)
            log.append(done)
            taken += 1
    return taken


def judge(run: RunDir, settings: Settings, found: Claimed, why: str) -> str:
    """Judge all claims anew from the run's log, without a model or a sandbox; return how many have which verdict.

    Args:
        why: said of a claim of which cells are missing.
    """
    log = CellLog(run.claims)
    left: dict[str, int] = {}
    for trial, _ in missing(found, {(done.cell.name, done.stamp): done for done in read_log(run.claims)}):
        left[trial.contract.claim] = left.get(trial.contract.claim, 0) + 1
    for trial in found.trials:
        count_scales(trial, log, f"{plural(left.get(trial.contract.claim, 0), 'cell')} not run: {why}")
    entries = run.claims / ENTRIES
    before: dict[str, str] = json.loads(entries.read_bytes()) if entries.is_file() else {}
    tested = {trial.contract.claim for trial in found.trials}
    reasons = {claim: reason for claim, reason in before.items() if claim not in tested}
    stamps = {trial.stamp for trial in found.trials}
    reviews = {each.claim: each for each in known_reviews(run.claims) if each.stamp in stamps}
    ws = Workspace(run, settings, EventLog(None, run.path.name))
    what = Tested(found.trials, found.checkers, reviews, reasons, found.programs)
    return settle(ws, GitRepo(run.repo), found.contracts, what, log)
