"""The experimenter: puts each claim with rules to the test once the repository is verified, and has it judged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TypeVar

from agentsys.code.claim_programs import (
    TRIES,
    Draft,
    ask_programs,
    give_up_without_data,
    trial_of,
    try_programs,
    with_programs,
)
from agentsys.code.claim_review import ClaimReview, review_programs
from agentsys.code.claim_settling import Tested, known_reviews, settle
from agentsys.core.artifacts import Plan
from agentsys.core.errors import BlockedError, PrerequisiteError, SandboxUnavailable, UsageError
from agentsys.core.events import Step
from agentsys.core.tree import read_tree
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.freezing import FOLDER
from agentsys.plan.context import Agent
from agentsys.plan.requirements import FILES
from agentsys.plan.workspace import CONTRACTS
from agentsys.verify.checks.base import Bench, Infrastructure, Job
from agentsys.verify.checks.install import lock_of
from agentsys.verify.checks.table import run_checks
from agentsys.verify.claims.celllog import CellLog
from agentsys.verify.claims.cells import climb
from agentsys.verify.claims.checking import small_cells, unpaired
from agentsys.verify.claims.data import data_here, shown_to_cells
from agentsys.verify.claims.gathering import rows_so_far
from agentsys.verify.claims.running import NO_ROWS, USED_UP, Cells, benches_for
from agentsys.verify.run import retrying
from agentsys_sandbox.base import SandboxError

T = TypeVar("T")
CHECK_TRIES = 2
"""Versions of a checker that are asked for: one, and a repair of what does not run or of its names, never of values."""
RETURNS = 2
"""Times that what a reviewer finds in a program goes back to the coder."""


class Experimenter(Agent):
    """Changes nothing of what was verified: a claim that cannot be tested is inconclusive, with the reason."""

    name = "experimenter"
    description = "has each claim measured by a program of its own, and judged by the rules that were frozen"
    steps: tuple[Step, ...] = ("experiments",)

    async def act(self, step: Step) -> str:
        context, ws = self._context, self._context.ws
        contracts = self._contracts()
        plan = ws.require_plan()
        log = CellLog(ws.run.claims)
        try:
            drafts, reasons = self._drafts(contracts)
            ready = await self._programs(plan, drafts, log, self._kept())
            reviews = await self._reviewed(plan, ready, log)
            checks = await self._checks(plan, ready, log)
            trials = [trial_of(context, draft) for draft in ready]
            if trials:
                cells = sum(len(level) for trial in trials for level in trial.climb.levels)
                await self._open(plan, ready, lambda benches: self._cells(benches, log).climb(trials), cells)
        except (Infrastructure, SandboxError) as error:
            hint = getattr(error, "hint", "") or "see `agentsys doctor`, then go on with `agentsys resume`"
            raise SandboxUnavailable(f"the sandbox failed: {error}", hint) from error
        reasons |= {row.contract.claim: row.given_up or "; ".join(row.faults) for row in drafts if row not in ready}
        programs = {draft.path: draft.text for draft in (*ready, *checks)}
        tested = Tested(trials, [trial_of(context, draft) for draft in checks], reviews, reasons, programs)
        return settle(ws, context.git, contracts, tested, log)

    def _contracts(self) -> Contracts:
        """The contracts as git has them. Raises: UsageError where the run has others."""
        name = f"{FOLDER}/{CONTRACTS}"
        frozen = Contracts.model_validate_json(self._context.git.files()[name])
        if Contracts.model_validate_json((self._context.ws.run.claims / CONTRACTS).read_bytes()) != frozen:
            words = f"`{name}` of the run is not what was committed before the code"
            raise UsageError(words, "take the repository's file; `agentsys claims rerun` amends a contract")
        return frozen

    def _drafts(self, contracts: Contracts) -> tuple[list[Draft], dict[str, str]]:
        drafts: list[Draft] = []
        reasons: dict[str, str] = {}
        for claim in contracts.claims:
            contract = contracts.current(claim)
            if contract.accept is None:
                reasons[claim] = "; ".join(row.what for row in contract.missing) or "it has no rule"
                continue
            try:
                drafts.append(Draft(contract, climb(contract)))
            except ValueError as error:
                reasons[claim] = str(error)
        return drafts, reasons

    async def _programs(self, plan: Plan, drafts: list[Draft], log: CellLog, kept: Mapping[str, str]) -> list[Draft]:
        """Return the claims whose program is allowed, typed and wrote what was asked on the smallest cells.

        Args:
            kept: path -> program that is there already, and is not asked for.
        """
        open_, ready = drafts, list[Draft]()
        for _ in range(TRIES):
            await ask_programs(self._context, plan, open_, kept)
            kept = {}
            open_ = [draft for draft in open_ if not draft.given_up]
            allowed = [draft for draft in open_ if not draft.faults]

            async def check(benches: Sequence[Bench], drafts: list[Draft] = allowed) -> None:
                await try_programs(self._context, benches[0], self._cells(benches, log), drafts)

            if allowed:
                await self._open(plan, allowed, check)
            ready += [draft for draft in open_ if not draft.faults]
            await asyncio.to_thread(give_up_without_data, self._context, plan, open_)
            open_ = [draft for draft in open_ if draft.faults and not draft.given_up]
            if not open_:
                break
        return ready

    async def _reviewed(self, plan: Plan, ready: list[Draft], log: CellLog) -> dict[str, ClaimReview]:
        """Have each program compared with contract and paper; what differs goes back to the coder."""
        known, found, open_ = self._known_reviews(), dict[str, ClaimReview](), ready
        for number in range(1, RETURNS + 2):
            stamps = {draft.contract.claim: trial_of(self._context, draft).stamp for draft in open_}
            found |= {claim: known[stamp] for claim, stamp in stamps.items() if stamp in known}
            asked = [draft for draft in open_ if stamps[draft.contract.claim] not in known]
            found |= await review_programs(self._context, asked, number)
            open_ = [draft for draft in open_ if found[draft.contract.claim].findings]
            if open_ and number <= RETURNS:
                open_ = await self._repaired(plan, open_, found, log)
            if not open_:
                break
        return found

    async def _repaired(
        self, plan: Plan, drafts: list[Draft], reviews: Mapping[str, ClaimReview], log: CellLog
    ) -> list[Draft]:
        """Return the programs that were written anew and run; the others stay as they were reviewed."""
        before = {draft.contract.claim: draft.text for draft in drafts}
        for draft in drafts:
            draft.faults = reviews[draft.contract.claim].findings
        good = await self._programs(plan, drafts, log, {})
        for draft in drafts:
            if draft not in good:
                draft.text, draft.faults, draft.given_up = before[draft.contract.claim], (), ""
        return good

    def _known_reviews(self) -> dict[str, ClaimReview]:
        """Reviews of an earlier go by what they are about: the same program of the same code is not read again."""
        return {review.stamp: review for review in known_reviews(self._context.ws.run.claims)}

    async def _checks(self, plan: Plan, ready: list[Draft], log: CellLog) -> list[Draft]:
        """Return the independent checkers that ran, without the repository, on the smallest scales of their claims."""
        open_, done = [Draft(draft.contract, draft.climb, checks=True) for draft in ready], list[Draft]()
        kept, ran = self._kept(), dict[str, Draft]()
        for number in range(1, CHECK_TRIES + 1):
            await ask_programs(self._context, plan, open_, kept)
            kept = {}
            allowed = [draft for draft in open_ if not draft.faults and not draft.given_up]

            async def check(
                benches: Sequence[Bench], drafts: list[Draft] = allowed, again: bool = number < CHECK_TRIES
            ) -> None:
                for draft in drafts:
                    trial = trial_of(self._context, draft)
                    fault = await self._cells(benches, log).all(trial, small_cells(draft.climb))
                    if not fault:
                        ran[draft.contract.claim] = replace(draft)
                    fault = fault or (self._unpaired(draft, ready, log) if again else "")
                    draft.faults = (fault,) if fault else ()
                    # A checker that can compute nothing has said so.
                    draft.given_up = fault if fault.startswith(USED_UP) or fault.endswith(NO_ROWS) else ""

            if allowed:
                await self._open(plan, allowed, check)
            done += [draft for draft in allowed if not draft.faults]
            open_ = [draft for draft in open_ if draft.faults and not draft.given_up]
            if not open_:
                break
        last = {draft.contract.claim for draft in done}
        return [*done, *(draft for claim, draft in ran.items() if claim not in last)]

    def _unpaired(self, check: Draft, ready: Sequence[Draft], log: CellLog) -> str:
        """Say what a checker's rows and its program's are called, where no row of the one belongs to one of the other.

        The program has run its smallest cell only: what a checker is told are names, not values.
        """
        ours = next(draft for draft in ready if draft.contract.claim == check.contract.claim)
        trial = trial_of(self._context, ours)
        cells = [cell for cell in small_cells(check.climb) if log.done(cell, trial.stamp) is not None]
        mine, other = (rows_so_far(one, cells, log) for one in (trial, trial_of(self._context, check)))
        asked = {key for cell in cells for key, _ in cell.setting}
        return unpaired(mine, other, asked, deterministic=check.contract.deterministic)

    def _kept(self) -> dict[str, str]:
        """Programs that an earlier go has left in git: a contract that asks for more is served by the same one."""
        found = self._context.git.files().items()
        return {path: data.decode("utf-8", "replace") for path, data in found if path.startswith(f"{FOLDER}/")}

    def _cells(self, benches: Sequence[Bench], log: CellLog) -> Cells:
        settings = self._context.settings
        return Cells(benches, log, settings.claim_budget, settings.cpus)

    async def _open(
        self, plan: Plan, drafts: list[Draft], work: Callable[[Sequence[Bench]], Awaitable[T]], cells: int = 1
    ) -> T:
        """Work in new sandboxes with the repository, these programs and the locked environment in each.

        Args:
            cells: number of cells that there are to run.
        """
        job, settings = self._job(plan, drafts), self._context.settings
        number = benches_for(cells, settings.claim_jobs, settings.cpus, settings.memory_mb)

        async def ready(stack: AsyncExitStack, place: int, show: Callable[[Bench], None]) -> Bench:
            sandbox = await stack.enter_async_context(self._context.open_sandbox())
            bench = Bench(sandbox, job if not place else replace(job, out=job.out / f"bench-{place + 1}"))
            seen = await run_checks(bench, only=("install",))
            if not seen.passed("install"):
                raise Infrastructure("the environment that was verified could not be installed again")
            show(bench)
            return bench

        async def once() -> T:
            async with AsyncExitStack() as stack:
                show = await self._show(plan, stack)
                return await work([await ready(stack, place, show) for place in range(number)])

        return await retrying(job)(once)

    async def _show(self, plan: Plan, stack: AsyncExitStack) -> Callable[[Bench], None]:
        """Return what shows a bench the plan's data; cells are run without where it cannot be, and that is said."""
        context = self._context
        try:
            data = await asyncio.to_thread(data_here, context.ws.run, plan, context.settings)
            return await asyncio.to_thread(stack.enter_context, shown_to_cells(plan, data))
        except (PrerequisiteError, UsageError, BlockedError) as error:
            message = f"programs of claims do not see the data: {error.message}"
            context.events.emit("warning", stage="experiments", message=message)
            return lambda _: None

    def _job(self, plan: Plan, drafts: list[Draft]) -> Job:
        context = self._context
        files = read_tree(context.ws.run.repo)
        seen = {path: data for path, data in files.items() if path in FILES} if drafts[0].checks else files
        return Job(
            files=with_programs(seen, drafts),
            out=context.ws.run.claims / "checks",
            plan=plan,
            events=context.events,
            timeout=context.settings.round_timeout,
            constraints=context.constraints,
            lock=lock_of(files),
            stage="experiments",
        )
