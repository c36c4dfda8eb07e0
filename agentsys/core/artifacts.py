"""The typed data that stages hand to each other: plan, analyses, diagnostics, rounds, results.

The paper has its own model in `agentsys.paper.model`. Everything here is stored as JSON in the run directory and
must stay readable by later versions: fields are added, never renamed.
"""

from __future__ import annotations

from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from agentsys.core.fingerprint import fingerprint_of


class Artifact(BaseModel):
    """Base of every stored object: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# -- plan --------------------------------------------------------------------------------------------------------------

RequirementKind = Literal["model", "loss", "algorithm", "data", "training", "evaluation", "hyperparameter", "other"]
CENTRAL: frozenset[RequirementKind] = frozenset({"model", "loss", "algorithm"})
"""Kinds of requirements of which a paper's method consists. Data, training and evaluation may have to be left out; a
repository without these implements another paper."""
RequirementStatus = Literal["paper", "inferred", "unresolved"]
FileKind = Literal["source", "test", "config", "script", "doc", "requirements"]


class PaperPlace(Artifact):
    """Where the paper says it."""

    section: str = Field(description="section number or title as printed, e.g. `3.2.1`")
    label: str = Field(default="", description="equation, table, figure or algorithm, e.g. `Eq. (2)`; may be empty")
    page: int | None = Field(default=None, description="page in the file, counted from 1")
    quote: str = Field(default="", description="the paper's own words, at most 300 characters")

    @field_validator("section", "label", "quote")
    @classmethod
    def _short(cls, text: str) -> str:
        """Planners quote more than they are asked to; what is cut off stands in the paper."""
        return " ".join(text.split())[:300]


class Requirement(Artifact):
    """One thing that the repository must do, with its place in the paper."""

    id: str = Field(pattern=r"^R\d{1,3}$", description="stable id, `R1`, `R2`, ...")
    what: str = Field(min_length=1, description="one sentence that can be checked")
    kind: RequirementKind = "other"
    place: PaperPlace
    status: RequirementStatus = "paper"
    owner: str = Field(min_length=1, description="path of the planned file that fulfils it")


class FileSpec(Artifact):
    """One file of the planned repository."""

    path: str = Field(min_length=1, description="POSIX path inside the repository")
    kind: FileKind = "source"
    purpose: str
    interface: str = Field(default="", description="public names with signatures, one a line; empty for non-code")
    depends_on: tuple[str, ...] = Field(default=(), description="planned files that must be written first")
    requirements: tuple[str, ...] = Field(default=(), description="ids of the ledger that this file touches")
    symbols: dict[str, tuple[str, ...]] = Field(
        default={},
        description="requirement id -> what carries it: `function`, `Class.method`, `config:key.subkey`, `result:key`",
    )

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: object) -> object:
        """Take `requirements` as a map id -> symbols too: planners write both in one place."""
        if not isinstance(data, dict):
            return data
        fields = cast("dict[str, object]", data)
        carried = fields.get("requirements")
        if not isinstance(carried, dict):
            return fields
        symbols = cast("dict[str, object]", carried)
        return {**fields, "requirements": tuple(symbols), "symbols": symbols}


class ExpectedResult(Artifact):
    """A number that the paper reports."""

    id: str = Field(pattern=r"^E\d{1,3}$")
    experiment: str = Field(description="name of the experiment that should produce it")
    metric: str
    value: float
    unit: str = Field(default="", description="unit, or `` for a pure number")
    place: PaperPlace
    result_key: str = Field(default="", description="key in results/results.json that holds the measured value")
    relation: Literal["equal", "at_most", "at_least"] = Field(
        default="equal", description="what the paper claims: the value itself, or a bound on it"
    )


class Experiment(Artifact):
    """One experiment of the paper and what the two profiles run of it."""

    name: str
    what: str
    full: str = Field(description="what the full profile runs, and what it needs (data, hardware, hours)")
    smoke: str = Field(
        description="what the smoke profile runs: the same code path in seconds on a CPU, without network"
    )
    health: str = Field(
        default="", description="what must hold of a healthy smoke run, e.g. `the training loss falls`; may be empty"
    )
    minutes: float = Field(
        default=0, ge=0, description="about how long `full` takes on what it needs; 0 where not said"
    )


class Dependency(Artifact):
    """A Python distribution of the package index."""

    name: str = Field(min_length=1, description="distribution name on the index, not the import name")
    specifier: str = Field(default="", description="version specifier, e.g. `==2.1.3` or `>=2,<3`")
    why: str = ""


DataKind = Literal[
    "package", "huggingface", "torchvision", "openml", "uci", "libsvm", "zenodo", "figshare", "dataverse", "doi", "url",
    "folder",
]  # fmt: skip


class DataSplit(Artifact):
    """One part of a data set, and how much the paper says is in it."""

    name: str = Field(min_length=1, max_length=60, description="`train`, `test`, ...")
    files: tuple[str, ...] = Field(
        default=(), description="names or patterns (`train-*.parquet`) below the source's folder; empty: all files"
    )
    count: int = Field(ge=0, description="rows, images or examples in all of these files together")


class DataSource(Artifact):
    """A data set or pretrained model that the paper's own scale needs, and where it is had."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="folder below `data/`")
    kind: DataKind
    what: Literal["data", "model"] = "data"
    identifier: str = Field(default="", max_length=300, description="what the kind calls it, see docs/data.md")
    revision: str = Field(default="", max_length=80, description="commit or tag of a hub's repository")
    files: tuple[str, ...] = Field(default=(), max_length=100, description="names or patterns; empty: all there are")
    licence: str = Field(default="", max_length=200, description="as the source states it")
    size: int = Field(default=0, ge=0, description="bytes, as far as known; 0 where it is not")
    splits: tuple[DataSplit, ...] = Field(default=(), max_length=20)
    stand_in: str = Field(default="", max_length=500, description="what smoke takes instead, and what that leaves open")

    @property
    def label(self) -> str:
        """Kind and identifier, for a reader."""
        return f"{self.kind} {self.identifier}{f' at {self.revision}' if self.revision else ''}".strip()


