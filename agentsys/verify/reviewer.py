"""The review: each file that carries requirements beside the paper's words, after the first round that passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agentsys.core.artifacts import FileSpec, FindingSeverity, Plan, Review, ReviewFinding
from agentsys.core.errors import InternalError
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.core.prompts import render
from agentsys.core.rounds import Round
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part
from agentsys.paper.query import letters, stands_in
from agentsys.paper.render import to_markdown
from agentsys.plan.context import Agent, Context, fan_out
from agentsys.verify.checks.review import last_answer, review_diagnostics, with_review
from agentsys.verify.fidelity.surroundings import around
from agentsys.verify.run import say_diagnostics

ROLE = "reviewer"
"""Role of these calls in the ledger: they are the analyzer's, and are counted apart."""
MAX_FINDINGS = 12
SHORTEST_CODE = 4
"""Characters below which a quoted line of code says nothing about its place."""


class FindingAnswer(BaseModel):
    """One finding as the model gives it."""

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


class ReviewAnswer(BaseModel):
    """Findings for one file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    findings: tuple[FindingAnswer, ...]


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
    found: dict[str, tuple[ReviewFinding, ...]] = {}
    paper = letters(to_markdown(context.ws.paper))

    async def work(spec: FileSpec) -> None:
        found[spec.path] = await _ask(context, plan, spec, number, earlier.get(spec.path, ""), paper)

    await fan_out(todo, work)
    findings = tuple(row for spec in todo for row in found[spec.path])
    return Review(number=number, tree=current.verdict.tree, files=tuple(spec.path for spec in todo), findings=findings)


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
    context: Context, plan: Plan, spec: FileSpec, number: int, earlier: str, paper: str
) -> tuple[ReviewFinding, ...]:
    source = (context.ws.run.repo / spec.path).read_text(encoding="utf-8")
    beside = around(context.ws.run.repo, plan, spec)
    shown = {**beside.common, **beside.tests, spec.path: source}
    prompt = context.prompt(
        plan,
        "verify/review",
        file=spec,
        source=context.quote(source),
        requirements=context.ws.requirements_of(plan, spec),
        sections=context.quote(context.cited_sections(plan, spec)),
        earlier=context.quote(earlier),
        tests={path: context.quote(text) for path, text in beside.tests.items()},
    )
    # The same for every file of a review, so it stands right behind what all prompts begin with.
    common = render(
        "verify/around",
        fence=context.fence,
        files={path: context.quote(text) for path, text in beside.common.items()},
        data=beside.data,
    )
    prompt = replace(prompt, prefix=(*prompt.prefix, Part("around", common)))
    known = {row.id for row in plan.requirements}

    def parse(text: str) -> tuple[ReviewFinding, ...]:
        answer = extract_json(text, ReviewAnswer)
        unknown = [row.requirement for row in answer.findings if row.requirement not in known]
        if unknown:
            raise AnswerError(f"`{unknown[0][:40]}` is no requirement of the ledger")
        return tuple(_checked(row, spec.path, shown, paper) for row in answer.findings[:MAX_FINDINGS])

    item = spec.path if number == 1 else f"review-{number}/{spec.path}"
    return await context.model.ask(ROLE, item, prompt, parse)


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
