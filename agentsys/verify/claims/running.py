"""Runs cells in open sandboxes, each in a fresh repository, and holds their rows to what was asked."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from agentsys.core.files import sha256_bytes, write_atomic
from agentsys.core.text import cut
from agentsys.plan.claims.contract import CASE, Contract
from agentsys.plan.claims.rule import Rule, methods_of, parts
from agentsys.verify.checks.base import Bench
from agentsys.verify.claims.celllog import CellLog, Done
from agentsys.verify.claims.cells import Cell, Climb
from agentsys.verify.claims.standalone.rows import Rows, RowsError, read_rows
from agentsys_sandbox.base import REPO, WORK
from agentsys_sandbox.spec import ExecResult, Outcome

OUT = f"{WORK}/rows/cell.csv"
MAX_ROWS = 64 << 20
"""Bytes of one cell's rows."""
CELLS_EACH = 6
USED_UP = "the budget for claims is used up"
NO_ROWS = "it wrote no rows"
SHARE = "its share of the budget for claims was too small"
"""No fault of a cell: others were under way."""
_ENVIRONMENT = {"PYTHONPATH": f"{REPO}:{REPO}/src"}
_LEAST = 1.0
"""CPU seconds below which no cell is begun."""
_ROOM = 16
"""A cell is run beside others while its share is so many times what the longest one of its claim took so far."""


@dataclass
class Trial:
    """One claim on its way: contract, cells, and how far they are done."""

    contract: Contract
    climb: Climb
    stamp: str
    path: str = ""
    """Of the program that is run; empty for the claim's own."""
    complete: int = 0
    """Scales of which every cell has rows."""
    fault: str = ""
    """Why it went no further."""


