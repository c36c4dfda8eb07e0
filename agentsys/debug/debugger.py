"""The debugger: reads the diagnostics, finds the cause, repairs it or names the agent that must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from agentsys.core.artifacts import Diagnosis, Diagnostic, Dismissal, Experiment, FileInstruction, Owner, Plan
from agentsys.core.errors import EditError, InternalError, NoUsableAnswer
from agentsys.core.events import Step
from agentsys.core.files import write_atomic
from agentsys.core.prompts import render
from agentsys.core.rounds import REPEATS_CHANGE, Round
from agentsys.core.tree import read_tree
from agentsys.debug.edits import EDIT_FORMAT, Patch, parse_edits, prepare
from agentsys.debug.evidence import RUN, WIDE, Evidence, budget_of, gather
from agentsys.debug.excerpts import outline
from agentsys.debug.guard import asks_for_quicker_tests, weakenings
from agentsys.debug.history import change_of, history_text, installed_text, tried_text
from agentsys.debug.looking import LIMITS, LOOKS, Look, check_look, looked, texts_of
from agentsys.debug.rollback import discard_unfinished, restore_best
from agentsys.debug.takenback import TakenBack, taken_back
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json
from agentsys.llm.types import Part, Prompt
from agentsys.plan.answers import Answer
from agentsys.plan.context import Agent, Context
from agentsys.plan.prompt_text import MAX_DIAGNOSTICS, checks_text, diagnostics_text
from agentsys.plan.removals import replacements
from agentsys.verify.reviewer import settle_dismissed

COST: tuple[Owner, ...] = ("debugger", "coder", "analyzer", "planner")
"""Who acts, the cheapest first: an edit, a file, a reading and a file, a part of the plan."""
NEAREST = 2
"""Files whose analyses a debugger is shown that has failed before: those that the evidence names first."""
CARRIED = ("configs/full.yaml", "configs/smoke.yaml")
"""What a coder may have to add keys to, besides the files of the plan."""


class DismissedAnswer(Answer):
    """A finding of the review that is not followed."""

    number: int = Field(ge=1, description="its number in the list of diagnostics")
    reason: str = Field(min_length=20)


class AlternativeAnswer(Answer):
    """Another remedy than the one that is taken."""

    remedy: str = Field(min_length=1)
    owner: Owner = "debugger"


class LookAnswer(Answer):
    """A question instead of a diagnosis."""

    look: Look


class _Asks(Answer):
    """What an answer that asks something has, however it asks."""

    look: dict[str, object]


class DiagnosisAnswer(Answer):
    """The JSON part of the debugger's answer."""

    cause: str
    owner: Owner
    remedy: str = ""
    alternatives: tuple[AlternativeAnswer, ...] = ()
    instructions: tuple[FileInstruction, ...] = ()
    sections: tuple[str, ...] = ()
    dismissed: tuple[DismissedAnswer, ...] = ()
    keep_patch: bool = False
    """The edits follow upon the repair that was taken back."""


@dataclass(frozen=True)
class Finding:
    """A diagnosis, and the patch where the debugger is the one to act."""

    answer: DiagnosisAnswer
    patch: Patch | None


