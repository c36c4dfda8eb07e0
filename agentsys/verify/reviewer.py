"""The review: each file that carries requirements beside the paper's words, after the first round that passed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agentsys.core.artifacts import ComparedValue, FileSpec, FindingSeverity, Met, Plan, Review, ReviewFinding
from agentsys.core.errors import InternalError
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.core.rounds import Round
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.paper.query import letters, stands_in
from agentsys.paper.render import to_markdown
from agentsys.plan.context import Agent, Context, fan_out
from agentsys.plan.rules import measures
from agentsys.verify.checks.review import last_answer, review_diagnostics, with_review
from agentsys.verify.fidelity.longdata import shortened
from agentsys.verify.fidelity.mutation_report import FILE as MUTATIONS
from agentsys.verify.fidelity.mutation_report import read_report
from agentsys.verify.fidelity.surroundings import around, shared_tests
from agentsys.verify.run import say_diagnostics

ROLE = "reviewer"
"""Role of these calls in the ledger: they are the analyzer's, and are counted apart."""
MAX_FINDINGS = 12
MAX_VALUES = 30
SHORTEST_CODE = 4
"""Characters below which a quoted line of code says nothing about its place."""


class ValueAnswer(BaseModel):
    """What was compared, and what stands in paper and code."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    what: str = Field(min_length=1)
    paper: str = ""
    code: str = ""


class FindingAnswer(BaseModel):
    """How code and paper differ, as the model gives it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    requirement: str
    severity: FindingSeverity
    paper: str = ""
    code: str = ""
    what: str = Field(min_length=1)
    fix: str = ""
    file: str = ""
    """Where the place lies in a file that was shown beside the one under review."""
    about: Literal["paper", "check"] = "paper"
    """`check`: something looks right without being right; what shows it is code, and no words of the paper."""


class RowAnswer(BaseModel):
    """A row of the table: where a requirement is met, or what differs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    requirement: str
    state: Literal["met"] | FindingSeverity
    paper: str = ""
    code: str = ""
    values: tuple[ValueAnswer, ...] = ()
    what: str = ""
    fix: str = ""
    file: str = ""
    about: Literal["paper", "check"] = "paper"

    @model_validator(mode="after")
    def _said(self) -> RowAnswer:
        if self.state != "met" and not self.what.strip():
            raise ValueError("`what` says how the two differ")
        return self


class TableAnswer(BaseModel):
    """The table for one file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rows: tuple[RowAnswer, ...]


class ReviewAnswer(BaseModel):
    """Findings alone, as recordings of earlier versions hold them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    findings: tuple[FindingAnswer, ...]


@dataclass(frozen=True)
class Looked:
    """What one look at a file brought."""

    findings: tuple[ReviewFinding, ...] = ()
    met: tuple[Met, ...] = ()


@dataclass(frozen=True)
class Beside:
    """What is shown with one file: tests, and with one of the files what belongs to all; texts by path."""

    tests: Mapping[str, str]
    common: Mapping[str, str]
    data: tuple[str, ...]
    """Names of the repository's data files."""


class Reviewer(Agent):
    """Compares the code that passed with the paper; open findings become the verdict of the next round."""

    name = "reviewer"
    description = "reads the code that passed beside the paper's words and says where they differ"
    steps: tuple[Step, ...] = ("review",)

    async def act(self, step: Step) -> str:
        """Review the tree at hand.

        Half a review of a killed process costs nothing twice: answers lie on disk, and a finished `review.json` is
        taken.
        """
        context = self._context
        current = context.rounds.latest_for_tree(context.ws.code_tree())
        if current is None or not current.verdict.passed:
            raise InternalError("a tree that did not pass was given to the review")
        done = context.rounds.reviews()
        found = done.get(current.number)
        if found is None:
            found = await _look(context, context.ws.require_plan(), current, len(done) + 1)
            context.rounds.write_review(current.number, found)
        if found.open:
            _open_round(context, current, found)
        doubts = len(found.findings) - len(found.open)
        return f"{len(found.files)} files beside the paper: {len(found.open)} findings to repair, {doubts} doubts"


