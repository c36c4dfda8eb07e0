"""Cells on two scripted sandboxes at once: the rows, the budget and the log are those of one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.events import EventLog
from agentsys.verify.checks.base import Bench, Job
from agentsys.verify.claims.celllog import CellLog
from agentsys.verify.claims.gathering import judged_rows
from agentsys.verify.claims.running import OUT, SHARE, USED_UP, Cells, Trial, benches_for
from agentsys_sandbox.fake import FakeSandbox, Script, failed, passed
from agentsys_sandbox.spec import ExecResult, Outcome
from unit.verify.claims.test_running import SECONDS, WHOLE, Killed, Machine, lines, trial
from unit.verify.tiny import PLAN


class Held(FakeSandbox):
    """Runs nothing before its gate is open."""

    gate: asyncio.Event

    async def exec(self, argv: Sequence[str], **more: Any) -> ExecResult:
        await self.gate.wait()
        return await super().exec(argv, **more)


class Greedy(FakeSandbox):
    """Uses up whatever a cell may use."""

    async def exec(self, argv: Sequence[str], *, budget: float | None = None, **more: Any) -> ExecResult:
        await asyncio.sleep(0)
        await super().exec(argv, **more)
        return passed(seconds=budget or 0.0)


async def at_once(folder: Path, sandboxes: Sequence[FakeSandbox], wanted: Trial, budget: float = 1000.0) -> CellLog:
    log = CellLog(folder)
    job = Job(files={}, out=folder / "out", plan=PLAN, events=EventLog(None, "r"), timeout=60.0)
    async with AsyncExitStack() as stack:
        benches = [Bench(await stack.enter_async_context(sandbox), job) for sandbox in sandboxes]
        await Cells(benches, log, budget, 1.0).climb([wanted])
    return log


async def test_rows_stand_in_the_order_of_the_cells_whichever_ended_first(tmp_path: Path) -> None:
    machine, gate = Machine(tmp_path), asyncio.Event()

    def answer(call: Any, files: Any) -> ExecResult:
        if len(machine.ran) >= 4:
            gate.set()
        return machine.answer(call, files)

    late = Held(Script(default=answer))
    late.gate = gate
    log = await at_once(tmp_path, [late, FakeSandbox(Script(default=answer))], one := trial())
    alone = await Machine(tmp_path / "alone").climb(other := trial())
    assert [row.command for row in lines(tmp_path)] != [row.command for row in lines(tmp_path / "alone")]
    assert len({row.command for row in lines(tmp_path)}) == len(lines(tmp_path)) == WHOLE
    (file,), (expected,) = judged_rows([one], log, tmp_path / "j"), judged_rows([other], alone, tmp_path / "k")
    assert file.read_bytes() == expected.read_bytes()


async def test_cells_at_the_same_time_cannot_use_more_than_the_budget(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    pair = [Greedy(Script(default=machine.answer)) for _ in range(2)]
    log = await at_once(tmp_path, pair, trial(), budget=50.0)
    assert log.spent == 50.0 and len(machine.ran) == 2


class Growing(FakeSandbox):
    """The first cell of the largest scale needs NEEDED seconds; the others need next to none."""

    async def exec(self, argv: Sequence[str], *, budget: float | None = None, **more: Any) -> ExecResult:
        await asyncio.sleep(0)
        large = argv[2:] == ("--case", "main", "--seed", "0", "--setting", "n=16", "--out", OUT)
        if large and (budget or 0.0) < NEEDED:
            return failed(outcome=Outcome.TIMEOUT, seconds=budget or 0.0)
        await super().exec(argv, **more)
        return passed(seconds=NEEDED if large else 0.25)


NEEDED = 25.0


@pytest.mark.parametrize(("budget", "complete"), [(57.0, 3), (24.0, 2)])
async def test_a_cell_that_was_ended_by_its_share_of_the_budget_is_run_again_alone(
    tmp_path: Path, budget: float, complete: int
) -> None:
    machine = Machine(tmp_path)
    three = [Growing(Script(default=machine.answer)) for _ in range(3)]
    log = await at_once(tmp_path, three, one := trial(), budget)
    cut = [row for row in lines(tmp_path) if row.outcome == "timeout"]
    assert one.complete == complete and log.spent <= budget
    assert cut[0].fault == SHARE and cut[0].cpu_seconds < NEEDED
    expected = "" if complete == 3 else f"{USED_UP} ({budget:g} CPU seconds)"
    assert [one.fault, *(row.fault for row in cut[1:])] == [expected] * len(cut)


class Counted(FakeSandbox):
    """Notes how many programs are under way whenever one begins."""

    seen: list[int]
    under_way: list[str]

    async def exec(self, argv: Sequence[str], **more: Any) -> ExecResult:
        self.under_way.append(" ".join(argv))
        self.seen.append(len(self.under_way))
        await asyncio.sleep(0)
        result = await super().exec(argv, **more)
        self.under_way.remove(" ".join(argv))
        return result


@pytest.mark.parametrize(("budget", "beside"), [(1000.0, True), (SECONDS * (WHOLE + 1), False)])
async def test_a_cell_is_run_beside_others_only_where_its_share_is_ample(
    tmp_path: Path, budget: float, beside: bool
) -> None:
    machine = Machine(tmp_path)
    pair = [Counted(Script(default=machine.answer)) for _ in range(2)]
    Counted.seen, Counted.under_way = [], []
    log = await at_once(tmp_path, pair, one := trial(), budget)
    assert one.complete == 3 and log.spent == SECONDS * WHOLE and len(set(machine.ran)) == len(machine.ran) == WHOLE
    assert (2 in Counted.seen[4:]) == beside


async def test_a_cell_that_stalls_is_a_fault_and_not_a_matter_of_the_budget(tmp_path: Path) -> None:
    idle = Script(default=lambda call, files: failed(outcome=Outcome.TIMEOUT, seconds=1.0))
    await at_once(tmp_path, [FakeSandbox(idle), FakeSandbox(idle)], one := trial(), budget=50.0)
    assert "it ended as `timeout`" in one.fault and lines(tmp_path)[0].fault == "it ended as `timeout`"


async def test_the_first_fault_in_order_is_told_whichever_came_first(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def fails(words: str) -> Any:
        def answer(call: Any, files: Any) -> ExecResult:
            gate.set()
            return failed(words.encode())

        return answer

    late = Held(Script(default=fails("of the first cell")))
    late.gate = gate
    await at_once(tmp_path, [late, FakeSandbox(Script(default=fails("of the second")))], one := trial())
    assert "of the first cell" in one.fault and len(lines(tmp_path)) == 2


async def test_a_sandbox_that_is_lost_ends_both_and_keeps_what_is_done(tmp_path: Path) -> None:
    machine = Machine(tmp_path, dies_at=4)
    held = Held(Script(default=machine.answer))
    held.gate = asyncio.Event()
    with pytest.raises(Killed):
        await at_once(tmp_path, [held, FakeSandbox(Script(default=machine.answer))], trial())
    assert len(lines(tmp_path)) == 3


@pytest.mark.parametrize(
    ("cells", "asked", "cpus", "expected"), [(1, 4, 1.0, 1), (100, 4, 1.0, 4), (100, 0, 1e9, 1), (7, 4, 1.0, 2)]
)
def test_no_more_sandboxes_than_there_is_room_or_work_for(cells: int, asked: int, cpus: float, expected: int) -> None:
    assert benches_for(cells, asked, cpus, 512) == expected
