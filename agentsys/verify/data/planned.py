"""Gets a plan's data: what is here, what may be fetched, whether a person says yes; and writes down how it stands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from agentsys.core.artifacts import DataSource, Plan
from agentsys.core.errors import AgentsysError, BlockedError, Interrupted, PrerequisiteError
from agentsys.core.files import write_json
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.plan.data import FILE, DataState, read_state
from agentsys.verify.data.fetch import Fetcher, Offer, hub_mirror, refused
from agentsys.verify.data.pins import Pinned, read_lock
from agentsys.verify.data.sources import FETCHED
from agentsys.verify.datafiles import DataFolder, Files, check_pins, from_cache, read_folder, state_of
from agentsys_policies.schema import Decision

T = TypeVar("T")
Judge = Callable[[Offer], str]
"""Returns why the policy refuses an offer, or an empty text."""
Ask = Callable[[str], Awaitable[bool]]
"""Shows a text to a person and returns whether the answer was yes."""
UNASKED = "nobody could be asked: `agentsys data fetch` fetches it, `--data auto` does so unasked"


@dataclass
class Got:
    """What became of a plan's data."""

    state: DataState
    shown: DataFolder | None = None
    faults: dict[str, AgentsysError] = field(default_factory=dict[str, AgentsysError])
    """Name of a source -> why it could not be had."""


def fetcher_for(run: RunDir, settings: Settings, hosts: Sequence[str], said: Callable[[str, str], None]) -> Fetcher:
    """Return what fetches for a run."""
    return Fetcher(run.repo, hub_mirror(settings, os.environ.get("HF_ENDPOINT", "")), hosts, said=said)


async def get_data(
    run: RunDir,
    plan: Plan,
    settings: Settings,
    fetcher: Fetcher,
    judge: Judge,
    ask: Ask | None,
    *,
    again: bool = False,
) -> Got:
    """Have the data of a plan here as far as settings and a person allow, and write `data.json`.

    Args:
        judge: asked about each offer before any of it is fetched.
        ask: None where nobody can be asked.
        again: ask although the answer was no before.

    Raises: UsageError (damaged pins, folder), BlockedError (another content than was pinned in the folder),
        Interrupted. That a source cannot be had is in the result.
    """
    asked, why = read_state(run.path).asked, dict[str, str]()
    faults: dict[str, AgentsysError] = {}
    if settings.data_dir is None:
        missing = await _in_thread(fetcher, lambda: fetcher.missing(plan.data))
        if missing and (reason := _not_at_all(settings, asked if not again else "", ask)):
            why = dict.fromkeys((source.name for source in missing), reason)
        elif missing:
            asked, faults = await _fetch(fetcher, missing, settings, judge, ask)
            why = {name: refused(error) for name, error in faults.items()}
            if asked == "no":
                why |= dict.fromkeys((row.name for row in missing if row.name not in faults), "it was not wanted")
    got = await _in_thread(fetcher, lambda: survey(run, plan, settings, why, fetcher))
    got.state = got.state.model_copy(update={"asked": asked})
    got.faults = faults
    write_json(run.path / FILE, got.state)
    return got


def survey(
    run: RunDir,
    plan: Plan,
    settings: Settings,
    why: dict[str, str] | None = None,
    fetcher: Fetcher | None = None,
    *,
    told: bool = True,
) -> Got:
    """Look at what is here, and fetch nothing.

    Args:
        why: name -> why it is absent, where that is known.
        told: say what is in the files; takes time for large ones.

    Raises: UsageError, BlockedError.
    """
    lock, here = read_lock(run.repo), dict[str, Pinned]()
    if settings.data_dir is not None:
        shown: DataFolder | None = read_folder(settings.data_dir)
        check_pins(shown, lock)
    else:
        fetcher = fetcher or Fetcher(run.repo, settings, ())
        found = {source.name: fetcher.here(source) for source in plan.data if source.kind in FETCHED}
        here = {name: pinned for name, pinned in found.items() if pinned is not None}
        shown = from_cache(here, fetcher.store) if here else None
    files: Files = shown.files if shown is not None else {}
    return Got(state_of(plan.data, files, why or {}, read_lock(run.repo), told=told), shown)


def absent_of(plan: Plan, got: Got) -> list[DataSource]:
    """Return the sources of a plan that are not here."""
    return [source for source in plan.data if got.state.held(source.name).state == "absent"]


def require_all(plan: Plan, got: Got) -> None:
    """See that every source is here before anything is run. Raises: PrerequisiteError naming those that are not."""
    absent = absent_of(plan, got)
    if not absent:
        return
    first = next((got.faults[row.name] for row in absent if row.name in got.faults), None)
    names = "; ".join(f"`{row.name}` ({row.label}){_why(got, row)}" for row in absent)
    hint = "`agentsys data fetch` fetches it; `--data-dir DIR` takes a folder that holds `NAME/` for each"
    raise PrerequisiteError(f"the full profile needs data that is not here: {names}", hint) from first


def why_not(decision: Decision) -> str:
    """Say why a decision does not let data be fetched; empty where it does."""
    return "" if decision.allows else "; ".join(row.message for row in decision.findings[:3]) or decision.status


def _why(got: Got, source: DataSource) -> str:
    why = got.state.held(source.name).why
    return f": {why}" if why else ""


def _not_at_all(settings: Settings, asked: str, ask: Ask | None) -> str:
    """Return why nothing is fetched, or an empty text. No request was sent until here."""
    if settings.data == "never":
        return "`data` is `never`: nothing is fetched"
    if settings.offline:
        return "offline, and it is not in the cache"
    if settings.data == "ask" and asked == "no":
        return "it was not wanted"
    return UNASKED if settings.data == "ask" and ask is None else ""


async def _fetch(
    fetcher: Fetcher, missing: Sequence[DataSource], settings: Settings, judge: Judge, ask: Ask | None
) -> tuple[str, dict[str, AgentsysError]]:
    """Look at what there is, ask once for all of it, fetch. Return the answer, and what failed."""
    faults: dict[str, AgentsysError] = {}
    offers: list[Offer] = []
    for source in missing:
        try:
            offer = await _in_thread(fetcher, lambda source=source: fetcher.offer(source))
            if why := judge(offer):
                raise BlockedError(f"the policy refuses `{source.name}`: {why}", "name a folder with it: `--data-dir`")
            offers.append(offer)
        except Interrupted:
            raise
        except AgentsysError as error:
            faults[source.name] = error
    asked = ""
    if offers and settings.data == "ask" and ask is not None:
        question = "\n".join(("the full profile needs data:", *(f"  {offer.words}" for offer in offers), "fetch it?"))
        asked = "yes" if await ask(question) else "no"
    for offer in offers if asked != "no" else ():
        try:
            await _in_thread(fetcher, lambda offer=offer: fetcher.fetch(offer))
        except Interrupted:
            raise
        except AgentsysError as error:
            faults[offer.source.name] = error
    return asked, faults


async def _in_thread(fetcher: Fetcher, work: Callable[[], T]) -> T:
    """Run what blocks; where the caller is cancelled, stop it and wait until it has ended."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        fetcher.stop.set()
        await asyncio.gather(task, return_exceptions=True)
        raise
