"""`agentsys batch PAPERS`: many papers under one budget, each a run of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from agentsys.cli import options as opt
from agentsys.cli.display.choose import choose
from agentsys.cli.output import json_errors, show_json, table
from agentsys.cli.running import check_prerequisites
from agentsys.cli.supervise import Stop, supervise
from agentsys.core.errors import UsageError
from agentsys.core.events import utc_now
from agentsys.core.files import sha256_bytes, write_json
from agentsys.core.numbers import clock, dollars, plural
from agentsys.core.rundir import RunDir
from agentsys.core.settings_layers import load_settings, resume_settings
from agentsys.core.text import clean_line

if TYPE_CHECKING:
    from agentsys.core.settings import Settings
    from agentsys.report.batch import Batch, Row
    from agentsys.run.batch.drive import Asked, Order, Watch
    from agentsys.run.batch.engines import Place
    from agentsys.run.batch.listing import Paper

MOST_GROUPS = 8


def batch(
    papers: Annotated[
        Path,
        typer.Argument(help="A folder of papers, a list of paths and arXiv numbers, or YAML.", metavar="PAPERS"),
    ],
    on: Annotated[Literal["local", "ray"], typer.Option("--on", help="Where papers are worked on.")] = "local",
    workers: Annotated[int, typer.Option(help="Papers under way at the same time.", min=1, max=1000)] = 4,
    address: Annotated[
        str, typer.Option(help="A Ray cluster that is there; without, one is started here and stopped.", metavar="ADDR")
    ] = "",
    offline: opt.Offline = False,
    data: opt.DataMode = None,
    out: opt.NewRunsDir = None,
    model: opt.ModelName = None,
    max_rounds: opt.MaxRounds = None,
    claim_budget: opt.ClaimBudget = None,
    stop_after: Annotated[
        Literal["read", "plan", "claims", "analyse", "code"] | None, typer.Option(help="End after this stage.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Stop before all papers together have spent more US dollars.", metavar="USD")
    ] = None,
    prices: opt.Prices = None,
    max_tokens: opt.MaxTokens = None,
    time_limit: opt.TimeLimit = None,
    round_timeout: opt.RoundTimeout = None,
    sandbox: opt.Sandbox = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take files for papers that look like none.")] = False,
    policy: opt.PolicyName = None,
    review: opt.Review = None,
    display: opt.DisplayOption = None,
    json: Annotated[bool, typer.Option("--json", help="What batch.json holds, on standard output.")] = False,
    quiet: opt.Quiet = False,
    config: opt.Config = None,
    sets: opt.Sets = None,
    env_file: opt.EnvFile = None,
) -> None:
    """Implement many papers in parallel, under one budget, one limit of requests, one room for sandboxes.

    Each paper is a run of its own; one that fails touches no other. The same command again goes on where it stopped,
    and with what is new in the list; no model is asked twice. Exit code 0 only if every paper is verified.
    """
    flags: dict[str, object] = {
        "offline": offline or None,
        "data": data,
        "runs_dir": out,
        "model": model,
        "max_rounds": max_rounds,
        "claim_budget": opt.seconds_of(claim_budget),
        "stop_after": stop_after,
        "budget": budget,
        "prices": prices or None,
        "max_tokens": max_tokens,
        "time_limit": opt.seconds_of(time_limit),
        "round_timeout": opt.seconds_of(round_timeout),
        "backend": sandbox,
        "policy": policy,
        "review": review,
        "display": "quiet" if quiet else display,
    }
    with json_errors(json):
        if address and on != "ray":
            raise UsageError("`--address` is a Ray cluster's", "add `--on ray`")
        opt.use_env_file(env_file)
        asked = _Asked(papers, on, workers, address, yes, flags, tuple(sets or ()), config)
        _work(asked, json)


@dataclass(frozen=True)
class _Asked:
    """What the command line says."""

    papers: Path
    on: str
    workers: int
    address: str
    sure: bool
    flags: dict[str, object]
    sets: tuple[str, ...]
    config: Path | None

    def settings(self, paper: Paper | None = None, run: Path | None = None) -> Asked:
        """Return the settings of a paper: of a run that is gone on with its own, with options and `--set` on top."""
        flags = {**self.flags, **(paper.options if paper is not None else {})}
        if run is None:
            return load_settings(flags=flags, sets=self.sets, config=self.config)
        folder = RunDir(run)
        settings, sources = resume_settings(folder.read(), flags={**flags, "runs_dir": None}, sets=self.sets)
        return settings.model_copy(update={"runs_dir": folder.path.parent}), sources


def _work(asked: _Asked, json: bool) -> NoReturn:
    from agentsys.run.batch.drive import Order
    from agentsys.run.batch.listing import read_list

    papers = read_list(asked.papers)
    settings, _ = asked.settings()
    if settings.replay is not None:
        raise UsageError("a recording is of one paper, and a batch has many", "replay it with `agentsys implement`")
    for paper in papers:
        if paper.options:
            asked.settings(paper)
    check_prerequisites(settings)
    folder = _folder(asked.papers, settings)
    folder.mkdir(parents=True, exist_ok=True)
    most = settings.concurrency * asked.workers
    order = Order(papers, folder, asked.workers, most, _remembered(asked), asked.sure)
    lock = RunDir(folder)
    lock.lock()
    try:
        done, code = _carried_out(asked, settings, order)
    finally:
        lock.unlock()
    if json:
        show_json(done.model_dump(mode="json"))
    else:
        typer.echo(_summary(done, folder))
    raise typer.Exit(code)


def _remembered(asked: _Asked) -> Callable[[Paper, Path | None], Asked]:
    """Read files of settings once for all papers without options of their own."""
    plain = asked.settings()

    def settings(paper: Paper, run: Path | None) -> Asked:
        return plain if run is None and not paper.options else asked.settings(paper, run)

    return settings


def _folder(papers: Path, settings: Settings) -> Path:
    """Return the folder of a batch: the same list has the same one."""
    place = papers.resolve()
    stem = "".join(char if char.isalnum() else "-" for char in place.stem.lower()).strip("-")[:40] or "papers"
    return settings.runs_dir / f"batch-{stem}-{sha256_bytes(str(place))[:6]}"


def _carried_out(asked: _Asked, settings: Settings, order: Order) -> tuple[Batch, int]:
    from agentsys.cli.display.batch import BatchDisplay
    from agentsys.report.batch import Batch, exit_code, write_batch
    from agentsys.run.batch.engines import Place
    from agentsys.run.batch.job import spent_on

    began, clock_began = utc_now(), time.monotonic()
    spent = {key: spent_on(Path(row.run)) for key, row in order.known().items() if row.run}
    place = Place(order.folder, asked.workers, order.most, settings.budget, spent, asked.address)
    begun = Batch(
        id=order.folder.name,
        papers=str(asked.papers.resolve()),
        workers=asked.workers,
        where=asked.on,
        budget=settings.budget,
        started=began,
    )

    def written(rows: Sequence[Row], **more: object) -> Batch:
        seconds = round(time.monotonic() - clock_began, 1)
        return begun.taken(rows).model_copy(update={"seconds": seconds, **more})

    stop = Stop()
    kind = choose("auto" if settings.display == "json" else settings.display, sys.stderr)
    with BatchDisplay(kind, sys.stderr, len(order.papers)) as shown:
        changed = partial(_keep, order.folder / "batch.json", written)
        rows = supervise(lambda: _driven(asked.on, place, order, shown, changed), stop, shown.stopping)
    code = stop.exit_code if stop.signal else exit_code(rows)
    done = written(rows, finished=utc_now(), exit_code=code)
    write_batch(done, order.folder)
    return done, code


def _keep(file: Path, written: Callable[[Sequence[Row]], Batch], rows: Sequence[Row]) -> None:
    write_json(file, written(rows))


async def _driven(
    on: str, place: Place, order: Order, shown: Watch, changed: Callable[[Sequence[Row]], None]
) -> list[Row]:
    from agentsys.run.batch.drive import Drive
    from agentsys.run.batch.engines import engine_of

    return await Drive(order, engine_of(on)(place), shown, changed).run()


def _summary(done: Batch, folder: Path) -> str:
    from agentsys.report.batch import line

    head = ("paper", "status", "claims", "calls", "cost", "time", "why")
    cells = [
        (
            Path(row.paper).name if row.paper.startswith("/") else row.paper,
            row.status,
            row.scoreboard,
            row.calls,
            dollars(row.cost),
            clock(row.seconds),
            "" if row.verified else line(row),
        )
        for row in done.rows
    ]
    verified = done.statuses.get("verified", 0)
    lines = [f"{verified} of {plural(len(done.rows), 'paper')} verified", table(head, cells), ""]
    for group in done.repeated[:MOST_GROUPS]:
        failed = f", failed: {', '.join(group.checks)}" if group.checks else ""
        words = f"{plural(len(group.papers), 'paper')} {group.code}{failed}: {group.reason}"
        lines.append(f"  {clean_line(words, 300)}")
    money = dollars(done.cost) + (f" of {dollars(done.budget)}" if done.budget is not None else "")
    took = f"{clock(done.seconds)} with {plural(done.workers, 'worker')}"
    lines += [
        f"  usage    {plural(done.calls, 'call')}, {money}, {took}",
        f"  report   {folder / 'batch.html'}",
    ]
    return "\n".join(lines)
