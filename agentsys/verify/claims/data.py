"""The paper's data for programs of claims: what of the plan's sources is here is shown to every cell, read-only."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from agentsys.core.artifacts import DataSource, Plan
from agentsys.core.errors import PrerequisiteError
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.paper.query import letters
from agentsys.plan.claims.contract import Contract
from agentsys.verify.checks.base import Bench
from agentsys.verify.data.planned import absent_of, survey
from agentsys.verify.datafiles import DataFolder, files_of, miscounted
from agentsys_sandbox.base import Sandbox


def data_here(run: RunDir, plan: Plan, settings: Settings) -> DataFolder | None:
    """Return what of a plan's data is here, or the user's folder; None where there is nothing.

    Raises: UsageError, BlockedError; see `survey`.
    """
    if settings.data_dir is None and not plan.data:
        return None
    return survey(run, plan, settings, told=False).shown


def data_absent(run: RunDir, plan: Plan, settings: Settings) -> list[DataSource]:
    """Return the sources of a plan that are not here. Blocks: what is pinned is read and compared.

    Raises: UsageError, BlockedError; see `survey`.
    """
    return absent_of(plan, survey(run, plan, settings, told=False)) if plan.data else []


def rested_on(contract: Contract, sources: Iterable[DataSource]) -> list[str]:
    """Return the names of those sources that a claim rests on, as its contract names them."""
    wanted = [name for row in contract.datasets if (name := letters(row.name))]
    return [
        row.name for row in sources if any(letters(row.name) in name or name in letters(row.name) for name in wanted)
    ]


def identity_of(data: DataFolder | None) -> str:
    """Return what cells note of the data that they are shown; empty for none."""
    return data.identity if data is not None else ""


@contextmanager
def shown_to_cells(plan: Plan, data: DataFolder | None) -> Generator[Callable[[Bench], None]]:
    """A function after which a bench shows the data to all that is run on it; what is installed before does not see it.

    Blocks: what is pinned is read and compared, and what the plan counts is counted.

    Raises: PrerequisiteError where a number of rows is another one than the plan's; UsageError, BlockedError.
    """
    if data is None:
        yield lambda _: None
        return
    for source in plan.data:
        files = files_of(data.files, source)
        if found := miscounted(source, files) if files else ():
            raise PrerequisiteError(found[0].message, "see `agentsys data verify`")
    identity = data.identity
    with data.folder() as (folder, _):

        async def add(place: Sandbox) -> None:
            await place.show_data(folder)

        def show(bench: Bench) -> None:
            bench.add_files, bench.data = add, identity

        yield show
