"""The experimenter: puts each claim with rules to the test once the repository is verified, and has it judged."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from agentsys.code.claim_programs import TRIES, Draft, ask_programs, trial_of, try_programs, with_programs
from agentsys.code.claim_review import FILE as REVIEWS
from agentsys.code.claim_review import ClaimReview, review_programs
from agentsys.core.artifacts import Plan
from agentsys.core.errors import SandboxUnavailable, UsageError
from agentsys.core.events import Step
from agentsys.core.files import write_atomic, write_json
from agentsys.core.tree import read_tree
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.claim import Claims
from agentsys.plan.claims.conflicts import against
from agentsys.plan.claims.freezing import FOLDER
from agentsys.plan.context import Agent
from agentsys.plan.requirements import FILES
from agentsys.plan.workspace import CONTRACTS, experiment_inputs
from agentsys.verify.checks.base import Bench, Infrastructure, Job
from agentsys.verify.checks.install import lock_of
from agentsys.verify.checks.table import run_checks
from agentsys.verify.claims.celllog import FILE, CellLog
from agentsys.verify.claims.cells import climb
from agentsys.verify.claims.checking import Agreement, compared, small_cells
from agentsys.verify.claims.gathering import judged_rows, rows_so_far
from agentsys.verify.claims.record import Findings, write_record
from agentsys.verify.claims.running import USED_UP, Cells, Trial, benches_for
from agentsys.verify.run import retrying
from agentsys_sandbox.base import SandboxError

T = TypeVar("T")
CHECK_TRIES = 2
"""Versions of a checker that are asked for: one, and a repair of what does not run; never of what it says."""
RETURNS = 2
"""Times that what a reviewer finds in a program goes back to the coder."""
ENTRIES = "entries.json"
"""Which claims have a program, and why the others have none or got no further."""


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
        files = judged_rows(trials, log, ws.run.claims / "judged")
        reasons |= {row.contract.claim: row.given_up or "; ".join(row.faults) for row in drafts if row not in ready}
        reasons |= {trial.contract.claim: trial.fault for trial in trials}
        agreed = {check.contract.claim: self._agreement(check, trials, log) for check in checks}
        said = [*((claim, one.words) for claim, one in agreed.items())]
        said += [(claim, words) for claim, review in reviews.items() for words in review.findings]
        for claim, words in said:
            reasons[claim] = "; ".join(filter(None, (reasons.get(claim), words)))
        findings = _findings(ws.run.claims, agreed, reviews)
        for folder in (ws.run.claims, ws.run.repo / FOLDER):
            write_json(folder / REVIEWS, {claim: review.model_dump(mode="json") for claim, review in reviews.items()})
        return self._judge(contracts, [*ready, *checks], files, findings, reasons)

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
        file = self._context.ws.run.claims / REVIEWS
        rows = json.loads(file.read_bytes()).values() if file.is_file() else ()
        reviews = [ClaimReview.model_validate(row) for row in rows]
        return {review.stamp: review for review in reviews if review.items}

    async def _checks(self, plan: Plan, ready: list[Draft], log: CellLog) -> list[Draft]:
        """Return the independent checkers that ran, without the repository, on the smallest scales of their claims."""
        open_, done = [Draft(draft.contract, draft.climb, checks=True) for draft in ready], list[Draft]()
        kept = self._kept()
        for _ in range(CHECK_TRIES):
            await ask_programs(self._context, plan, open_, kept)
            kept = {}
            allowed = [draft for draft in open_ if not draft.faults and not draft.given_up]

            async def check(benches: Sequence[Bench], drafts: list[Draft] = allowed) -> None:
                for draft in drafts:
                    trial = trial_of(self._context, draft)
                    fault = await self._cells(benches, log).all(trial, small_cells(draft.climb))
                    draft.faults = (fault,) if fault else ()
                    draft.given_up = fault if fault.startswith(USED_UP) else ""

            if allowed:
                await self._open(plan, allowed, check)
            done += [draft for draft in allowed if not draft.faults]
            open_ = [draft for draft in open_ if draft.faults and not draft.given_up]
            if not open_:
                break
        return done

    def _kept(self) -> dict[str, str]:
        """Programs that an earlier go has left in git: a contract that asks for more is served by the same one."""
        found = self._context.git.files().items()
        return {path: data.decode("utf-8", "replace") for path, data in found if path.startswith(f"{FOLDER}/")}

    def _agreement(self, check: Draft, trials: list[Trial], log: CellLog) -> Agreement:
        ours = next(trial for trial in trials if trial.contract.claim == check.contract.claim)
        cells, theirs = small_cells(check.climb), trial_of(self._context, check)
        both = rows_so_far(ours, cells, log), rows_so_far(theirs, cells, log)
        return compared(*both, deterministic=check.contract.deterministic)

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

        async def ready(stack: AsyncExitStack, place: int) -> Bench:
            sandbox = await stack.enter_async_context(self._context.open_sandbox())
            bench = Bench(sandbox, job if not place else replace(job, out=job.out / f"bench-{place + 1}"))
            seen = await run_checks(bench, only=("install",))
            if not seen.passed("install"):
                raise Infrastructure("the environment that was verified could not be installed again")
            return bench

        async def once() -> T:
            async with AsyncExitStack() as stack:
                return await work([await ready(stack, place) for place in range(number)])

        return await retrying(job)(once)

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

    # -- verdicts ------------------------------------------------------------------------------------------------------

    def _judge(
        self,
        contracts: Contracts,
        drafts: list[Draft],
        files: list[Path],
        findings: dict[str, Findings],
        reasons: dict[str, str],
    ) -> str:
        """Judge every claim, and put the record into the run and, with the programs, into the repository."""
        ws = self._context.ws
        folder = ws.run.repo / FOLDER
        for target in (ws.run.claims, folder):
            judged = write_record(target, contracts, files, findings)
            write_json(target / ENTRIES, {claim: reason for claim, reason in sorted(reasons.items()) if reason})
        for draft in drafts:
            write_atomic(ws.run.repo / draft.path, draft.text)
        if (ws.run.claims / FILE).is_file():
            shutil.copyfile(ws.run.claims / FILE, folder / FILE)
        self._context.git.commit_files(_files(ws.run.repo), "Verdicts on the claims, with their raw rows")
        ws.mark({"experiments": experiment_inputs(ws.run)})
        counts = Counter(row.decision.verdict for row in judged)
        return "claims: " + ", ".join(f"{number} {verdict}" for verdict, number in sorted(counts.items()))


def _findings(folder: Path, agreed: Mapping[str, Agreement], reviews: Mapping[str, ClaimReview]) -> dict[str, Findings]:
    claims = Claims.model_validate_json((folder / "claims.json").read_bytes()).claims
    return {
        claim.id: Findings(
            contradicted=bool(claim.contradictions),
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