class Cells:
    """Runs the cells of claims within a budget of CPU seconds, one at a time on each bench.

    One process holds the log, and each cell has a file of its own: nothing is written by two.

    Args:
        benches: open sandboxes with the same job; a cell is run on whichever is free.
        cpus: processors that each of them may use.
        where: the machine and job, for the log, where this is not beside the run.
    """

    def __init__(self, benches: Sequence[Bench], log: CellLog, budget: float, cpus: float, where: str = "") -> None:
        self._benches = benches
        self._log = log
        self._budget = budget
        self._cpus = max(cpus, 1.0)
        self._where = where
        self._promised = 0.0
        """CPU seconds that cells under way may still use."""
        self._running = 0

    async def climb(self, trials: Sequence[Trial]) -> None:
        """Run the cells of all claims, scale by scale, until all are done or the budget is used up.

        The next scale is that of the claim that used least so far: one whose cells take long does not leave the others
        without any. What it leaves is used by it in the end.

        Raises: Infrastructure and errors of the sandbox; finished cells are kept.
        """
        while going := [one for one in trials if one.complete < len(one.climb.levels) and not one.fault]:
            chosen = self._next(going)
            work = [(trial, cell) for trial in chosen for cell in trial.climb.levels[trial.complete]]
            faults = await self._spread(work)
            for trial in chosen:
                trial.fault = faults.get(id(trial), "")
                trial.complete += not trial.fault

    def _next(self, going: Sequence[Trial]) -> list[Trial]:
        """Return the claim that used least, and the next ones as long as benches would have nothing to do."""
        order = sorted(going, key=lambda one: self._log.used.get(one.contract.claim, 0.0))
        chosen, cells = list[Trial](), 0
        for trial in order:
            if cells >= CELLS_EACH * len(self._benches):
                break
            chosen.append(trial)
            cells += len(trial.climb.levels[trial.complete])
        return chosen

    async def smoke(self, trial: Trial) -> str:
        """Run the smallest cell of each case; return what is wrong with it, or nothing."""
        first: dict[str, Cell] = {}
        for cell in trial.climb.levels[0]:
            first.setdefault(cell.case, cell)
        for cell in first.values():
            if fault := await self._run(self._benches[0], trial, cell) or self._absent(trial, cell):
                return fault
        return ""

    async def all(self, trial: Trial, cells: Sequence[Cell]) -> str:
        """Run these cells; return what is wrong with the first that fails, or nothing."""
        return (await self._spread([(trial, cell) for cell in cells])).get(id(trial), "")

    async def _spread(self, work: Sequence[tuple[Trial, Cell]]) -> dict[int, str]:
        """Begin cells in their order, on whichever bench is free; a claim that failed begins no more.

        A cell for which its share of the budget was too small is run again alone, after the others.

        Returns: the fault of each trial, by its `id`: of its first cell that fails, whichever ended first.
        """
        waiting, short = deque(enumerate(work)), list[tuple[int, tuple[Trial, Cell]]]()
        found: dict[int, tuple[int, str]] = {}

        async def serve(bench: Bench) -> None:
            while waiting:
                number, (trial, cell) = waiting.popleft()
                if id(trial) in found:
                    continue
                fault = await self._run(bench, trial, cell, 1 + len(waiting))
                if fault == SHARE:
                    short.append((number, (trial, cell)))
                elif fault:
                    words = fault if fault.startswith(USED_UP) else f"{_words(cell)}: {fault}"
                    found[id(trial)] = min((number, words), found.get(id(trial), (number, words)))

        tasks = [asyncio.create_task(serve(bench)) for bench in self._benches]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for again in sorted(short, key=itemgetter(0)):
            waiting.append(again)
            await serve(self._benches[0])
        return {key: words for key, (_, words) in found.items()}

    async def _run(self, bench: Bench, trial: Trial, cell: Cell, cells: int = 1) -> str:
        """Run a cell unless it is done; return what is wrong with it, or nothing.

        Args:
            cells: number of cells, this one among them, that could share what is left of the budget.
        """
        known = self._log.done(cell, trial.stamp)
        if known is not None and known.outcome != Outcome.TIMEOUT and known.stands(bench.data):
            return known.fault
        # What is left is shared by the benches that are free: cells under way cannot use it up together.
        sharing = min(len(self._benches) - self._running, cells)
        beside = self._running > 0 or sharing > 1
        used_up = SHARE if beside else f"{USED_UP} ({self._budget:g} CPU seconds)"
        left = (self._budget - self._log.spent - self._promised) / sharing
        if left < max(_LEAST, beside * _ROOM * self._log.longest.get(cell.claim, 0.0)):
            return used_up
        limit = min(bench.job.timeout, left / self._cpus)
        promised = limit * self._cpus
        self._promised, self._running = self._promised + promised, self._running + 1
        try:
            done = await self._measured(bench, trial, cell, limit)
        finally:
            self._promised, self._running = self._promised - promised, self._running - 1
        if done.outcome == Outcome.TIMEOUT and limit < bench.job.timeout and done.cpu_seconds >= promised:
            done = done.model_copy(update={"fault": used_up})
        self._log.append(done)
        return done.fault

    async def _measured(self, bench: Bench, trial: Trial, cell: Cell, limit: float) -> Done:
        await bench.place_repo()
        await bench.sandbox.write_files({".keep": b""}, root=f"{WORK}/rows")
        argv = cell.argv(OUT, trial.path)
        result = await bench.run(f"claim {cell.claim}", argv, env=_ENVIRONMENT, timeout=limit)
        raw = await bench.sandbox.read_file(OUT, max_bytes=MAX_ROWS + 1) if result.ok else None
        fault = _ended(result) or _unreadable(raw, self._log.rows(cell, trial.stamp), cell)
        return Done(
            claim=cell.claim,
            case=cell.case,
            seed=cell.seed,
            setting=dict(cell.setting),
            stamp=trial.stamp,
            command=argv,
            outcome=result.outcome.value,
            exit_code=result.exit_code,
            seconds=round(result.seconds, 3),
            cpu_seconds=round(result.seconds if result.cpu_seconds is None else result.cpu_seconds, 3),
            sha256=sha256_bytes(raw) if raw is not None and not fault else "",
            fault=fault,
            where=self._where,
            data=bench.data,
        )

    def _absent(self, trial: Trial, cell: Cell) -> str:
        """Methods and quantities that the rule of this case looks at and the rows do not have."""
        contract = trial.contract
        degenerate = contract.degenerate.rule if contract.degenerate is not None else None
        rule = degenerate if cell.case == "degenerate" else contract.accept
        rows = read_rows([self._log.rows(cell, trial.stamp)])
        absent = [
            f"`{quantity}` of `{method}`" for method, quantity in _wanted(rule) if not _has(rows, method, quantity)
        ]
        return f"{_words(cell)} wrote no rows of {', '.join(absent)}" if absent else ""


