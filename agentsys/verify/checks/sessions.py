"""In which sessions of pytest the tests of a round run: those first that the change since an earlier round can reach.

Long ones are shared out, to two sandboxes where there are two. All run before a verdict that passes. Where a test fails
that the change can reach, those that it cannot reach are not run: they end as they did. After a replay that failed,
and in a replay, all tests run in one session, as whoever is given the repository runs them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from agentsys.core.files import sha256_bytes
from agentsys.core.version import agentsys_version
from agentsys.verify.checks.base import Bench
from agentsys.verify.checks.install import LOCK
from agentsys.verify.checks.reach import unreached
from agentsys.verify.fidelity.evidence import TestRecord
from agentsys.verify.source.tests import source_tests
from agentsys.verify.withheld import shown

FILE = "tests.json"
WORTH = 10.0
"""Seconds of tests that are worth another session: each starts Python and imports the packages once more."""
MOST = 4
"""Sessions for the tests that a change can reach, and for those that it cannot."""


class Record(TestRecord):
    """How tests ended, and for which files and packages: `rounds/NN/tests.json` whole."""

    environment: str = ""
    files: dict[str, str] = Field(default={}, description="SHA-256 of each file that the tests could see, by path")

    def of(self, paths: Collection[str]) -> Record:
        """Return what it says of the tests in these files."""

        def kept(rows: Mapping[str, _V]) -> dict[str, _V]:
            return {test: row for test, row in rows.items() if file_of(test) in paths}

        return Record(
            outcomes=kept(self.outcomes),
            functions=kept(self.functions),
            calls=kept(self.calls),
            seconds=kept(self.seconds),
        )


_V = TypeVar("_V")
_Ended = TypeVar("_Ended")


@dataclass(frozen=True)
class Session:
    """One session: all tests but those of other sessions, so that together they are all that pytest collects."""

    ignored: frozenset[str] = frozenset()
    """Test files of other sessions."""
    files: frozenset[str] = frozenset()
    """Its own test files."""
    reached: bool = True
    """The change can reach its tests, or nothing is known of them."""


@dataclass
class Planned:
    """The sessions of a round, and what is known of tests that need not run where another one fails."""

    sessions: list[Session] = field(default_factory=lambda: [Session()])
    earlier: Record = field(default_factory=Record)
    round: int = 0
    """Round that `earlier` is of."""


def plan_sessions(bench: Bench) -> Planned:
    """Return the sessions in which the tests of this round are run."""
    found = _earlier(bench)
    if found is None:
        return Planned()
    number, past = found
    tests = {item.path for item in source_tests(bench.job.files)} | {file_of(test) for test in past.outcomes}
    tests &= bench.job.files.keys()  # a file that holds no test is ignored by no session
    cost = dict.fromkeys(tests, 0.0)
    for test, seconds in past.seconds.items():
        if file_of(test) in cost:
            cost[file_of(test)] += seconds
    if sum(cost.values()) < WORTH:
        return Planned()
    still = _passed(past, unreached(bench.job.files, _changed(bench, past))) & tests
    rows = [Session(frozenset(tests - group), frozenset(group)) for group in _shared_out(tests - still, cost)]
    late = [Session(frozenset(tests - group), frozenset(group), not rows) for group in _shared_out(still, cost)]
    return Planned([*rows, *late], past, number)


async def run_sessions(
    bench: Bench,
    sessions: Sequence[Session],
    run: Callable[[Bench, int, Session], Awaitable[_Ended]],
    ok: Callable[[_Ended], bool],
) -> list[tuple[Session, _Ended]]:
    """Run sessions in their order, in the second sandbox too once it is free; return how they ended, in that order.

    After one that failed none is begun whose tests the change cannot reach.

    Raises: Infrastructure and errors of a sandbox.
    """
    waiting = deque(enumerate(sessions))
    ended: dict[int, _Ended] = {}
    helping = False

    async def work(on: Bench) -> None:
        while waiting and not (helper.done() and on is bench and helper.exception()):
            number, session = waiting.popleft()
            if session.reached or all(map(ok, ended.values())):
                ended[number] = await run(on, number, session)

    async def help_out() -> None:
        nonlocal helping
        second = await bench.second() if bench.second is not None and len(sessions) > 1 else None
        if second is not None:
            helping = True
            await work(second)

    helper = asyncio.ensure_future(help_out())
    try:
        await work(bench)
        if helping:
            await helper
    finally:
        helper.cancel()
        await asyncio.wait({helper})  # what it raised was raised above
    return [(sessions[number], ended[number]) for number in sorted(ended)]


def environment(bench: Bench) -> str:
    """Return the hash of what was installed, where, by which version."""
    lock = bench.job.out / LOCK
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    return sha256_bytes("\0".join((text, bench.sandbox.describe().backend, agentsys_version())).encode())


def visible_files(bench: Bench) -> dict[str, str]:
    """Return the SHA-256 of each file that the tests can see."""
    return {name: sha256_bytes(data) for name, data in shown(bench.job.files).items()}


def file_of(test: str) -> str:
    """Return the file of a test by pytest's name for it."""
    return test.partition("::")[0]


def _earlier(bench: Bench) -> tuple[int, Record] | None:
    """Return the latest record of the run that is of this environment, with its round."""
    stored = bench.earlier(FILE)
    past = _read(stored[0]) if stored else None
    if past is None or past.environment != environment(bench):
        return None
    return int(stored[0].parent.name), past


def _read(file: Path) -> Record | None:
    try:
        return Record.model_validate_json(file.read_bytes())
    except ValidationError:
        return None


def _changed(bench: Bench, past: Record) -> set[str]:
    now = visible_files(bench)
    return {name for name in now.keys() | past.files.keys() if now.get(name) != past.files.get(name)}


def _passed(past: Record, paths: Collection[str]) -> set[str]:
    """Return the files of which all tests passed."""
    failed = {file_of(test) for test, outcome in past.outcomes.items() if outcome != "passed"}
    return {file_of(test) for test in past.outcomes} & set(paths) - failed


def _shared_out(paths: Collection[str], cost: Mapping[str, float]) -> list[set[str]]:
    """Return groups of files whose tests take about as long as each other's, the longest first; none where none is."""
    count = min(len(paths), MOST, max(1, round(sum(cost[path] for path in paths) / WORTH)))
    groups: list[set[str]] = [set() for _ in range(count)]
    for path in sorted(paths, key=lambda path: (-cost[path], path)):
        min(groups, key=lambda group: sum(cost[item] for item in group)).add(path)
    return groups