class Debugger(Agent):
    """Makes one diagnosis a round; if the last round made things worse, the best state is put back first."""

    name = "debugger"
    description = "finds the root cause of failing checks, repairs it, or hands over to the colleague who must act"
    steps: tuple[Step, ...] = ("debug",)

    async def act(self, step: Step) -> str:
        context = self._context
        plan = context.ws.require_plan()
        last = context.rounds.last()
        if last is None:
            raise InternalError("nothing was verified yet")
        if context.rounds.handed_to("debugger"):
            if context.git.head() != last.base:  # applied before the process was stopped
                context.rounds.acted(last)
                return f"round {last.number}: repaired"
            discard_unfinished(context, last.number)  # stopped while it was applied
        rolled = restore_best(context)
        current = context.rounds.latest_for_tree(context.ws.code_tree())
        if current is None:
            raise InternalError("the tree at hand was never verified")
        if current.verdict.passed:
            return f"round {last.number}: put back to round {current.number}, which passed"
        try:
            finding = await self._ask(plan, context.rounds.last() or last, current)
        except NoUsableAnswer as error:
            context.rounds.give_up(last.number, f"no usable repair was found: {error.message}")
            return f"round {last.number}: no usable repair was found"
        return self._act_on(last, current, finding, rolled)

    def _act_on(self, last: Round, current: Round, finding: Finding, rolled: bool) -> str:
        context, answer = self._context, finding.answer
        base = context.git.head()
        diagnosis = Diagnosis(
            round=last.number,
            cause=answer.cause[:2000],
            owner=answer.owner,
            fingerprints=tuple(row.fingerprint for row in current.verdict.diagnostics),
            instructions=answer.instructions,
            sections=answer.sections,
            dismissed=tuple(_dismissal(row, current) for row in answer.dismissed),
            remedy=answer.remedy[:1000],
            alternatives=_by_cost(answer),
            change=change_of(answer.owner, answer.instructions, finding.patch),
        )
        if finding.patch is None and answer.owner == "debugger":
            context.rounds.write_diagnosis(diagnosis, ("debugger",), base)
            settle_dismissed(context, current, {row.fingerprint for row in diagnosis.dismissed})
            context.rounds.write_handover(last.number, (), base)
            return f"round {last.number}: {len(diagnosis.dismissed)} findings dismissed: {answer.cause[:160]}"
        pending: tuple[Owner, ...] = ("analyzer", "coder") if answer.owner == "analyzer" else (answer.owner,)
        context.rounds.write_diagnosis(diagnosis, pending, base)
        note = "rolled back, then " if rolled else ""
        if finding.patch is None:
            return f"round {last.number}: {note}handed to the {answer.owner}: {answer.cause[:160]}"
        finding.patch.write()
        write_atomic(context.ws.run.round(last.number) / "patch.diff", finding.patch.diff())
        context.git.commit(f"Round {last.number}: {answer.cause[:160]}")
        context.rounds.write_handover(last.number, (), base)
        return f"round {last.number}: {note}{', '.join(finding.patch.paths)[:120]}: {answer.cause[:120]}"

    async def _ask(self, plan: Plan, last: Round, current: Round) -> Finding:
        """Ask for a diagnosis; what the debugger wants to see first is shown to it in the same conversation."""
        context = self._context
        before = context.rounds.attempts(current.verdict.diagnostics, besides=last.number)
        folder = _executed(context.ws.run.round(current.number), context.rounds.evidence(current.verdict.tree, TESTS))
        tree, rows = read_tree(context.ws.run.repo), current.verdict.diagnostics
        budget = WIDE if _is_wide(before) else budget_of(rows)
        evidence = gather(tree, folder, plan, rows, budget, _before(context, current))
        lost = taken_back(context, last)
        prompt = self._prompt(plan, last, current, evidence, before, lost)
        item = f"round-{last.number:02d}"
        for number in range(1, LOOKS + 2):
            may_look = number <= LOOKS

            def parse(text: str, may_look: bool = may_look) -> Finding | Look:
                look = look_of(text)
                if look is None:
                    return self._parse(plan, text, before, current, lost)
                if not may_look:
                    raise AnswerError("you have looked as often as you may: decide now")
                check_look(look, texts_of(read_tree(context.ws.run.repo)), evidence.logs)
                return look

            found = await context.model.ask(self.name, item, prompt, parse)
            if isinstance(found, Finding):
                return found
            seen = await looked(context, plan, folder, number, found)
            asked = Part(f"asked-{number}", f"You asked: {context.quote(found.model_dump_json(exclude_defaults=True))}")
            prompt = replace(prompt, body=(*prompt.body, asked, Part(f"shown-{number}", seen)))
            item = f"round-{last.number:02d}-look-{number}"
        raise InternalError("the debugger never decided")

    def _parse(
        self, plan: Plan, text: str, before: Sequence[Diagnosis], current: Round, lost: TakenBack | None
    ) -> Finding:
        answer = extract_json(text, DiagnosisAnswer)
        check_dismissed(answer, current)
        if answer.keep_patch and (lost is None or answer.owner != "debugger"):
            raise AnswerError("`keep_patch` goes with edits of yours, where a repair was taken back and is shown")
        if answer.owner != "debugger":
            _check_handover(answer, plan)
            return untried(Finding(answer, None), before)
        if answer.dismissed and len({row.number for row in answer.dismissed}) == _shown(current):
            return Finding(answer, None)
        repo = self._context.ws.run.repo
        try:
            patch = prepare(repo, parse_edits(text), lost.changes if lost is not None and answer.keep_patch else None)
        except EditError as error:
            raise AnswerError(error.feedback) from error
        quicker = asks_for_quicker_tests(current.verdict.diagnostics)
        if reasons := weakenings(patch.changes, plan, quicker=quicker):
            raise AnswerError("the edit is refused, because it weakens the method:\n- " + "\n- ".join(reasons))
        return untried(Finding(answer, patch), before)

    def _prompt(
        self,
        plan: Plan,
        last: Round,
        current: Round,
        evidence: Evidence,
        before: Sequence[Diagnosis],
        lost: TakenBack | None,
    ) -> Prompt:
        context = self._context
        diagnostics = current.verdict.diagnostics
        wide = _is_wide(before)
        touched = [spec for spec in plan.files if spec.path in evidence.sources]
        code = {spec.path: spec for spec in touched if spec.kind != "test"}
        nearest = [code[path] for path in evidence.sources if path in code][:NEAREST]
        refs = [row.place.section for spec in touched for row in context.ws.requirements_of(plan, spec)] if wide else []
        refs += [row.place.section for row in plan.requirements if row.id in _doubted(diagnostics)]
        rest = [spec.path for spec in plan.files if spec.kind != "test" and spec.path not in evidence.sources]
        quoted = {name: context.quote(text) for name, text in {**evidence.sources, **evidence.raw}.items()}
        prompt = context.prompt(
            plan,
            "debug/debug",
            round=last.number,
            max_rounds=context.settings.max_rounds,
            checks=context.quote(checks_text(current.verdict) + installed_text(context, plan, current)),
            diagnostics=context.quote(diagnostics_text(evidence.diagnostics)),
            replacements=[row.words for row in replacements(diagnostics_text(diagnostics))],
            history=context.quote(history_text(context.rounds.all())),
            tried=context.quote(tried_text(before)),
            lost=lost and {"diff": context.quote(lost.diff), "found": context.quote(diagnostics_text(lost.found))},
            experiments=(about := concerned(plan, diagnostics)),
            expected=[row for row in plan.expected if row.experiment in {item.name for item in about}],
            raw={name: quoted[name] for name in evidence.raw},
            sources={name: quoted[name] for name in evidence.sources},
            analyses=[(spec.path, context.quote(context.ws.analysis(spec.path))) for spec in nearest] if wide else [],
            sections=context.quote(context.sections(refs)),
            others={path: context.quote(text) for path, text in _outlines(context, rest).items()},
            logs=evidence.logs,
        )
        how = Part("how-debug", render("debug/how", looks=LOOKS, limits=LIMITS, edit_format=EDIT_FORMAT))
        return replace(prompt, prefix=(*prompt.prefix, how))


