"""Cells in a scripted sandbox: what is kept of each, what stops a claim, and how a killed run goes on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys.core.events import EventLog
from agentsys.verify.checks.base import Bench, Job
from agentsys.verify.claims import gathering
from agentsys.verify.claims.celllog import CellLog, Done, read_log
from agentsys.verify.claims.cells import climb
from agentsys.verify.claims.gathering import judged_rows
from agentsys.verify.claims.running import OUT, USED_UP, Cells, Trial
from agentsys_sandbox.fake import Call, FakeSandbox, Files, Script, failed, passed
from agentsys_sandbox.spec import ExecResult
from unit.verify.claims.judging import contract
from unit.verify.tiny import PLAN

HEADER = "claim,seed,setting,method,quantity,value,unit\n"
SECONDS = 2.0


class Killed(BaseException):
    """The process ends here."""


def rows_of(call: Call) -> str:
    words = dict(zip(call.argv[2::2], call.argv[3::2], strict=True))
    case = "" if words["--case"] == "main" else f"case={words['--case']};"
    claim = Path(call.argv[1]).stem.upper()
    start = f"{claim},{words['--seed']},{case}{words['--setting']}"
    return f"{HEADER}{start},a,v,2.5,\n{start},b,v,1.5,\n"


class Machine:
    """A sandbox whose programs write sound rows, and that dies at a given call."""

    def __init__(self, folder: Path, *, dies_at: int = 0, change: tuple[str, str] = ("", ""), data: str = "") -> None:
        self.folder = folder
        self.data = data
        self.dies_at = dies_at
        self.change = change
        self.ran: list[tuple[str, ...]] = []

    def answer(self, call: Call, files: Files) -> ExecResult:
        self.ran.append(call.argv)
        if len(self.ran) == self.dies_at:
            raise Killed
        files[OUT] = rows_of(call).replace(*self.change).encode()
        return passed(seconds=SECONDS * (20 if "claims/c2.py" in call.argv else 1))

    async def climb(self, *trials: Trial, budget: float = 1000.0, log: CellLog | None = None) -> CellLog:
        log = log or CellLog(self.folder)
        job = Job(files={}, out=self.folder / "out", plan=PLAN, events=EventLog(None, "r"), timeout=60.0)
        async with FakeSandbox(Script(default=self.answer)) as sandbox:
            await Cells([Bench(sandbox, job, data=self.data)], log, budget, 1.0).climb(trials)
        return log


def trial(**more: object) -> Trial:
    made = contract(**{"toy_below": {"n": 16}, "seeds": 3, **more})
    return Trial(made, climb(made), "0" * 64)


WHOLE = 3 * 3 * 2
"""Scales, seeds, cases."""


def lines(folder: Path) -> list[Done]:
    return [Done.model_validate_json(line) for line in (folder / "cells.jsonl").read_text().splitlines()]


async def test_each_cell_leaves_its_command_exit_code_time_and_hash(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    await machine.climb(one := trial())
    assert [row.command for row in lines(tmp_path)] == machine.ran and len(machine.ran) == WHOLE
    assert {(row.exit_code, row.seconds, row.fault) for row in lines(tmp_path)} == {(0, SECONDS, "")}
    assert all(len(row.sha256) == 64 for row in lines(tmp_path)) and one.complete == 3


@pytest.mark.parametrize("costly_first", [True, False])
async def test_a_claim_whose_cells_take_long_does_not_use_up_what_the_others_need(
    tmp_path: Path, costly_first: bool
) -> None:
    cheap, costly = trial(), trial(claim="C2")
    both = (costly, cheap) if costly_first else (cheap, costly)
    level = SECONDS * len(cheap.climb.levels[0])
    log = await Machine(tmp_path).climb(*both, budget=level * (20 + 3))
    assert (cheap.complete, cheap.fault) == (3, "")
    assert costly.complete == 1 and costly.fault.startswith(USED_UP)
    assert log.used == {"C1": level * 3, "C2": level * 20}


@pytest.mark.parametrize("point", [1, 2, 5, 9, 12, WHOLE])
async def test_a_run_killed_at_a_cell_goes_on_with_that_cell_and_repeats_no_other(tmp_path: Path, point: int) -> None:
    first = Machine(tmp_path, dies_at=point)
    with pytest.raises(Killed):
        await first.climb(trial())
    second = Machine(tmp_path)
    log = await second.climb(one := trial())
    assert first.ran[:-1] + second.ran == [row.command for row in lines(tmp_path)]
    assert len(set(first.ran[:-1]) | set(second.ran)) == len(first.ran[:-1]) + len(second.ran) == WHOLE
    assert log.spent == SECONDS * WHOLE and one.complete == 3


async def test_a_cell_that_failed_without_the_data_is_run_again_with_it_and_no_other(tmp_path: Path) -> None:
    await Machine(tmp_path, change=(HEADER, "")).climb(first := trial())
    assert first.fault and len(lines(tmp_path)) == 1
    same = Machine(tmp_path)
    await same.climb(trial())
    assert same.ran == [], "what failed is not tried again where nothing is otherwise"
    await Machine(tmp_path, data="d1").climb(with_data := trial())
    assert with_data.complete == 3 and [row.data for row in lines(tmp_path)] == ["", *["d1"] * WHOLE]
    last = Machine(tmp_path, data="d2")
    await last.climb(trial())
    assert last.ran == [], "rows that are there stay"


async def test_a_line_torn_by_the_kill_is_run_again_and_nothing_else(tmp_path: Path) -> None:
    await Machine(tmp_path).climb(trial())
    file = tmp_path / "cells.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    again = Machine(tmp_path)
    await again.climb(trial())
    assert len(again.ran) == 1 and len(lines(tmp_path)) == WHOLE


async def test_a_cell_whose_rows_were_altered_or_lost_is_run_again(tmp_path: Path) -> None:
    log = await Machine(tmp_path).climb(one := trial())
    cells = one.climb.levels[2]
    log.rows(cells[0], one.stamp).write_text(HEADER)
    log.rows(cells[1], one.stamp).unlink()
    again = Machine(tmp_path)
    await again.climb(trial())
    assert len(again.ran) == 2


async def test_another_program_or_other_code_runs_every_cell_anew(tmp_path: Path) -> None:
    await Machine(tmp_path).climb(trial())
    other, again = trial(), Machine(tmp_path)
    other.stamp = "1" * 64
    await again.climb(other)
    assert len(again.ran) == WHOLE


async def test_the_budget_ends_the_climb_and_a_scale_that_is_not_whole_does_not_count(tmp_path: Path) -> None:
    log = await Machine(tmp_path).climb(one := trial(), budget=SECONDS * 8)
    assert one.complete == 1 and one.fault.startswith(USED_UP) and log.spent == SECONDS * 8
    (file,) = judged_rows([one], log, tmp_path / "judged")
    settings = {line.split(",")[2] for line in file.read_text().splitlines()[1:]}
    assert settings == {"n=1", "case=control;n=1"}
    more = Machine(tmp_path)
    await more.climb(larger := trial())
    assert len(more.ran) == WHOLE - 8 and larger.complete == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("C1,", "C2,"), "rows are of C2"),
        (("C1,0,", "C1,7,"), "another seed"),
        (("n=", "m="), "do not have `n=1`"),
        (("case=control;", ""), "case=control"),
        (("2.5", "two"), "neither a number"),
        (("\nC1,0", "\n#"), "fields instead of 7"),
    ],
)
async def test_rows_that_are_not_what_was_asked_stop_the_claim_and_name_the_fault(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    machine = Machine(tmp_path, change=change)
    await machine.climb(one := trial())
    assert said in one.fault and one.complete == 0
    assert lines(tmp_path)[-1].fault and not lines(tmp_path)[-1].sha256
    again = Machine(tmp_path, change=change)
    await again.climb(other := trial())
    assert (again.ran, other.fault) == ([], one.fault)


async def test_a_program_that_fails_stops_its_claim_with_its_own_words(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.answer = lambda call, files: failed(b"ZeroDivisionError: n is 1")  # type: ignore[method-assign]
    await machine.climb(one := trial())
    assert "exit code 1" in one.fault and "ZeroDivisionError" in one.fault
    assert json.loads((tmp_path / "cells.jsonl").read_text())["exit_code"] == 1


async def test_a_failure_is_not_noted_where_the_whole_task_is_ended_at_the_same_moment(tmp_path: Path) -> None:
    log, one = CellLog(tmp_path), trial()
    job = Job(files={}, out=tmp_path / "out", plan=PLAN, events=EventLog(None, "r"), timeout=60.0, doubt=60.0)
    ended = asyncio.Event()

    def answer(_call: Call, _files: Files) -> ExecResult:
        ended.set()
        return failed(code=143)

    async with FakeSandbox(Script(default=answer)) as sandbox:
        climbing = asyncio.create_task(Cells([Bench(sandbox, job)], log, 1000.0, 1.0).climb([one]))
        await ended.wait()
        climbing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await climbing
    assert read_log(tmp_path) == [] and one.fault == ""


@pytest.mark.parametrize(("limit", "most"), [("MOST_NAMES", 7), ("MOST_ROWS", 40)])
async def test_rows_beyond_what_a_record_holds_leave_the_largest_scales_of_the_largest_claim_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    def swept(*points: str) -> Trial:
        rule = {"type": "trend", "quantity": "v", "method": "a", "axis": "n", "direction": "increasing", "min_tau": 0.5}
        fails = {"type": "fails", "rule": rule}
        made = trial(accept=rule, falsify=fails, grid={"n": points}, kind="trend", baselines=())
        return replace(made, stamp=str(len(points)) * 64)

    large, small = swept("16", "32", "64", "128"), swept("16", "32")
    log = await Machine(tmp_path).climb(large)
    await Machine(tmp_path).climb(small, log=log)
    monkeypatch.setattr(gathering, limit, most)
    files = judged_rows([large, small], log, tmp_path / "judged")
    assert (large.complete, small.complete, len(files)) == (1, 2, 2)
    assert "room for: 1 count" in large.fault and not small.fault
