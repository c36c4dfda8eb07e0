"""Cells on two scripted sandboxes at once: the rows, the budget and the log are those of one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.events import EventLog
from agentsys.verify.checks.base import Bench, Job
from agentsys.verify.claims.celllog import CellLog
from agentsys.verify.claims.running import Cells, Trial, benches_for, judged_rows
from agentsys_sandbox.fake import FakeSandbox, Script, failed, passed
from agentsys_sandbox.spec import ExecResult
from unit.verify.claims.test_running import WHOLE, Killed, Machine, lines, trial
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


async def both(folder: Path, one: FakeSandbox, other: FakeSandbox, wanted: Trial, budget: float = 1000.0) -> CellLog:
    log = CellLog(folder)
    job = Job(files={}, out=folder / "out", plan=PLAN, events=EventLog(None, "r"), timeout=60.0)
    async with one, other:
        await Cells([Bench(one, job), Bench(other, job)], log, budget, 1.0).climb([wanted])
    return log


async def test_rows_stand_in_the_order_of_the_cells_whichever_ended_first(tmp_path: Path) -> None:
    machine, gate = Machine(tmp_path), asyncio.Event()

    def answer(call: Any, files: Any) -> ExecResult:
        if len(machine.ran) >= 4:
            gate.set()
        return machine.answer(call, files)

    late = Held(Script(default=answer))
    late.gate = gate
    log = await both(tmp_path, late, FakeSandbox(Script(default=answer)), one := trial())
    alone = await Machine(tmp_path / "alone").climb(other := trial())
    assert [row.command for row in lines(tmp_path)] != [row.command for row in lines(tmp_path / "alone")]
    assert len({row.command for row in lines(tmp_path)}) == len(lines(tmp_path)) == WHOLE
    (file,), (expected,) = judged_rows([one], log, tmp_path / "j"), judged_rows([other], alone, tmp_path / "k")
    assert file.read_bytes() == expected.read_bytes()


async def test_cells_at_the_same_time_cannot_use_more_than_the_budget(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    pair = [Greedy(Script(default=machine.answer)) for _ in range(2)]
    log = await both(tmp_path, pair[0], pair[1], trial(), budget=50.0)
    assert log.spent == 50.0 and len(machine.ran) == 2


async def test_the_first_fault_in_order_is_told_whichever_came_first(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def fails(words: str) -> Any:
        def answer(call: Any, files: Any) -> ExecResult:
            gate.set()
            return failed(words.encode())

        return answer

    late = Held(Script(default=fails("of the first cell")))
    late.gate = gate
    await both(tmp_path, late, FakeSandbox(Script(default=fails("of the second"))), one := trial())
    assert "of the first cell" in one.fault and len(lines(tmp_path)) == 2


async def test_a_sandbox_that_is_lost_ends_both_and_keeps_what_is_done(tmp_path: Path) -> None:
    machine = Machine(tmp_path, dies_at=4)
    held = Held(Script(default=machine.answer))
    held.gate = asyncio.Event()
    with pytest.raises(Killed):
        await both(tmp_path, held, FakeSandbox(Script(default=machine.answer)), trial())
    assert len(lines(tmp_path)) == 3


@pytest.mark.parametrize(
    ("cells", "asked", "cpus", "expected"), [(1, 4, 1.0, 1), (100, 4, 1.0, 4), (100, 0, 1e9, 1), (7, 4, 1.0, 2)]
)
def test_no_more_sandboxes_than_there_is_room_or_work_for(cells: int, asked: int, cpus: float, expected: int) -> None:
    assert benches_for(cells, asked, cpus, 512) == expected