TESTS = "tests.json"
"""What a round that executed something leaves."""


def _executed(own: Path, evidence: Path | None) -> Path:
    """Return the folder of the round that executed a tree; one that a review opened executed nothing."""
    return own if evidence is None or (own / TESTS).is_file() else evidence.parent


def _before(context: Context, current: Round) -> dict[str, bytes] | None:
    """Return the repository before the repair that brought new faults; None where there is none such."""
    past = next((row for row in context.rounds.all() if row.number == current.number - 1), None)
    commit = context.rounds.commit_of(current.number - 1)
    known = {row.fingerprint for row in past.verdict.diagnostics} if past is not None else set[str]()
    brought = any(row.fingerprint not in known for row in current.verdict.diagnostics)
    return context.git.files(commit) if past is not None and commit and brought else None


def concerned(plan: Plan, diagnostics: Sequence[Diagnostic]) -> list[Experiment]:
    """Return the experiments that faults of a run are about; all of them where nothing says which."""
    rows = [row for row in diagnostics if row.check in RUN]
    words = " ".join(f"{row.symbol} {row.message}" for row in rows)
    of_keys = {row.experiment for row in plan.expected if row.result_key and row.result_key in words}
    found = [item for item in plan.experiments if item.name in of_keys or f"`{item.name}:" in words]
    found += [item for item in plan.experiments if any(row.symbol.startswith(f"{item.name}:") for row in rows)]
    return list(dict.fromkeys(found)) or (list(plan.experiments) if rows else [])


