"""The programs of claims: asked of the coder, audited, type-checked and tried on the smallest cells."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentsys.audit.record import record_decision
from agentsys.audit.reported import reported_numbers
from agentsys.core.artifacts import DataSource, PaperPlace, Plan
from agentsys.core.errors import BlockedError, EditError, LimitReached, NoUsableAnswer, PrerequisiteError, UsageError
from agentsys.core.files import write_atomic
from agentsys.core.prompts import render
from agentsys.debug.textcheck import check_text
from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_file
from agentsys.llm.types import Part, Prompt
from agentsys.paper.query import letters
from agentsys.paper.render import to_markdown
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.rule import Exact, NoCounterexample, Rule, Witness, methods_of, parts
from agentsys.plan.context import Context, fan_out
from agentsys.plan.data import here_lines
from agentsys.plan.generated import yaml_text
from agentsys.plan.interfaces import interface_digest
from agentsys.verify.checks.base import Bench
from agentsys.verify.checks.pyright import check_types
from agentsys.verify.claims.cells import Climb, checker, program
from agentsys.verify.claims.data import data_absent, rested_on
from agentsys.verify.claims.running import USED_UP, Cells, Trial, stamp_of

TRIES = 3
"""Versions of a program that are asked for: one, and two repairs."""
SHORT_PAPER = 8000
"""Characters up to which a paper is shown as a whole to who writes a claim's program on top of the repository."""
WHOLE_PAPER = 24_000
"""The same, to who checks that program and has nothing but the paper to hold it against."""
_REPORTED = 8
"""Faults of one version that are told."""


@dataclass
class Draft:
    """The program of one claim on its way."""

    contract: Contract
    climb: Climb
    checks: bool = False
    """It is the independent checker: written from contract and paper alone, and run without the repository."""
    text: str = ""
    faults: tuple[str, ...] = ()
    given_up: str = ""
    """Why there is no program."""
    asked: int = 0

    @property
    def path(self) -> str:
        return (checker if self.checks else program)(self.contract.claim)


async def ask_programs(context: Context, plan: Plan, drafts: list[Draft], kept: Mapping[str, str]) -> None:
    """Ask for a version of each program that has faults or is not there yet, and let the policy look at it.

    Args:
        kept: path -> program that is there already, and is not asked for.
    """
    absent = await asyncio.to_thread(_absent, context, plan, drafts)
    prompts = {draft.contract.claim: _prompt(context, plan, draft, absent) for draft in drafts}

    async def ask(draft: Draft) -> None:
        if draft.path in kept:
            draft.text, draft.faults = kept[draft.path], ()
            return
        await _ask(context, draft, prompts[draft.contract.claim])

    await fan_out(drafts, ask)
    for draft in drafts:
        if not draft.given_up:
            _audit(context, plan, draft)


async def _ask(context: Context, draft: Draft, prompt: Prompt) -> None:
    path, role = draft.path, "checker" if draft.checks else "coder"
    draft.asked += 1

    def parse(answer: str) -> str:
        text = extract_file(answer, path)
        try:
            check_text(path, text)
        except EditError as error:
            raise AnswerError(error.feedback) from error
        return text

    item = path if draft.asked == 1 else f"{path}-{draft.asked}"
    try:
        draft.text, draft.faults = await context.model.ask(role, item, prompt, parse), ()
    except (NoUsableAnswer, LimitReached) as error:
        draft.given_up = error.message
    except PrerequisiteError:
        if context.settings.replay is None:
            raise
        draft.given_up = "the recording holds no answer for its program"
    if draft.given_up:
        what = "has no independent checker" if draft.checks else "is not put to the test"
        message = f"claim {draft.contract.claim} {what}: {draft.given_up}"
        context.events.emit("warning", stage="experiments", message=message)