async def _look(context: Context, plan: Plan, current: Round, number: int) -> Review:
    earlier = {path: text for path, text in _earlier(context).items() if text}
    todo = [spec for spec in plan.files if _carries(context, spec) and (number == 1 or _again(context, spec, earlier))]
    found: dict[str, Looked] = {}
    report = read_report(context.ws.run.rounds / MUTATIONS)
    noticed = report if report is not None and report.tree == current.verdict.tree else None
    shared, beside = shared_tests(context.ws.run.repo, plan, todo, noticed), around(context.ws.run.repo, plan)
    home = next((spec for spec in todo if measures(plan, spec)), todo[0] if todo else None)
    paper = letters(to_markdown(context.ws.paper))

    async def work(spec: FileSpec) -> None:
        more = Beside(shared[spec.path], beside.common if spec is home else {}, beside.data)
        found[spec.path] = await _ask(context, plan, spec, number, earlier.get(spec.path, ""), paper, more)

    await fan_out(todo, work)
    return Review(
        number=number,
        tree=current.verdict.tree,
        files=tuple(spec.path for spec in todo),
        findings=tuple(row for spec in todo for row in found[spec.path].findings),
        met=tuple(row for spec in todo for row in found[spec.path].met),
    )


def _carries(context: Context, spec: FileSpec) -> bool:
    return spec.kind == "source" and bool(spec.requirements) and (context.ws.run.repo / spec.path).is_file()


def _again(context: Context, spec: FileSpec, earlier: dict[str, str]) -> bool:
    """A later review looks at what was found before, and at what has changed since."""
    last = max(context.rounds.reviews(), default=0)
    commit = context.rounds.commit_of(last)
    return spec.path in earlier or not commit or spec.path in context.git.changed(commit)


def _earlier(context: Context) -> dict[str, str]:
    """Return, by file, what earlier reviews found and what became of it."""
    texts: dict[str, list[str]] = {}
    for number, past in context.rounds.reviews().items():
        later = [item.diagnosis for item in context.rounds.all() if item.number > number and item.diagnosis is not None]
        for row in past.open:
            diagnosis, reason = last_answer(row, later)
            fate = f"dismissed: {reason}" if reason else f"answered by: {diagnosis.cause}" if diagnosis else "open"
            texts.setdefault(row.read_with or row.path, []).append(f"- {row.requirement}: {row.what} ({fate})")
    return {path: "\n".join(lines) for path, lines in texts.items()}


async def _ask(
    context: Context, plan: Plan, spec: FileSpec, number: int, earlier: str, paper: str, beside: Beside
) -> Looked:
    """Ask about one file.

    Args:
        paper: the `letters` of the paper.
    """
    source = (context.ws.run.repo / spec.path).read_text(encoding="utf-8")
    shown = {**beside.common, **beside.tests, spec.path: source}
    prompt = context.about_file(
        plan,
        spec,
        "verify/review",
        source=context.quote(shortened(source)),
        ids=spec.requirements,
        earlier=context.quote(earlier),
        tests={path: context.quote(text) for path, text in beside.tests.items()},
        common={path: context.quote(text) for path, text in beside.common.items()},
        data=beside.data,
    )
    known = {row.id for row in plan.requirements}
    quoted = {row.id for row in plan.requirements if row.status == "paper"}

    def parse(text: str) -> Looked:
        rows = _rows(context, text, spec)
        if unknown := [row.requirement for row in rows if row.requirement not in known]:
            raise AnswerError(f"`{unknown[0][:40]}` is no requirement of the ledger")
        return _looked(rows, spec.path, shown, paper, quoted)

    item = spec.path if number == 1 else f"review-{number}/{spec.path}"
    return await context.model.ask(ROLE, item, prompt, parse)


def _rows(context: Context, text: str, spec: FileSpec) -> tuple[RowAnswer, ...]:
    """Read the table; one that leaves a requirement out is refused. An older recording may hold findings alone."""
    try:
        rows = extract_json(text, TableAnswer).rows
    except AnswerError:
        if context.settings.replay is None:
            raise
        old = extract_json(text, ReviewAnswer).findings
        message = "the recorded reviews hold findings alone: nothing says where requirements are met"
        context.events.emit("warning", stage="review", message=message)
        return tuple(RowAnswer.model_validate({**row.model_dump(), "state": row.severity}) for row in old)
    said = {row.requirement for row in rows if row.about == "paper"}
    if silent := [rid for rid in spec.requirements if rid not in said]:
        raise AnswerError(f"the table says nothing about {', '.join(silent)}: where is it met, or what differs?")
    return rows


