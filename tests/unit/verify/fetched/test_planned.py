"""A plan's data: who is asked, what is sent before that, what is written down, and how a wait ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import DataSource
from agentsys.core.errors import BlockedError, PrerequisiteError, UsageError
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.core.state import State
from agentsys.plan.data import read_state
from agentsys.run.router import next_step
from agentsys.verify.data.fetch import Offer
from agentsys.verify.data.pins import read_lock
from agentsys.verify.data.planned import Got, fetcher_for, get_data, require_all, survey
from unit.verify.fetched.server import Site, serving
from unit.verify.tiny import PLAN

CSV = b"x,y\n1,2\n3,4\n"
SOURCES = (
    DataSource.model_validate(
        {"name": "set", "kind": "url", "identifier": "https://data.github.com/x.csv", "licence": "CC0", "size": 12}
    ),
    DataSource(name="other", kind="url", identifier="https://data.github.com/y.csv"),
    DataSource(name="shipped", kind="package", identifier="scikit-learn"),
)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({"/x.csv": CSV, "/y.csv": CSV + CSV})) as made:
        yield made


class Planned:
    """A run with a plan that names data, and a person who answers."""

    def __init__(self, root: Path, site: Site) -> None:
        self.run, self.site = RunDir(root / "run"), site
        self.run.repo.mkdir(parents=True)
        self.plan = PLAN.model_copy(update={"data": SOURCES})
        self.asked: list[str] = []
        self.refused = ""
        self.judged: list[list[str]] = []

    def settings(self, **more: Any) -> Settings:
        return Settings(data_mirrors=[f"data.github.com={self.site.base}"], **more)

    async def get(self, answer: bool | None = None, *, again: bool = False, **more: Any) -> Got:
        settings = self.settings(**more)
        fetcher = fetcher_for(self.run, settings, ["github.com"], lambda _name, _words: None)
        fetcher.wire.pause = 0.0

        async def ask(question: str) -> bool:
            self.asked.append(question)
            return bool(answer)

        asked = ask if answer is not None else None
        return await get_data(self.run, self.plan, settings, fetcher, self.judge, asked, again=again)

    def judge(self, offer: Offer) -> str:
        self.judged.append(offer.addresses)
        return self.refused

    def states(self) -> list[str]:
        return [row.state for row in read_state(self.run.path).sources]


@pytest.fixture
def planned(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Planned:
    monkeypatch.setenv("AGENTSYS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("agentsys.verify.data.store.shared_dir", lambda: tmp_path / "cache")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return Planned(tmp_path, site)


async def test_a_person_is_asked_once_for_all_of_it_with_size_licence_and_host(planned: Planned) -> None:
    got = await planned.get(True)
    assert planned.states() == ["here", "here", "package"] and got.faults == {}
    (question,) = planned.asked
    assert "set: url https://data.github.com/x.csv; 1.2e-05 MB; licence CC0; 1 files from data.github.com" in question
    assert "other:" in question and "size not stated; licence not stated" in question
    assert read_state(planned.run.path).held("set").number == 1
    assert read_state(planned.run.path).held("set").files == {
        "x.csv": "3 rows, with the first line, 12 bytes, begins `x,y`"
    }
    await planned.get(True)
    assert len(planned.asked) == 1 and planned.site.paths == {"/x.csv": 1, "/y.csv": 1}


async def test_no_is_kept_and_nothing_is_fetched_until_it_is_asked_for_again(planned: Planned) -> None:
    await planned.get(False)
    assert planned.states() == ["absent", "absent", "package"] and planned.site.asked == []
    assert read_state(planned.run.path).held("set").why == "it was not wanted"
    await planned.get(True)
    assert len(planned.asked) == 1 and planned.site.asked == []
    await planned.get(True, again=True)
    assert len(planned.asked) == 2 and planned.states() == ["here", "here", "package"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"data": "never"}, "nothing is fetched"),
        ({"offline": True, "data": "auto"}, "offline"),
        ({}, "nobody could be"),
    ],
)
async def test_without_leave_or_network_no_request_is_sent_and_the_full_profile_is_said_to_need_it(
    planned: Planned, settings: dict[str, Any], why: str
) -> None:
    got = await planned.get(None, **settings)
    assert why in read_state(planned.run.path).held("set").why and planned.site.asked == []
    with pytest.raises(PrerequisiteError, match="the full profile needs data that is not here: `set`") as caught:
        require_all(planned.plan, got)
    assert "--data-dir" in caught.value.hint and "`shipped`" not in caught.value.message


async def test_what_the_policy_refuses_is_neither_asked_for_nor_fetched(planned: Planned) -> None:
    planned.refused = "the host is not on the list"
    got = await planned.get(True)
    assert planned.judged == [[SOURCES[0].identifier], [SOURCES[1].identifier]]
    assert planned.asked == [] and planned.site.asked == [] and set(got.faults) == {"set", "other"}
    assert "the host is not on the list" in read_state(planned.run.path).held("set").why


async def test_what_cannot_be_had_does_not_keep_the_rest_away(planned: Planned) -> None:
    del planned.site.files["/y.csv"]
    got = await planned.get(None, data="auto")
    assert planned.states() == ["here", "absent", "package"]
    assert set(got.faults) == {"other"} and "nothing at" in read_state(planned.run.path).held("other").why
    with pytest.raises(PrerequisiteError, match="`other`"):
        require_all(planned.plan, got)


async def test_a_folder_stands_for_all_of_it_and_no_request_is_sent(planned: Planned, tmp_path: Path) -> None:
    await planned.get(None, data="auto")
    sent = len(planned.site.asked)
    mine = tmp_path / "mine"
    for name in ("set/x.csv", "other/y.csv"):
        (mine / name).parent.mkdir(parents=True)
    (mine / "set/x.csv").write_bytes(CSV)
    (mine / "other/y.csv").write_bytes(CSV + CSV)
    got = await planned.get(None, data_dir=mine, data="auto")
    assert got.shown is not None and set(got.shown.files) == {"set/x.csv", "other/y.csv"}
    require_all(planned.plan, got)
    (mine / "set/x.csv").write_bytes(b"x,y\n9,9\n")
    with pytest.raises(BlockedError, match="pins"):
        survey(planned.run, planned.plan, planned.settings(data_dir=mine))
    with pytest.raises(UsageError, match="is not a folder"):
        await planned.get(None, data_dir=tmp_path / "absent")
    assert len(planned.site.asked) == sent


async def test_a_run_that_is_cancelled_in_a_transfer_ends_and_the_next_one_goes_on(planned: Planned) -> None:
    planned.site.files["/x.csv"], planned.site.held = CSV * 50_000, threading.Event()
    task = asyncio.create_task(planned.get(None, data="auto"))
    await asyncio.to_thread(planned.site.begun.wait, 20)
    task.cancel()
    await asyncio.sleep(0)
    planned.site.held.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    planned.site.held = None
    assert read_lock(planned.run.repo).sources == {}
    await planned.get(None, data="auto")
    assert planned.states() == ["here", "here", "package"]


def test_data_is_due_after_the_plan_and_before_claims_and_code() -> None:
    assert next_step(State(screened="allowed", planned=True, data_due=True)) == "data"
    assert next_step(State(screened="allowed", planned=True)) == "claims"
    assert next_step(State(screened="allowed", data_due=True)) == "plan"