def _audit(context: Context, plan: Plan, draft: Draft) -> None:
    """Note what the policy finds; what it does not allow is never run."""
    folder = context.ws.run.claims / "programs"
    write_atomic(folder / draft.path, draft.text)
    code = context.policy.audit_code(folder, [draft.path], reported=reported_numbers(plan))
    command = context.policy.check_command(draft.climb.levels[0][0].argv("FILE.csv", draft.path))
    for decision in (code, command):
        record_decision(context, decision, "audit")
        if not decision.allows:
            found = tuple(f"the policy refuses it: {row.message} ({row.evidence.quote})" for row in decision.findings)
            draft.faults += found or (f"the policy could not decide on it ({decision.status})",)


async def try_programs(context: Context, bench: Bench, cells: Cells, drafts: list[Draft]) -> None:
    """Type-check the programs and run the smallest cell of each case; note the faults.

    Args:
        bench: an open sandbox with the repository and these programs in it, the environment installed.

    Raises: Infrastructure and errors of the sandbox.
    """
    found = await check_types(bench)
    for draft in drafts:
        rows = [row for row in found.diagnostics if row.path == draft.path]
        draft.faults = tuple(f"line {row.line}: {row.message}" for row in rows[:_REPORTED])
        if not draft.faults and (fault := await cells.smoke(trial_of(context, draft))):
            draft.faults = (fault,)
            draft.given_up = fault if fault.startswith(USED_UP) else ""


def give_up_without_data(context: Context, plan: Plan, drafts: Sequence[Draft]) -> None:
    """Give up the programs that failed for want of data which is not here: another would not find it. Blocks."""
    absent = _absent(context, plan, drafts)
    for draft in drafts:
        names = [letters(name) for name in rested_on(draft.contract, absent)]
        missed = [fault for fault in draft.faults if FileNotFoundError.__name__ in fault]
        if found := [fault for fault in missed if any(name in letters(fault) for name in names)]:
            draft.given_up = found[0]


def _absent(context: Context, plan: Plan, drafts: Sequence[Draft]) -> list[DataSource]:
    """Return the data that programs will not find; nothing where that cannot be told, or none rests on any. Blocks."""
    if not any(draft.contract.datasets for draft in drafts):
        return []
    try:
        return data_absent(context.ws.run, plan, context.settings)
    except (BlockedError, UsageError):
        return []


def trial_of(context: Context, draft: Draft) -> Trial:
    """Return the claim as its cells are run: under the hash of this code and this program."""
    tree = "" if draft.checks else context.ws.code_tree()
    return Trial(draft.contract, draft.climb, stamp_of(tree, draft.text), draft.path)


def with_programs(bench_files: Mapping[str, bytes], drafts: list[Draft]) -> dict[str, bytes]:
    """Return the repository's files with the programs of claims that the policy allows."""
    return {**bench_files, **{row.path: row.text.encode() for row in drafts if row.text}}


def _prompt(context: Context, plan: Plan, draft: Draft, absent: Sequence[DataSource]) -> Prompt:
    """Return a prompt without the plan: a program needs the interfaces; what checks may not know what it checks.

    What all claims have in common comes first, so that a provider may reuse it.
    """
    rules, values = rules_of(context), _call(context, plan, draft, absent) | {"dependencies": ", ".join(_names(plan))}
    if draft.checks:
        task = Part("task", render("code/claim_check", **values))
        return Prompt(prefix=(rules, judged_paper(context, [draft.contract])), body=(task,))
    sources = [spec.path for spec in plan.files if spec.kind == "source"]
    interfaces, configuration = interface_digest(context.ws.run.repo, sources), yaml_text(plan.config_full)
    known = Part("repository", render("code/claim_repository", interfaces=interfaces, configuration=configuration))
    sections = _sections(context, [draft.contract], SHORT_PAPER)
    task = Part("task", render("code/claim", sections=context.quote(sections), **values))
    return Prompt(prefix=(rules, known), body=(task,))


def rules_of(context: Context) -> Part:
    """Return what the prompts on programs begin with: the sandbox, and how material is quoted."""
    settings = context.settings
    place = {"python": context.python, "cpus": f"{settings.cpus:g}", "memory_mb": settings.memory_mb}
    return Part("rules", render("code/claim_rules", fence=context.fence, **place))


