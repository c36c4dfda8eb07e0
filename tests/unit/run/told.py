"""An engine that does as it is told, and a job on it whose parts are written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from agentsys.core.files import sha256_bytes, write_atomic
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.plan.workspace import code_hash
from agentsys.run.jobs import claimed as claims
from agentsys.run.jobs.engine import Need, Seen, TaskState
from agentsys.run.jobs.job import Job, Place
from agentsys.run.jobs.part import Part, begin
from agentsys.run.jobs.steer import submit
from agentsys.verify.claims.celllog import CellLog, Done
from agentsys.verify.claims.cells import Cell
from agentsys.verify.claims.running import Trial
from unit.run.claimed_run import CELLS, make_claimed

HEAD = "claim,seed,setting,method,quantity,value,unit\n"


class Told:
    """An engine whose tasks are in the state that the test says."""

    offline, puts_back = True, True

    def __init__(self) -> None:
        self.submitted: list[tuple[str, int]] = []
        self.state: TaskState = "running"
        self.cancelled: list[str] = []
        self.known: tuple[str, ...] = ()

    def submit(self, folder: Path, name: str, submission: int, tasks: int, need: Need) -> tuple[str, ...]:
        self.submitted.append((name, tasks))
        self.state = "running"
        return tuple(f"{len(self.submitted)}_{task}" for task in range(tasks))

    def find(self, name: str) -> tuple[str, ...]:
        return self.known

    def states(self, ids: Sequence[str]) -> tuple[Seen, ...]:
        return tuple(Seen(self.state, "TIMEOUT") for _ in ids)

    def cancel(self, ids: Sequence[str]) -> None:
        self.cancelled += ids
        self.state = "ended"

    def own_id(self) -> str:
        return "1"

    def again(self) -> bool:
        return False


class Claimed:
    """A job of 30 cells in two tasks."""

    def __init__(self, folder: Path) -> None:
        self.run: RunDir = make_claimed(folder)
        self.engine = Told()
        tree = code_hash(self.run.repo)
        self.cells = claims.claimed(self.run, tree).cells
        self.place = Place(self.run.reproductions / "01")
        self.place.folder.mkdir(parents=True)
        settings = Settings().model_dump(mode="json")
        need = Need(cpus=1, memory_mb=512, seconds=60)
        job = Job(
            number=1, profile="claims", engine="slurm", tree=tree, settings=settings, need=need, timeout=9, cells=CELLS
        )
        names = [cell.name for _, cell in self.cells]
        submit(self.place, job, self.engine, names, 2, 0)

    def part(self, task: int, cells: Sequence[tuple[Trial, Cell]], fault: str = "") -> Part:
        """Write a part with these cells, as a task does."""
        submission = len(self.place.read().submissions) - 1
        part = begin(self.place.parts, submission, task, "1")
        log = CellLog(part.folder)
        for trial, cell in cells:
            log.append(self.done(log, trial, cell, fault))
        return part

    def done(self, log: CellLog, trial: Trial, cell: Cell, fault: str = "", outcome: str = "ok") -> Done:
        words = ";".join(
            ([] if cell.case == "main" else [f"case={cell.case}"]) + ["=".join(row) for row in cell.setting]
        )
        value = {"main": 2.0, "C1": 1.0, "C2": 3.0}[cell.claim if cell.case == "control" else "main"]
        rows = [f"{cell.claim},{cell.seed},{words},ours,value,{value + cell.seed / 1000},\n"]
        if cell.claim == "C2":
            rows.append(f"C2,{cell.seed},{words},constant,value,{2.0 + cell.seed / 1000},\n")
        raw = HEAD + "".join(rows)
        if not fault:
            write_atomic(log.rows(cell, trial.stamp), raw)
        return Done(
            claim=cell.claim,
            case=cell.case,
            seed=cell.seed,
            setting=dict(cell.setting),
            stamp=trial.stamp,
            command=cell.argv("x.csv"),
            outcome=outcome,
            seconds=1.0,
            cpu_seconds=1.0,
            sha256="" if fault else sha256_bytes(raw),
            fault=fault,
            where="slurm 1 on n1",
        )

    def logged(self) -> list[str]:
        file = self.run.claims / "cells.jsonl"
        return [json.loads(line)["case"] for line in file.read_text().splitlines()] if file.is_file() else []