def benches_for(cells: int, asked: int, cpus: float, memory_mb: int) -> int:
    """Return how many sandboxes run cells at the same time.

    Args:
        cells: number of cells; a sandbox for fewer than CELLS_EACH of them is not worth its start.
        asked: a number to keep to; 0 takes as many as the processors and the memory of this machine have room for.
        cpus: processors that one sandbox may use.
        memory_mb: memory that one sandbox may use.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    room = min(int((os.cpu_count() or 1) // cpus), memory // memory_mb)
    return max(1, min(asked or room, -(-cells // CELLS_EACH)))


def stamp_of(tree: str, text: str) -> str:
    """Return the hash under which cells of a program of this code are kept."""
    return sha256_bytes(f"{tree}\0{text}")


def count_scales(trial: Trial, log: CellLog, missing: str) -> None:
    """Set how many scales of a claim are whole, and why it goes no further, from what stands in the log.

    Args:
        missing: said where a cell was not run.
    """
    for level in trial.climb.levels:
        for cell in level:
            known = log.done(cell, trial.stamp)
            if known is None or known.fault:
                trial.fault = f"{_words(cell)}: {known.fault}" if known is not None else missing
                return
        trial.complete += 1


def _wanted(rule: Rule | None) -> list[tuple[str, str]]:
    found = [(method, part.quantity) for part in parts(rule) for method in methods_of(part)] if rule else []
    return list(dict.fromkeys(found))


def _has(rows: Rows, method: str, quantity: str) -> bool:
    if method not in rows.methods or quantity not in rows.quantities:
        return False
    both = (rows.method == rows.methods.index(method)) & (rows.quantity == rows.quantities.index(quantity))
    return bool(both.any())


def _words(cell: Cell) -> str:
    return f"`{' '.join(cell.argv('FILE')[2:])}`"


def _ended(result: ExecResult) -> str:
    """Say how a program failed, the same for the same failure: no times."""
    if result.ok:
        return ""
    if result.outcome is Outcome.NONZERO:
        return f"exit code {result.exit_code}: {cut(result.text().strip()[-1500:], 1500)}"
    return f"it ended as `{result.outcome.value}`"


def _unreadable(raw: bytes | None, file: Path, cell: Cell) -> str:
    """Keep the rows in `file`; say what is wrong with them."""
    if raw is None:
        return "it ended without writing the file of `--out`"
    if len(raw) > MAX_ROWS:
        return f"it wrote more than {MAX_ROWS >> 20} MiB of rows"
    write_atomic(file, raw, durable=False)  # a cell whose rows a loss of power took is run again
    try:
        rows = read_rows([file])
    except RowsError as error:
        return str(error).replace(file.name, "the file of `--out`")
    return _strange(rows, cell)


def _strange(rows: Rows, cell: Cell) -> str:
    if not len(rows.value):
        return NO_ROWS
    if rows.claims != (cell.claim,):
        return f"its rows are of {', '.join(rows.claims)}, not of {cell.claim}"
    if bool((rows.seed != cell.seed).any()):
        return f"its rows have another seed than {cell.seed}"
    asked: Mapping[str, str] = dict(cell.setting)
    case = "" if cell.case == "main" else cell.case
    for setting in rows.settings:
        if setting.get(CASE, "") != case:
            return (
                f"rows of the case {cell.case} have `{CASE}={case}` in their setting" if case else "`main` has no case"
            )
        if wrong := [key for key, value in asked.items() if setting.get(key) != value]:
            return f"its rows do not have `{wrong[0]}={asked[wrong[0]]}` in their setting, word for word"
    return ""
