"""A stand-in for the pipeline, for tests of the command line alone: it makes a run directory and ends as told.

Run as `python stand_in.py END ARGS...`: installs the stand-in, then calls the real command line with ARGS.
"""

from __future__ import annotations

import asyncio
import os
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agentsys.core import errors, rundir
from agentsys.core.errors import EXIT_CODES, AgentsysError
from agentsys.core.events import EventLog, Subscriber
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord, SettingValue
from agentsys.core.settings import Settings


@dataclass
class RunResult:
    run: RunDir
    record: RunRecord


async def finish(run: RunDir, record: RunRecord, subscribers: Sequence[Subscriber], end: str) -> RunResult:
    log = EventLog(run.events_file, record.id)
    for subscriber in subscribers:
        log.subscribe(subscriber)
    log.emit("run.started", paper=record.paper_path)
    log.emit("stage.started", stage="read")
    print("a stray print of some library")
    os.write(1, b"a stray write to descriptor 1\n")
    status = end
    if end == "bug":
        raise ZeroDivisionError("a bug")
    if end.startswith("raise:"):
        kind = getattr(errors, end.removeprefix("raise:"))
        raise kind("the thing `x` failed", "do something about it")
    if end in ("wait", "block"):
        try:
            print("ready", file=sys.stderr, flush=True)
            if end == "block":
                while True:
                    pass
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            print(f"cancelled by {error.args}", file=sys.stderr, flush=True)
            status = "interrupted"
    record = record.model_copy(
        update={
            "status": status,
            "exit_code": EXIT_CODES[status],  # pyright: ignore
            "reason": "a reason",
            "finished": datetime.now(UTC).isoformat(),
        }
    )
    run.write(record)
    log.emit("run.finished", status=status, exit_code=record.exit_code, paths={"run": str(run.path)})
    log.close()
    return RunResult(run, record)


def install(end: str) -> dict[str, object]:
    """Put the stand-in in the place of `agentsys.run.pipeline`; the returned dict gets what it was called with."""
    called: dict[str, object] = {}

    async def implement(
        paper: Path,
        settings: Settings,
        *,
        request: str = "",
        claims: Sequence[str] = (),
        sources: Mapping[str, SettingValue] = {},
        subscribers: Sequence[Subscriber] = (),
        password: str = "",
        sure: bool = True,
        ask: object = None,
    ) -> RunResult:
        called.update(paper=paper, settings=settings, request=request, sources=sources)
        if end.startswith("early:"):
            raise getattr(errors, end.removeprefix("early:"))("the paper `x` is no paper", "give another one")
        run = rundir.create(settings.runs_dir, paper.stem)
        record = RunRecord(id=run.path.name, settings=dict(sources), pid=os.getpid(), paper_path=str(paper))
        run.write(record)
        return await finish(run, record, subscribers, end)

    async def resume(
        run: RunDir,
        settings: Settings,
        *,
        subscribers: Sequence[Subscriber] = (),
        password: str = "",
        ask: object = None,
    ) -> RunResult:
        called.update(run=run, settings=settings)
        return await finish(run, run.read(), subscribers, end)

    module = types.ModuleType("agentsys.run.pipeline")
    module.implement = implement  # type: ignore[attr-defined]
    module.resume = resume  # type: ignore[attr-defined]
    module.RunResult = RunResult  # type: ignore[attr-defined]
    sys.modules["agentsys.run.pipeline"] = module
    import agentsys.run
    from agentsys.cli import implement as implementing
    from agentsys.cli import resume as resuming

    # The stand-in asks no model, so none must be there.
    for command in (implementing, resuming):
        command.check_prerequisites = lambda settings: None
    agentsys.run.pipeline = module  # type: ignore[attr-defined]
    return called


if __name__ == "__main__":
    install(sys.argv[1])
    from agentsys.cli.app import main

    main(sys.argv[2:])
    assert issubclass(AgentsysError, Exception)
