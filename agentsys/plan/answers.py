"""What the planner answers in its three steps, and how the steps become one plan."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agentsys.core.artifacts import (
    DataSource,
    Dependency,
    ExpectedResult,
    Experiment,
    FileSpec,
    OpenQuestion,
    PaperPlace,
    Plan,
    Requirement,
    RequirementKind,
    RequirementStatus,
)
from agentsys.plan.traceability import put_right


class Answer(BaseModel):
    """Answers of models may carry extra keys; they are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LedgerRow(Answer):
    """A requirement before its owner is known."""

    id: str = Field(pattern=r"^R\d{1,3}$")
    what: str = Field(min_length=1)
    kind: RequirementKind = "other"
    place: PaperPlace
    status: RequirementStatus = "paper"


class Contribution(Answer):
    """Something that the paper itself contributes, in its abstract's words, and the requirements that carry it."""

    words: str = Field(min_length=1, max_length=400)
    requirements: tuple[str, ...] = ()
    missing: str = Field(default="", max_length=600)
    """What must be built for it and no requirement has, in one sentence; only another role than the planner says so."""


class RequirementsAnswer(Answer):
    """Step 1, first half: what must be built."""

    title: str = ""
    requirements: tuple[LedgerRow, ...] = Field(min_length=1)
    contributions: tuple[Contribution, ...] = ()


class EvaluationAnswer(Answer):
    """Step 1, second half: what is run, what it should give, and what the paper leaves open."""

    summary: str = Field(min_length=1)
    experiments: tuple[Experiment, ...] = Field(min_length=1)
    expected: tuple[ExpectedResult, ...] = ()
    questions: tuple[OpenQuestion, ...] = ()
    data: tuple[DataSource, ...] = ()


class Ledger(Answer):
    """Both halves of step 1 together."""

    requirements: tuple[LedgerRow, ...]
    contributions: dict[str, tuple[str, ...]] = {}
    central: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    summary: str
    experiments: tuple[Experiment, ...]
    expected: tuple[ExpectedResult, ...] = ()
    questions: tuple[OpenQuestion, ...] = ()
    data: tuple[DataSource, ...] = ()


class DesignAnswer(Answer):
    """Step 2: architecture and files."""

    package: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    architecture: str = Field(min_length=1)
    files: tuple[FileSpec, ...] = Field(min_length=1)
    dependencies: tuple[Dependency, ...] = ()


class ConfigAnswer(Answer):
    """Step 3: configuration."""

    config_full: dict[str, object] = Field(min_length=1)
    config_smoke: dict[str, object] = Field(min_length=1)


class ReviseAnswer(Answer):
    """A later change of the plan."""

    files: tuple[FileSpec, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    note: str = ""


GENERATED_BY_TOOLING = frozenset(
    {"requirements.txt", "PAPER_MAP.md", "paper_map.json", ".gitignore", "configs/full.yaml", "configs/smoke.yaml"}
)
"""Files that agentsys writes itself; a planner that lists them is corrected silently."""


def clean_design(design: DesignAnswer) -> DesignAnswer:
    """Drop files that the tooling writes, make sure of pytest, and give names to the files that offer them."""
    files = tuple(
        spec.model_copy(update={"depends_on": tuple(d for d in spec.depends_on if d not in GENERATED_BY_TOOLING)})
        for spec in design.files
        if spec.path not in GENERATED_BY_TOOLING
    )
    dependencies = design.dependencies
    if not any(row.name.lower() == "pytest" for row in dependencies):
        dependencies = (*dependencies, Dependency(name="pytest", specifier=">=8,<10", why="tests"))
    return design.model_copy(update={"files": put_right(files), "dependencies": dependencies})


def compose(ledger: Ledger, design: DesignAnswer, config: ConfigAnswer) -> Plan:
    """Make one plan of the three answers; the first file that names a requirement owns it."""
    owners = {rid: spec.path for spec in reversed(design.files) for rid in spec.requirements}
    return Plan(
        package=design.package,
        summary=ledger.summary,
        architecture=design.architecture,
        requirements=tuple(
            Requirement(**row.model_dump(), owner=owners.get(row.id, "?")) for row in ledger.requirements
        ),
        files=design.files,
        config_full={"profile": "full", **_without_profile(config.config_full)},
        config_smoke={"profile": "smoke", **_without_profile(config.config_smoke)},
        experiments=ledger.experiments,
        expected=ledger.expected,
        dependencies=design.dependencies,
        questions=ledger.questions,
        contributions=ledger.contributions,
        central=ledger.central,
        left_out=ledger.left_out,
        data=ledger.data,
    )


def _without_profile(config: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items() if key != "profile"}
