"""The canary and the look at what is left behind would notice: each kind of change and of residue is made once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentsys_sandbox.packages.scratch import scratch
from live.hostwatch import Canary, on_disk, on_engine, processes
from live.sandboxes import Place, python


@pytest.fixture
def bird() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.remove()


CHANGES: dict[str, Callable[[Canary], object]] = {
    "written": lambda canary: (canary.folder / "open.txt").write_text("other"),
    "rights": lambda canary: (canary.folder / "run.sh").chmod(0o4777),
    "gone": lambda canary: (canary.folder / "link").unlink(),
    "new": lambda canary: (canary.folder / "planted").touch(),
    "killed": lambda canary: (canary.process.kill(), canary.process.wait()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_of_the_canary_is_noticed(bird: Canary, change: Callable[[Canary], object]) -> None:
    assert bird.changes() == []
    change(bird)
    assert bird.changes() != []


async def test_what_a_sandbox_consists_of_is_seen_while_it_is_open(place: Place) -> None:
    async with place.open() as box:
        ready = asyncio.Event()
        code = "import time; print('up', flush=True); time.sleep(60)"
        task = asyncio.create_task(box.exec(["python3", "-c", code], on_output=lambda name, data: ready.set()))
        await asyncio.wait_for(ready.wait(), 60)
        kinds = {each.split()[0] for each in (*on_engine(place.run), *on_disk(place.run))}
        assert kinds >= ({"container", "volume"} if place.backend == "docker" else {"folder"})
        if processes(place.run):  # an ordinary user does not see them
            assert processes(place.run, keeper=False)
        task.cancel()
        await asyncio.wait({task})
        assert (await python(box, "print(1)")).ok


def test_a_folder_of_an_environment_is_seen(own_temporary_folder: Path) -> None:
    with scratch(own_temporary_folder / "packages-any/mounts") as folder:
        assert f"folder {folder}" in on_disk("any")