def _outlines(context: Context, paths: Sequence[str]) -> dict[str, str]:
    """Return by Python file what it defines, of those that are there."""
    files = {path: context.ws.run.repo / path for path in paths if path.endswith(".py")}
    return {path: outline(file.read_text(encoding="utf-8")) for path, file in files.items() if file.is_file()}


def _is_wide(before: Sequence[Diagnosis]) -> bool:
    return len(before) + 1 >= REPEATS_CHANGE


def look_of(text: str) -> Look | None:
    """Return what an answer asks to see; None where it asks for nothing.

    Raises: AnswerError where it asks in a way that is not taken.
    """
    try:
        extract_json(text, _Asks)
    except AnswerError:
        return None
    return extract_json(text, LookAnswer).look


def untried(finding: Finding, before: Sequence[Diagnosis]) -> Finding:
    """Refuse a remedy that was tried at this root cause and did not cure it; another one at the same cause is none."""
    change = change_of(finding.answer.owner, finding.answer.instructions, finding.patch)
    same = next((row for row in before if row.change == change), None)
    if same is None:
        return finding
    others = f": {'; '.join(same.alternatives)}" if same.alternatives else ""
    raise AnswerError(f"this very remedy was tried in round {same.round} and did not cure it; take another one{others}")


def _by_cost(answer: DiagnosisAnswer) -> tuple[str, ...]:
    rows = sorted(answer.alternatives[:6], key=lambda row: COST.index(row.owner))
    return tuple(f"{row.owner}: {row.remedy[:400]}" for row in rows)


def _doubted(diagnostics: Sequence[Diagnostic]) -> set[str]:
    """Return the requirements of review findings: whether they are right is told by the paper's words alone."""
    return {rid for row in diagnostics if row.kind == "fidelity" for rid in row.requirements}


def _shown(current: Round) -> int:
    """Return how many diagnostics stand in the prompt."""
    return min(len(current.verdict.diagnostics), MAX_DIAGNOSTICS)


def check_dismissed(answer: DiagnosisAnswer, current: Round) -> None:
    """Only what a reader of the code thought can be dismissed, and was shown; what a check measured cannot."""
    rows = current.verdict.diagnostics
    for item in answer.dismissed:
        if item.number > _shown(current) or rows[item.number - 1].kind != "fidelity":
            raise AnswerError(f"diagnostic {item.number} is no finding of the review and cannot be dismissed")


def _dismissal(item: DismissedAnswer, current: Round) -> Dismissal:
    row = current.verdict.diagnostics[item.number - 1]
    return Dismissal(fingerprint=row.fingerprint, message=row.message, reason=item.reason[:1000])


def _check_handover(answer: DiagnosisAnswer, plan: Plan) -> None:
    if not answer.instructions:
        raise AnswerError(f"a hand-over to the {answer.owner} needs `instructions` with the file and what must change")
    known = {spec.path for spec in plan.files} | set(CARRIED if answer.owner == "coder" else ())
    unknown = [row.path for row in answer.instructions if row.path not in known]
    if unknown and answer.owner != "planner":
        raise AnswerError(f"`{unknown[0]}` is not a file of the plan")
    if not any(row.path in {spec.path for spec in plan.files} for row in answer.instructions) and not unknown:
        raise AnswerError("name a file of the plan beside the configuration, or change the configuration yourself")
