"""`agentsys data fetch|list|verify|rm`: the data of the paper's own scale."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.consent import asker
from agentsys.cli.output import json_errors, note, show_json, table
from agentsys.cli.supervise import Stop, supervise
from agentsys.core.errors import EXIT_CODES, UsageError
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir, all_runs, find
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import reproduction_settings

if TYPE_CHECKING:
    from agentsys.core.artifacts import Plan
    from agentsys.verify.data.fetch import Offer
    from agentsys.verify.data.planned import Got

data = typer.Typer(name="data", no_args_is_help=True, help="Fetch, list, check and remove data.", rich_markup_mode=None)
MB = 1e6


@data.command("fetch")
def fetch(
    run: opt.RunName = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    offline: opt.Offline = False,
    data_dir: opt.DataDir = None,
    sets: opt.Sets = None,
    runs_dir: opt.RunsDir = None,
    json: opt.JsonRows = False,
) -> None:
    """Fetch what the full profile of a run reads, and pin it in `data.lock.json` of its repository.

    Sizes and licences are shown first, and you are asked once. What is in the cache is not fetched again; a transfer
    that broke goes on. Exit code 3 without network, 6 where the policy refuses, 7 beyond `data_budget`.
    """
    from agentsys.verify.data.planned import require_all

    with json_errors(json):
        chosen, plan, settings = _of(run, runs_dir, sets, {"offline": offline or None, "data_dir": data_dir})
        if not yes and asker() is None:
            raise UsageError("nobody can be asked here", "say `--yes`, after a look at `agentsys data list`")
        settings = settings.model_copy(update={"data": "auto" if yes else "ask"})
        got = supervise(lambda: _get(chosen, plan, settings, again=True), Stop())
        _show(plan, got, json=json)
        if got.faults:
            raise next(iter(got.faults.values()))
        if got.state.asked != "no":
            require_all(plan, got)


@data.command("list")
def list_data(
    run: opt.RunName = "", sets: opt.Sets = None, runs_dir: opt.RunsDir = None, json: opt.JsonRows = False
) -> None:
    """List the data that the full profile of a run reads, and what of it is here. Sends no request."""
    from agentsys.verify.data.planned import survey

    with json_errors(json):
        chosen, plan, settings = _of(run, runs_dir, sets)
        _show(plan, survey(chosen, plan, settings, told=json), json=json)


@data.command("verify")
def verify(
    run: opt.RunName = "",
    data_dir: opt.DataDir = None,
    sets: opt.Sets = None,
    runs_dir: opt.RunsDir = None,
    json: opt.JsonRows = False,
) -> None:
    """Read all data of a run again: hashes against `data.lock.json`, counts against the plan.

    Exit code 5 where something is absent, damaged or miscounted; damaged files are removed from the cache.
    """
    from agentsys.verify.data.pins import read_lock
    from agentsys.verify.data.planned import survey
    from agentsys.verify.data.store import Store
    from agentsys.verify.datafiles import files_of, miscounted

    with json_errors(json):
        chosen, plan, settings = _of(run, runs_dir, sets, {"data_dir": data_dir})
        lock, faults = read_lock(chosen.repo), list[str]()
        if settings.data_dir is None:
            for source in plan.data:
                pinned = lock.of(source)
                bad = set(Store().damaged(pinned.files.values())) if pinned is not None else set[str]()
                faults += [
                    f"`data/{source.name}/{name}` is not in the cache as it was pinned"
                    for name, digest in (pinned.files if pinned is not None else {}).items()
                    if digest in bad
                ]
        got = survey(chosen, plan, settings, told=False)
        for source in plan.data:
            state = got.state.held(source.name).state
            if state == "here" and got.shown is not None:
                faults += [row.message for row in miscounted(source, files_of(got.shown.files, source))]
            elif state == "absent" and lock.of(source) is None:
                faults.append(f"`{source.name}` is not here")
    if json:
        show_json({"faults": faults, "files": len(got.shown.files) if got.shown is not None else 0})
    else:
        number = len(got.shown.files) if got.shown is not None else 0
        typer.echo("\n".join(faults) if faults else f"{number} files are as pinned, and hold what the plan says")
    if faults:
        raise typer.Exit(EXIT_CODES["unverified"])


@data.command("rm")
def remove(
    run: opt.RunName = "",
    everything: Annotated[bool, typer.Option("--all", help="The whole cache, whatever uses it.")] = False,
    runs_dir: opt.RunsDir = None,
) -> None:
    """Remove the data of a run from the cache; what other runs here pin as well stays. The pins stay too."""
    from agentsys.verify.data.pins import read_lock
    from agentsys.verify.data.store import Store

    store = Store()
    if everything:
        shutil.rmtree(store.root, ignore_errors=True)
        note(f"removed {store.root}")
        return
    folder = opt.runs_dir_of(runs_dir)
    chosen = find(folder, run)

    def used(item: RunDir) -> set[str]:
        return {digest for row in read_lock(item.repo).sources.values() for digest in row.files.values()}

    others = {digest for item in all_runs(folder) if item.path != chosen.path for digest in used(item)}
    freed = store.remove(used(chosen) - others)
    note(f"removed {freed / MB:.1f} MB")


async def have_data(run: RunDir, settings: Settings) -> None:
    """Fetch what the full profile needs, where that is allowed; what is absent then is said by what runs it."""
    from agentsys.plan.files import load_plan

    plan = load_plan(run.plan)
    if plan is not None and plan.data:
        await _get(run, plan, settings)


async def _get(run: RunDir, plan: Plan, settings: Settings, *, again: bool = False) -> Got:
    from agentsys.audit.policy import load_policy
    from agentsys.verify.data.pins import FILE
    from agentsys.verify.data.planned import fetcher_for, get_data, why_not

    policy = load_policy(settings)
    fetcher = fetcher_for(run, settings, policy.set.hosts.data, _progress)

    def judge(offer: Offer) -> str:
        return why_not(policy.check_data(offer.source.label, offer.addresses))

    run.lock()
    try:
        got = await get_data(run, plan, settings, fetcher, judge, asker(), again=again)
        if (run.repo / FILE).is_file() and (run.repo / ".git").is_dir():
            GitRepo(run.repo).commit_files([FILE], "Pin the data")
    finally:
        run.unlock()
    for error in got.faults.values():
        note(f"data: {error.message}")
    return got


def _progress(name: str, words: str) -> None:
    note(f"{name}: {words}")


def _of(
    run: str, runs_dir: Path | None, sets: Sequence[str] | None, flags: dict[str, object] | None = None
) -> tuple[RunDir, Plan, Settings]:
    from agentsys.plan.files import load_plan

    chosen = find(opt.runs_dir_of(runs_dir), run)
    settings, _ = reproduction_settings(chosen.state(), flags=flags, sets=sets or ())
    plan = load_plan(chosen.plan)
    if plan is None:
        raise UsageError(f"run `{chosen.path.name}` has no plan yet", "go on with it: `agentsys resume`")
    return chosen, plan, settings


def _show(plan: Plan, got: Got, *, json: bool) -> None:
    if json:
        show_json([{**got.state.held(row.name).model_dump(), "source": row.label} for row in plan.data])
        return
    if not plan.data:
        typer.echo("the full profile of this run reads no data", err=True)
        return
    rows = [
        (
            row.name,
            row.label,
            held.state,
            f"{(held.size or row.size) / MB:.1f} MB",
            held.licence or row.licence,
            held.why,
        )
        for row in plan.data
        for held in (got.state.held(row.name),)
    ]
    typer.echo(table(("name", "source", "state", "size", "licence", ""), rows, limit=80))
