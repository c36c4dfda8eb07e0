"""Collects what a run left on disk. Everything may be missing: a run can end anywhere."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from agentsys.core.artifacts import Diagnosis, MeasuredResult, Plan, Review, Verdict
from agentsys.core.errors import InternalError, UsageError
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.core.tree import read_tree
from agentsys.plan.scale import configuration, expected_seconds, is_paper_scale
from agentsys.report.claim_reading import read_claims
from agentsys.report.claims import ClaimRow
from agentsys.report.reading import Problems, read_bytes, read_json, read_model, read_text, walk_files
from agentsys.verify.compare import compare, larger_scale
from agentsys.verify.fidelity.dodged import Dodge, find_dodges
from agentsys.verify.fidelity.evidence import Evidence, Proof, gather, read_computed, read_results, read_tests
from agentsys.verify.fidelity.mutation_report import FAULTS_FILE, MutationReport, noticed_faults
from agentsys.verify.fidelity.mutation_report import FILE as MUTATION_FILE
from agentsys.verify.reproduction import FILE, Reproduction
from agentsys.verify.results_file import ResultsError, parse_results

if TYPE_CHECKING:
    from agentsys_policies.schema import Decision, Finding

CODE_SUFFIXES = frozenset({".py", ".pyi", ".sh", ".c", ".h", ".cc", ".cpp", ".cu"})
PATCH_LIMIT = 1 << 20
TESTS_LIMIT = 32 << 20


@dataclass(frozen=True)
class RoundData:
    """One verification and the repair that followed it."""

    number: int
    verdict: Verdict | None = None
    diagnosis: Diagnosis | None = None
    patch: str = ""
    rolled_back: bool = False
    review: Review | None = None
    """Comparison with the paper, where this round passed and was reviewed."""


@dataclass(frozen=True)
class RepoFile:
    """One delivered file."""

    path: str
    lines: int
    """Of code; 0 for what is none."""


@dataclass(frozen=True)
class ReportData:
    """A run as it lies on disk."""

    path: Path
    record: RunRecord
    plan: Plan | None = None
    rounds: tuple[RoundData, ...] = ()
    replay: Verdict | None = None
    measured: tuple[MeasuredResult, ...] = ()
    """The paper's numbers beside the measured ones; those of the full profile where it was run later and passed."""
    claims: tuple[ClaimRow, ...] = ()
    """The paper's claims with their verdicts; none where the run has no contracts."""
    reproductions: tuple[Reproduction, ...] = ()
    full: Reproduction | None = None
    """The latest reproduction of the full profile that passed, with the code as it is delivered."""
    decisions: tuple[Decision, ...] = ()
    files: tuple[RepoFile, ...] = ()
    evidence: Evidence | None = None
    mutation: MutationReport | None = None
    dodges: tuple[Dodge, ...] = ()
    """Swallowed exceptions and lines kept from the type checker, in the delivered files."""
    paper_scale: bool = False
    """The small profile has every setting of the full one."""
    full_seconds: float | None = None
    """About how long the full profile should take, by the small one's time; None where nothing tells."""
    problems: tuple[str, ...] = field(default=())

    @property
    def repo(self) -> Path:
        """Folder of the deliverable."""
        return self.path / "repo"

    @property
    def lines(self) -> int:
        """Lines of all code delivered."""
        return sum(file.lines for file in self.files)

    @property
    def best(self) -> RoundData | None:
        """The round whose tree was delivered: the best one, the later of equals; None if no verification was done."""
        return best_round(self.rounds)

    @property
    def verdict(self) -> Verdict | None:
        """What the verification of the delivered tree said."""
        return self.best.verdict if self.best is not None else None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of all gates, without repetitions by later rounds."""
        unique = {(item.rule, item.evidence.path, item.message): item for d in self.decisions for item in d.findings}
        return tuple(unique.values())

    @property
    def severities(self) -> Counter[str]:
        """Findings by severity."""
        return Counter(item.severity for item in self.findings)

    @property
    def duration(self) -> float | None:
        """Wall time in seconds, of all stages or from start to finish; None if unknown."""
        if self.record.seconds:
            return sum(self.record.seconds.values())
        try:
            ends = (datetime.fromisoformat(self.record.started), datetime.fromisoformat(self.record.finished))
        except ValueError:
            return None
        return (ends[1] - ends[0]).total_seconds()


def collect(run: RunDir) -> ReportData:
    """Read a run.

    Raises: UsageError if run.json is missing or unreadable; everything else may be missing.
    """
    problems = Problems()
    record = _record(run)
    plan = read_model(run.plan / "plan.json", Plan, problems)
    rounds = _rounds(run, problems)
    best = best_round(rounds)
    evidence = _evidence(run, plan, rounds, problems)
    full_config, smoke_config = _configurations(run, plan)
    reproductions = _reproductions(run, problems)
    full = _full(run, reproductions, problems)
    return ReportData(
        path=run.path,
        record=record,
        plan=plan,
        rounds=rounds,
        replay=read_model(run.rounds / "replay" / "verdict.json", Verdict, problems),
        measured=_with_full(run, plan, full, _measured(run, plan, rounds, problems), problems),
        claims=read_claims(run, problems),
        reproductions=reproductions,
        full=full,
        decisions=_decisions(run.audit, problems),
        files=tuple(_files(run.repo)),
        evidence=evidence,
        mutation=_mutation(run, best, problems),
        dodges=find_dodges(_source(run, problems), evidence) if evidence is not None else (),
        paper_scale=is_paper_scale(full_config, smoke_config),
        full_seconds=expected_seconds(full_config, smoke_config, _smoke_seconds(best)),
        problems=tuple(problems),
    )


def _record(run: RunDir) -> RunRecord:
    try:
        return run.state()
    except OSError as error:
        raise UsageError(
            f"`{run.path}` is no run directory: {error.strerror}", "`agentsys runs list` shows runs"
        ) from error
    except ValidationError as error:
        raise UsageError(f"`{run.record_file}` is damaged: {error.errors()[0]['msg']}") from error


def _rounds(run: RunDir, problems: Problems) -> tuple[RoundData, ...]:
    folders = sorted(path for path in run.rounds.glob("[0-9]*") if path.is_dir() and path.name.isdecimal())
    return tuple(
        RoundData(
            number=int(folder.name),
            verdict=read_model(folder / "verdict.json", Verdict, problems),
            diagnosis=read_model(folder / "diagnosis.json", Diagnosis, problems),
            patch=read_text(folder / "patch.diff", problems, PATCH_LIMIT),
            rolled_back=(folder / "rollback.json").is_file(),
            review=read_model(folder / "review.json", Review, problems),
        )
        for folder in folders
    )


def best_round(rounds: Sequence[RoundData]) -> RoundData | None:
    """Return the latest round of the tree with the best verdict; infrastructure faults say nothing about a tree.

    A review or a replay may have found more in that tree: what it found last is what holds.
    """
    done = [(item.verdict, item) for item in rounds if item.verdict and not item.verdict.infra]
    if not done:
        return None
    best, _ = max(done, key=lambda row: (row[0].score, row[1].number))
    return [item for verdict, item in done if verdict.tree == best.tree][-1]


def _seen(run: RunDir, rounds: Sequence[RoundData], name: str) -> Path | None:
    """Return a file of the latest round that executed the best tree; a round that a review opened holds none."""
    best = best_round(rounds)
    tree = best.verdict.tree if best is not None and best.verdict is not None else ""
    found = (run.round(item.number) / name for item in reversed(rounds) if item.verdict and item.verdict.tree == tree)
    return next((file for file in found if os.path.lexists(file)), None)


def _measured(
    run: RunDir, plan: Plan | None, rounds: Sequence[RoundData], problems: Problems
) -> tuple[MeasuredResult, ...]:
    """Compare with the delivered results; a repository that was not verified has only those of its round."""
    if plan is None:
        return ()
    raw = read_bytes(run.repo / "results" / "results.json", problems)
    delivered = raw is not None
    if raw is None and (file := _seen(run, rounds, "results.json")) is not None:
        raw = read_bytes(file, problems)
    try:
        results = parse_results(raw) if raw is not None else None
    except ResultsError as error:
        problems.append(f"results.json: {error}")
        results = None
    rows = compare(plan, results, paper_scale=is_paper_scale(*_configurations(run, plan)))
    return rows if delivered else tuple(_doubtful(row) for row in rows)


def _evidence(run: RunDir, plan: Plan | None, rounds: Sequence[RoundData], problems: Problems) -> Evidence | None:
    """Look in the delivered files and in what the round that verified them saw."""
    if plan is None:
        return None
    tested, measured = _seen(run, rounds, "tests.json"), _seen(run, rounds, "results.json")
    tests = read_tests(read_bytes(tested, problems, TESTS_LIMIT)) if tested is not None else None
    results = read_results(read_bytes(measured, problems)) if measured is not None else None
    try:
        return gather(plan, read_tree(run.repo), tests, results, _proof(run, rounds, problems))
    except InternalError as error:
        problems.append(f"no evidence was looked for: {error.message}")
        return None


def _source(run: RunDir, problems: Problems) -> dict[str, bytes]:
    try:
        return read_tree(run.repo)
    except InternalError as error:
        problems.append(f"the source was not looked through: {error.message}")
        return {}


def _configurations(run: RunDir, plan: Plan | None) -> tuple[dict[str, object], dict[str, object]]:
    if plan is None:
        return {}, {}
    return configuration(plan, run.repo, "full"), configuration(plan, run.repo, "smoke")


def _smoke_seconds(best: RoundData | None) -> float:
    checks = best.verdict.checks if best is not None and best.verdict is not None else ()
    return next((check.seconds for check in checks if check.name == "smoke"), 0.0)


def _proof(run: RunDir, rounds: Sequence[RoundData], problems: Problems) -> Proof:
    planted, moved = _seen(run, rounds, FAULTS_FILE), _seen(run, rounds, "dependence.json")
    report = read_model(planted, MutationReport, problems) if planted is not None else None
    computed = read_computed(read_bytes(moved, problems)) if moved is not None else frozenset[str]()
    return Proof(noticed_faults(report), computed)


def _mutation(run: RunDir, best: RoundData | None, problems: Problems) -> MutationReport | None:
    """Return the planted faults, if they were planted in the code that was delivered."""
    found = read_model(run.rounds / MUTATION_FILE, MutationReport, problems)
    tree = best.verdict.tree if best is not None and best.verdict is not None else ""
    return found if found is not None and found.tree == tree else None


def _reproductions(run: RunDir, problems: Problems) -> tuple[Reproduction, ...]:
    """Return the reproductions that came to an end, oldest first."""
    folders = [path for path in run.reproductions.glob("[0-9]*") if path.is_dir() and path.name.isdecimal()]
    read = [
        read_model(path / FILE, Reproduction, problems) for path in sorted(folders, key=lambda path: int(path.name))
    ]
    return tuple(item for item in read if item is not None)


def _full(run: RunDir, reproductions: Sequence[Reproduction], problems: Problems) -> Reproduction | None:
    """Return the latest passed one of the full profile, if it ran the code that is delivered now."""
    passed = [item for item in reproductions if item.profile == "full" and item.passed]
    if not passed:
        return None
    from agentsys.plan.workspace import code_hash

    tree = code_hash(run.repo)
    current = [item for item in passed if item.tree == tree]
    if len(current) < len(passed):
        problems.append(f"{len(passed) - len(current)} runs of the full profile ran other code than is delivered now")
    return current[-1] if current else None


def _with_full(
    run: RunDir,
    plan: Plan | None,
    full: Reproduction | None,
    rows: tuple[MeasuredResult, ...],
    problems: Problems,
) -> tuple[MeasuredResult, ...]:
    if plan is None or full is None:
        return rows
    raw = read_bytes(run.reproductions / f"{full.number:02d}" / "results.json", problems)
    try:
        results = parse_results(raw) if raw is not None else None
    except ResultsError as error:
        problems.append(f"reproductions/{full.number:02d}/results.json: {error}")
        return rows
    return larger_scale(rows, compare(plan, results, profile="full"))


def _doubtful(row: MeasuredResult) -> MeasuredResult:
    return row if row.measured is None else row.model_copy(update={"scale": f"{row.scale}; this code was not verified"})


def _decisions(folder: Path, problems: Problems) -> tuple[Decision, ...]:
    """Return the decisions of all gates: `{"decisions": [...]}` or one decision a file, each id once."""
    found: dict[str, Decision] = {}
    for path in sorted(folder.glob("*.json")):
        tree = _table(read_json(path, problems))
        rows = tree.get("decisions", [tree] if "gate" in tree else [])
        for row in cast("list[object]", rows) if isinstance(rows, list) else []:
            decision = _decision(row, path, problems)
            if decision is not None:
                found[decision.id] = decision
    return tuple(found.values())


def _decision(row: object, path: Path, problems: Problems) -> Decision | None:
    from agentsys_policies.schema import Decision

    try:
        return Decision.model_validate(row, strict=False)
    except ValidationError as error:
        problems.append(f"audit/{path.name} holds something that is no decision: {error.errors()[0]['msg']}")
        return None


def _table(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _files(repo: Path) -> list[RepoFile]:
    found: list[RepoFile] = []
    for path in walk_files(repo):
        lines = 0
        if path.suffix in CODE_SUFFIXES:
            raw = read_bytes(path, Problems()) or b""
            lines = raw.count(b"\n") + (not raw.endswith(b"\n") and bool(raw))
        found.append(RepoFile(path.relative_to(repo).as_posix(), lines))
    return found
