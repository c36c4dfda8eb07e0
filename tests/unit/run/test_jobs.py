"""Jobs on an engine that does as it is told: what is taken in, what is submitted again, and when it is given up."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from agentsys.core.errors import PrerequisiteError, RunInUse, SandboxUnavailable, UsageError
from agentsys.core.files import write_atomic
from agentsys.core.settings import Settings
from agentsys.plan.workspace import code_hash
from agentsys.run.jobs import claimed as claims
from agentsys.run.jobs import work
from agentsys.run.jobs.engine import Need
from agentsys.run.jobs.job import CANCELLED, Place, jobs_of
from agentsys.run.jobs.making import Wish, make
from agentsys.run.jobs.part import begin, parts_in
from agentsys.run.jobs.steer import advance, cancel, look
from agentsys.verify.claims.celllog import CellLog
from agentsys_sandbox.spec import Outcome
from unit.run.claimed_run import CELLS, make_claimed
from unit.run.told import HEAD, Claimed, Told


@pytest.fixture
def made(tmp_path: Path) -> Claimed:
    return Claimed(tmp_path)


def test_what_came_back_whole_is_taken_in_once_and_judged(made: Claimed) -> None:
    made.part(0, made.cells[::2])
    made.part(1, made.cells[1::2])
    made.engine.state = "ended"
    job = advance(made.place, made.engine)
    assert (job.state, job.reason) == ("done", "claims: 2 verified") and len(made.logged()) == CELLS
    assert advance(made.place, made.engine).state == "done" and len(made.logged()) == CELLS
    assert len(made.engine.submitted) == 1 and (made.run.repo / "claims" / "verdicts.json").is_file()
    page = (made.run.claims / "pages" / "c1.md").read_text()
    assert "6 of them by jobs: slurm 1 on n1" in page.replace("\\", ""), page


def test_nothing_counts_while_tasks_run_or_the_engine_does_not_answer(made: Claimed) -> None:
    made.part(0, made.cells[:5])
    for state in ("waiting", "running", "unknown"):
        made.engine.state = state
        assert advance(made.place, made.engine).state == "open" and made.logged() == []
    assert look(made.place, made.engine).cells == 5 and len(made.engine.submitted) == 1


def test_what_was_cut_off_is_submitted_again_without_the_cells_that_are_there(made: Claimed) -> None:
    made.part(0, made.cells[::2])
    made.engine.state = "ended"
    assert advance(made.place, made.engine).state == "open"
    assert [tasks for _, tasks in made.engine.submitted] == [2, 2] and made.engine.submitted[
        0
    ] != made.engine.submitted[1]
    assert made.place.cells(1) == [cell.name for _, cell in made.cells[1::2]]
    assert made.logged() == [], "rows are taken in when the job is over"


def test_a_job_that_gets_no_further_is_given_up_with_what_it_has(made: Claimed) -> None:
    made.part(0, made.cells[:6])
    for _ in range(3):
        made.engine.state = "ended"
        job = advance(made.place, made.engine)
    assert (job.state, job.exit_code) == ("failed", 7) and "TIMEOUT" in job.reason and "--time" in job.hint
    assert len(made.engine.submitted) == 3 and len(made.logged()) == 6
    entries = json.loads((made.run.claims / "entries.json").read_text())
    assert "24 cells not run" in entries["C2"] and "C1" not in entries


def test_a_job_that_is_given_up_says_what_its_tasks_said_at_their_end(made: Claimed) -> None:
    for _ in range(3):
        made.part(0, []).end("stopped", "its time is over")
        made.engine.state = "ended"
        job = advance(made.place, made.engine)
    assert (job.state, job.reason) == ("failed", "2 submissions ended before it was done: its time is over, TIMEOUT")


def test_rows_that_are_not_those_whose_hash_was_written_are_run_again(made: Claimed) -> None:
    part = made.part(0, made.cells)
    trial, cell = made.cells[3]
    CellLog(part.folder).rows(cell, trial.stamp).write_text(HEAD + "C1,0,,ours,value,9.9,\n")
    made.engine.state = "ended"
    assert advance(made.place, made.engine).state == "open" and made.place.cells(1) == [cell.name]


def test_a_cell_that_failed_ends_its_claim_and_not_the_other(made: Claimed) -> None:
    first, second = made.cells[:6], made.cells[6:]
    made.part(0, first[:1], fault="exit code 1: broken")
    made.part(1, second)
    made.engine.state = "ended"
    job = advance(made.place, made.engine)
    assert job.state == "done" and job.reason == "claims: 1 inconclusive, 1 verified"
    assert "broken" in json.loads((made.run.claims / "entries.json").read_text())["C1"]


def test_a_machine_that_cannot_do_it_ends_the_job_with_its_reason(made: Claimed) -> None:
    made.part(0, made.cells[:2]).end("failed", "`n1` has nothing to run code in", "have bubblewrap installed", 3)
    made.engine.state = "ended"
    job = advance(made.place, made.engine)
    assert (job.state, job.exit_code) == ("failed", 3) and "n1" in job.reason and len(made.engine.submitted) == 1


def test_a_submission_whose_ids_were_not_written_down_is_found_and_not_made_twice(made: Claimed) -> None:
    job = made.place.read()
    bare = job.submissions[0].model_copy(update={"ids": ()})
    made.place.write(job.model_copy(update={"submissions": (bare,)}))
    made.engine.known = ("7_0", "7_1")
    assert advance(made.place, made.engine).submissions[0].ids == ("7_0", "7_1") and len(made.engine.submitted) == 1
    made.place.write(job.model_copy(update={"submissions": (bare,)}))
    made.engine.known = ()
    assert advance(made.place, made.engine).submissions[0].ids == ("2_0", "2_1")
    assert made.engine.submitted[0] == made.engine.submitted[1], "the same submission, under the same name"


def test_a_cancelled_job_keeps_its_whole_cells_and_its_tasks_are_told(made: Claimed) -> None:
    made.part(0, made.cells[:4])
    made.engine.state = "waiting"
    job = cancel(made.place, made.engine)
    assert job.state == "cancelled" and made.place.cancelled and len(made.logged()) == 4
    assert "it was cancelled" in json.loads((made.run.claims / "entries.json").read_text())["C1"]
    assert set(made.engine.cancelled) == {"1_0", "1_1"}


def test_code_that_was_changed_meanwhile_is_not_judged_by_the_old_rows(made: Claimed) -> None:
    made.part(0, made.cells)
    (made.run.repo / "tiny" / "model.py").write_text("changed = 1\n")
    made.engine.state = "ended"
    job = advance(made.place, made.engine)
    assert job.state == "failed" and "changed" in job.reason and made.logged() == []


def test_a_cell_that_ran_out_of_time_before_is_run_by_the_next_job(made: Claimed) -> None:
    log = CellLog(made.run.claims)
    trial, cell = made.cells[0]
    log.append(made.done(log, trial, cell, fault="it ended as `timeout`", outcome=Outcome.TIMEOUT.value))
    found = claims.claimed(made.run, code_hash(made.run.repo))
    assert len(claims.missing(found, claims.known_cells(made.run, (), ""))) == CELLS
    part = made.part(0, made.cells[:1])
    assert claims.merge(made.run, found, [part]) == 1 and claims.merge(made.run, found, [part]) == 0


def test_each_start_of_a_task_has_a_part_of_its_own_and_the_older_ones_are_overtaken(tmp_path: Path) -> None:
    one, other, two = begin(tmp_path, 0, 3, "1"), begin(tmp_path, 0, 4, "2"), begin(tmp_path, 0, 3, "1")
    assert len({each.folder for each in (one, other, two)}) == 3 == len(parts_in(tmp_path))
    assert one.overtaken() and not two.overtaken() and not other.overtaken()


def test_a_profile_counts_only_if_every_file_is_the_one_that_was_sealed(tmp_path: Path) -> None:
    part = begin(tmp_path, 0, 0, "1")
    out = part.reproduction(1)
    write_atomic(out / "results.json", "{}")
    assert part.sealed(out) is None
    part.seal(out)
    assert part.sealed(out) == {"results.json": b"{}"}
    for name, text in (("results.json", "{ }"), ("more.json", "{}")):
        write_atomic(out / name, text)
        assert part.sealed(out) is None
        part.seal(out)


def test_files_that_a_task_is_writing_are_not_swept_away(made: Claimed) -> None:
    part = made.part(0, ())
    writing, left = part.folder / ".rows.csv.abcd1234.tmp", made.run.path / ".run.json.abcd1234.tmp"
    for file in (writing, left):
        file.write_text("half")
    made.run.lock()
    made.run.unlock()
    assert writing.exists() and not left.exists()


def test_a_run_in_use_is_left_alone(made: Claimed) -> None:
    made.engine.state = "ended"
    made.run.lock()
    with pytest.raises(RunInUse):
        advance(Place(made.place.folder), made.engine)
    made.run.unlock()


async def test_a_job_that_the_engine_refuses_is_not_open_and_a_second_one_beside_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, engine = make_claimed(tmp_path), Told()
    engine.offline = False
    wish = Wish("claims", "slurm", Need(cpus=1, memory_mb=512, seconds=60), 60.0, tasks=2)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "submit", refusing)
        with pytest.raises(PrerequisiteError, match="Invalid account"):
            await make(run, Settings(), wish, engine)
    assert [job.state for _, job in jobs_of(run)] == ["failed"] and engine.submitted == []
    place = await make(run, Settings(), wish, engine)
    assert place.read().cells == CELLS and engine.submitted[0][1] == 2
    with pytest.raises(UsageError, match="under way"):
        await make(run, Settings(), wish, engine)


def refusing(*_: object) -> tuple[str, ...]:
    raise PrerequisiteError("the job was refused: Invalid account", "ask for another")


def test_a_task_that_was_stopped_and_cannot_tidy_up_has_not_failed(
    made: Claimed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cannot_tidy_up(_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise SandboxUnavailable("the folder cannot be removed completely", "remove it by hand")

    monkeypatch.setattr(work, "load", lambda _: made.engine)
    monkeypatch.setattr(work, "WATCH", 0.01)
    monkeypatch.setattr(work, "_do", cannot_tidy_up)
    (made.place.folder / CANCELLED).touch()
    numbers = (signal.SIGUSR2, signal.SIGURG, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    try:
        work.work(str(made.place.folder), 0, 0)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    ended = parts_in(made.place.parts)[-1].ended
    assert ended is not None and (ended.how, ended.reason) == ("stopped", "the job was cancelled")