class OpenQuestion(Artifact):
    """Something that the paper leaves open, and what is assumed for now."""

    question: str
    assumption: str
    affects: tuple[str, ...] = ()


class Plan(Artifact):
    """What will be built: the whole of `plan/`."""

    package: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="import name of the generated package")
    summary: str = Field(min_length=1, description="the overall plan in prose")
    architecture: str = Field(min_length=1, description="modules, data flow and interfaces in prose")
    requirements: tuple[Requirement, ...] = Field(min_length=1)
    files: tuple[FileSpec, ...] = Field(min_length=1)
    config_full: dict[str, object] = Field(description="configs/full.yaml")
    config_smoke: dict[str, object] = Field(description="configs/smoke.yaml")
    experiments: tuple[Experiment, ...] = Field(min_length=1)
    expected: tuple[ExpectedResult, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    questions: tuple[OpenQuestion, ...] = ()
    contributions: dict[str, tuple[str, ...]] = Field(
        default={}, description="what the paper contributes, in its words -> ids, as planner and reviewer named them"
    )
    central: tuple[str, ...] = Field(default=(), description="ids of the requirements that carry the contribution")
    left_out: tuple[str, ...] = Field(default=(), description="what the paper contributes and no requirement carries")
    data: tuple[DataSource, ...] = Field(default=(), description="what the full profile reads below `data/`")


# -- verification ------------------------------------------------------------------------------------------------------

FIRST_DEMANDED = ("install", "imports", "pyright", "pytest", "smoke", "results", "audit")
"""What was demanded of every verification before verdicts said it themselves. Never changed: new verdicts get the
checks of `agentsys.verify.checks.table`."""
BESIDE = ("faults", "dependence")
"""Checks of one stage: both run where all before them passed."""
CheckState = Literal["passed", "failed", "not_run", "infra_error"]

DiagnosticKind = Literal[
    "syntax",
    "missing_dependency",
    "bad_pin",
    "wrong_import",
    "install",
    "import",
    "type",
    "test",
    "no_test",
    "runtime",
    "timeout",
    "oom",
    "output",
    "result",
    "audit",
    "missing_file",
    "health",
    "fidelity",
    "data",
]


class Diagnostic(Artifact):
    """One fault, as far as it can be told apart from the others.

    `path` and `line` are the deepest place in the repository's own code; outside it they are empty.
    """

    kind: DiagnosticKind
    check: str = Field(description="name of the check; a stored one may name a check that this version does not know")
    message: str
    path: str = ""
    line: int | None = None
    symbol: str = Field(default="", description="function, test or package concerned")
    frames: tuple[str, ...] = Field(default=(), description="`path:line in function` of our own code, outermost first")
    detail: str = Field(default="", description="log excerpt, cut head and tail")
    requirements: tuple[str, ...] = Field(default=(), description="ids of the ledger that the file touches")

    @property
    def fingerprint(self) -> str:
        """What makes two diagnostics the same fault: everything but line numbers, addresses and values."""
        return fingerprint_of(self)


class Check(Artifact):
    """What one check of a verification found; the checks themselves stand in `agentsys.verify.checks.table`."""

    name: str = Field(description="a stored one may name a check that this version does not know")
    state: CheckState
    exit_code: int | None = None
    outcome: str = Field(default="", description="the sandbox's outcome word; empty where nothing was executed")
    seconds: float = 0.0
    log: str = Field(default="", description="path of the log, relative to the run directory")
    note: str = Field(default="", description="what the check saw: `12 passed`, `0 errors in 9 files`, ...")
    counts: dict[str, int] = Field(default={}, description="the numbers of the note: `passed`, `errors`, ...")


class Verdict(Artifact):
    """What one verification found (`rounds/NN/verdict.json`)."""

    round: int
    tree: str = Field(description="hash of the repository's files that were verified")
    checks: tuple[Check, ...]
    demanded: tuple[str, ...] = Field(
        default=(), description="checks that had to pass when this verdict was made; without them nothing passes"
    )
    diagnostics: tuple[Diagnostic, ...] = ()
    backend: str = Field(default="", description="where it ran: `docker`, `podman`, `bubblewrap`, `fake`")
    weak: bool = Field(default=False, description="True where the backend isolates less than Docker does")
    infra: str = Field(default="", description="why the verification could not be done, if it could not")
    wrote: dict[str, str] = Field(
        default={}, description="SHA-256 of each file that the run left in `results/`, by its path in the repository"
    )

    @model_validator(mode="before")
    @classmethod
    def _first_version(cls, data: object, info: ValidationInfo) -> object:
        """A file from before `demanded` was stored was judged by the checks of that time."""
        if info.mode == "json" and isinstance(data, dict) and "demanded" not in data:
            return {**cast("dict[str, object]", data), "demanded": FIRST_DEMANDED}
        return cast("object", data)

    @property
    def passed(self) -> bool:
        """True only if everything that was demanded ran, and all that ran passed: the review too where there was one.

        Checks that were added to agentsys later say nothing about an older verdict.
        """
        ran = {check.name for check in self.checks}
        complete = bool(self.demanded) and ran.issuperset(self.demanded)
        return complete and not self.infra and all(check.state == "passed" for check in self.checks)

    @property
    def score(self) -> tuple[int, int]:
        """Larger is better: (checks passed before the first failure, minus the number of diagnostics).

        Checks that run beside each other count as one: which of them fails says nothing about how far it got.
        """
        states = {check.name: check.state for check in self.checks}
        reached = 0
        for name in self.demanded:
            if states.get(name) != "passed" and name not in BESIDE:
                break
            reached += name not in BESIDE
        return (reached, -len(self.diagnostics))


# -- repair ------------------------------------------------------------------------------------------------------------

Owner = Literal["planner", "analyzer", "coder", "debugger"]


class FileInstruction(Artifact):
    """What must change in one file, for the agent that has to do it."""

    path: str
    instruction: str


FindingSeverity = Literal["wrong", "missing", "doubt"]


class ReviewFinding(Artifact):
    """Where a reader of the code and the paper found that they differ."""

    path: str = Field(description="file that holds the place meant")
    read_with: str = Field(
        default="", description="file under review, where the place lies in one that was read with it"
    )
    requirement: str = Field(description="id of the ledger")
    severity: FindingSeverity = Field(description="`doubt` is reported and not repaired")
    paper: str = Field(default="", description="the paper's words, found in the paper")
    code: str = Field(
        default="", description="the line of code meant, found in the file; empty where a part is missing"
    )
    line: int | None = None
    what: str
    fix: str = ""


class ComparedValue(Artifact):
    """One constant, sign, default, shape or unit, in the paper and in the code."""

    what: str
    paper: str = ""
    code: str = ""


class Met(Artifact):
    """Where a reader found a requirement met; line and words were found in file and paper."""

    path: str
    requirement: str
    line: int
    code: str
    paper: str = ""
    values: tuple[ComparedValue, ...] = ()


class Review(Artifact):
    """One comparison of code and paper (`rounds/NN/review.json`, NN being the round that passed before)."""

    number: int = Field(description="first, second, ... review of the run")
    tree: str
    files: tuple[str, ...] = Field(description="files that were looked at")
    findings: tuple[ReviewFinding, ...] = ()
    met: tuple[Met, ...] = Field(default=(), description="where requirements are met")

    @property
    def open(self) -> tuple[ReviewFinding, ...]:
        """Findings that must be repaired or dismissed with a reason."""
        return tuple(row for row in self.findings if row.severity != "doubt")


class Dismissal(Artifact):
    """A finding of a review that is not followed, and why."""

    fingerprint: str
    message: str
    reason: str = Field(min_length=1)


class Diagnosis(Artifact):
    """The debugger's finding for one round (`rounds/NN/diagnosis.json`)."""

    round: int
    cause: str = Field(description="root cause in one or two sentences")
    owner: Owner = Field(description="who must act")
    fingerprints: tuple[str, ...] = Field(default=(), description="the diagnostics it answers")
    instructions: tuple[FileInstruction, ...] = ()
    sections: tuple[str, ...] = Field(default=(), description="sections of the paper to read again")
    dismissed: tuple[Dismissal, ...] = Field(default=(), description="findings of a review that are not followed")
    remedy: str = Field(default="", description="what is changed, in one sentence")
    alternatives: tuple[str, ...] = Field(default=(), description="other remedies, the cheapest first")
    change: str = Field(default="", description="hash of what is changed: two equal ones are the same remedy")


Grade = Literal[
    "agrees to the printed digits",
    "under 2 %",
    "within 20 %",
    "within 40 %",
    "beyond",
    "not attempted",
    "not measured",
]
"""How far a measured number lies from the paper's; `agentsys.verify.compare` says how it is given."""


class MeasuredResult(Artifact):
    """A row of the table paper | measured."""

    expected: ExpectedResult
    measured: float | None = None
    scale: str = Field(default="", description="what was run: the profile, and its own words on scale")
    note: str = ""
    grade: Grade = "not measured"
    profile: str = Field(default="", description="the profile that was run; `full` is the paper's scale")
    paper_scale: bool = Field(default=False, description="True where that profile has the paper's own scale")
    smoke: float | None = Field(
        default=None, description="the smoke profile's number, where `measured` comes from a larger scale"
    )