def judged_paper(context: Context, contracts: Sequence[Contract]) -> Part:
    """Return the paper for who judges programs of claims: as a whole, or the sections that ledger and claims name."""
    ledger = [row.place for row in context.ws.require_plan().requirements]
    text = _sections(context, contracts, WHOLE_PAPER, ledger)
    return Part("paper", render("plan/paper", text=context.quote(text), outline="", fence=context.fence))


def _sections(context: Context, contracts: Sequence[Contract], most: int, more: Sequence[PaperPlace] = ()) -> str:
    paper = context.ws.paper
    whole = to_markdown(
        paper, {row.id for row in paper.sections if row.kind != "references"} or None, left_out=False, notes=True
    )
    if len(whole) <= most:
        return whole
    targets = [row.target.where for row in contracts if row.target is not None]
    return context.sections(place.section for place in (*(row.place for row in contracts), *targets, *more))


def _names(plan: Plan) -> list[str]:
    return [row.name for row in plan.dependencies]


def _call(context: Context, plan: Plan, draft: Draft, absent: Sequence[DataSource]) -> dict[str, object]:
    contract = draft.contract
    first = {cell.case: cell for cell in reversed(draft.climb.levels[-1])}
    control, degenerate = contract.control, contract.degenerate
    return {
        "fence": context.fence,
        "path": draft.path,
        "claim": contract.claim,
        "text": context.quote(contract.text),
        "domain": context.quote(contract.domain),
        "agreed": context.quote("\n".join(f"- {row}" for row in (*contract.silent, *contract.choices))),
        "commands": [" ".join(first[case].argv("FILE.csv", draft.path)) for case in sorted(first, reverse=True)],
        "control": context.quote(control.what) if control is not None and not draft.checks else "",
        "degenerate": context.quote(degenerate.what) if degenerate is not None and not draft.checks else "",
        "wanted": _wanted(contract),
        "data": [context.quote(line) for line in here_lines(plan, context.ws.run.path)],
        "absent": [context.quote(name) for name in rested_on(contract, absent)],
        "faults": context.quote("\n".join(draft.faults)),
        "current": context.quote(draft.text),
    }


def _wanted(contract: Contract) -> list[str]:
    """Say which rows the rules look at, but not which values they hope for."""
    rows: list[str] = []
    for name, rule in (("main, control", contract.accept), ("main", contract.falsify)):
        rows += [f"{name}: {words}" for words in looked_at(rule)]
    if contract.degenerate is not None:
        rows += [f"degenerate: {words}" for words in looked_at(contract.degenerate.rule)]
    searches = [one for rule in (contract.accept, contract.falsify) if rule is not None for one in parts(rule)]
    if contract.horizon is not None and any(isinstance(one, NoCounterexample | Witness) for one in searches):
        rows.append(f"of a search: in each call every instance up to the `{contract.horizon.axis}` that is given")
    rows += [
        f"main: quantity `{row.quantity}` of method `{row.method}` in unit `{row.unit}`" for row in contract.baselines
    ]
    if contract.padded:
        rows.append("all: quantities `counted` and `padding` of every method: positions in the metric, and padded ones")
    return list(dict.fromkeys(rows))


def looked_at(rule: Rule | None) -> list[str]:
    """Say which rows a rule looks at."""
    found: list[str] = []
    for part in parts(rule) if rule is not None else ():
        where = "".join(f", {key}={value}" for key, value in part.where.items())
        exact = " (exact: integers or fractions)" if isinstance(part, Exact) else ""
        if isinstance(part, NoCounterexample | Witness):
            exact = f", of at least {part.tried} instances in all, each a row with a key of its own"
        found += [
            f"quantity `{part.quantity}` of method `{method}` in unit `{part.unit}`{where}{exact}"
            for method in methods_of(part)
        ]
        if isinstance(part, Witness):
            found.append(f"quantity `{part.quantity}` of method `{part.confirmed_by}`: the same instance, exact")
    return found