def _looked(
    rows: Sequence[RowAnswer], path: str, shown: Mapping[str, str], paper: str, quoted: Collection[str]
) -> Looked:
    """Keep what is met where line and words stand in file and paper; where they do not, it is a doubt.

    Args:
        quoted: ids of requirements that the paper states: words of it belong to them.
    """
    met: list[Met] = []
    findings: list[RowAnswer] = []
    for row in rows:
        file = row.file if row.file in shown else path
        line = line_of(row.code, shown[file])
        if row.state != "met":
            findings.append(row)
        elif line is None or not _is_said(row, paper, quoted):
            words = "it is said to be met, but the quoted line or words were not found"
            findings.append(row.model_copy(update={"state": "doubt", "what": words}))
        else:
            values = tuple(ComparedValue(**value.model_dump()) for value in row.values[:MAX_VALUES])
            place = {"path": file, "requirement": row.requirement, "line": line, "values": values}
            met.append(Met.model_validate({**place, "code": row.code[:400], "paper": row.paper[:400]}))
    findings.sort(key=lambda row: row.state == "doubt")
    checked = tuple(_checked(_finding(row), path, shown, paper) for row in findings[:MAX_FINDINGS])
    return Looked(checked, tuple(met))


def _is_said(row: RowAnswer, paper: str, quoted: Collection[str]) -> bool:
    return stands_in(row.paper, paper) if row.paper.strip() else row.requirement not in quoted


def _finding(row: RowAnswer) -> FindingAnswer:
    return FindingAnswer.model_validate({**row.model_dump(), "severity": row.state})


def _checked(row: FindingAnswer, reviewed: str, shown: Mapping[str, str], paper: str) -> ReviewFinding:
    """Keep a finding; one whose quotes are not in the paper and the file is no more than a doubt.

    Args:
        reviewed: the file under review.
        shown: text of every file that the reviewer was given.
    """
    path = row.file if row.file in shown else reviewed
    line = line_of(row.code, shown[path])
    absent = row.severity == "missing" and not row.code.strip()
    said = stands_in(row.paper, paper) and (line is not None or absent)
    grounded = said if row.about == "paper" else line is not None
    return ReviewFinding(
        path=path,
        read_with=reviewed if path != reviewed else "",
        requirement=row.requirement,
        severity=row.severity if grounded else "doubt",
        paper=row.paper[:400],
        code=row.code[:400],
        line=line,
        what=row.what[:1000],
        fix=row.fix[:1000],
    )


def line_of(code: str, source: str) -> int | None:
    """Return the line that holds the first quoted line of code, whatever the spaces."""
    wanted = next(("".join(line.split()) for line in code.splitlines() if line.strip()), "")
    if len(wanted) < SHORTEST_CODE:
        return None
    for number, line in enumerate(source.splitlines(), 1):
        if wanted in "".join(line.split()):
            return number
    return None


def _open_round(context: Context, current: Round, found: Review) -> None:
    """Write the findings down as the next round's verdict: the debugger's way to them is the usual one."""
    following = len(context.rounds.all()) + 1  # more than one further, where a tree was put back by hand
    note = f"{len(found.open)} findings in {len(found.files)} files"
    diagnostics = review_diagnostics(found.open)
    verdict = with_review(current.verdict, following, "failed", note, diagnostics)
    write_atomic(context.ws.run.round(following) / "commit", context.git.head() + "\n")
    context.rounds.write_verdict(verdict)
    say_diagnostics(context.events, verdict, "review")


def settle_dismissed(context: Context, current: Round, marks: set[str]) -> None:
    """Write the verdict that follows where no edit does: same tree, same checks, the dismissed findings answered.

    Args:
        marks: fingerprints of what was dismissed; findings that the debugger was not shown yet stay open.
    """
    rest = tuple(row for row in current.verdict.diagnostics if row.fingerprint not in marks)
    note = f"{len(marks)} findings dismissed with a reason" + (f", {len(rest)} left" if rest else "")
    number = len(context.rounds.all()) + 1
    verdict = with_review(current.verdict, number, "failed" if rest else "passed", note, rest)
    write_atomic(context.ws.run.round(number) / "commit", context.git.head() + "\n")
    context.rounds.write_verdict(verdict)
