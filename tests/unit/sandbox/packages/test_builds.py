"""Which build of PyTorch is taken for a driver, by uv itself, from its indexes as they are laid out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsys_sandbox.packages.store import PackageStore
from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.packages.wish import Wish
from agentsys_sandbox.spec import IndexRules
from unit.sandbox.packages.pytorch import fill, serving
from unit.sandbox.packages.shelf import Shelf, wheel

TARGET = Target("3.11.7", "x86_64-manylinux_2_36")


@pytest.fixture
def torches(tmp_path: Path, shelf: Shelf) -> Iterator[PackageStore]:
    """A store on an index that has `torch` as well, beside PyTorch's own."""
    shelf.wheel("torch", "2.8.0", "numpy", "nvidia-cuda-runtime==13.0.1")
    shelf.wheel("numpy", "2.1.0")
    runtimes = (("", "13.0.1"), ("-cu12", "12.6.1"), ("-cu12", "12.8.1"), ("-cu11", "11.8.1"))
    for name, version in ((f"nvidia-cuda-runtime{suffix}", version) for suffix, version in runtimes):
        shelf.add(name, *wheel(name.replace("-", "_"), version, (), {f"{name}.txt": ""}))
    fill(tmp_path / "pytorch")
    with serving(tmp_path / "pytorch", tmp_path / "keys") as variables:
        yield PackageStore(tmp_path / "cache", shelf.host(environment=variables))


@pytest.mark.parametrize(
    ("driver", "torch"),
    [
        ("580.65.06", "torch==2.8.0+cu130"),
        ("570.124.06", "torch==2.8.0+cu128"),
        ("535.54.03", "torch==2.8.0+cu128"),
        ("470.82.01", "torch==2.8.0+cu118"),
        ("390.157", "torch==2.8.0+cpu"),
        ("", "torch==2.8.0"),
    ],
)
async def test_the_newest_build_that_a_driver_runs_is_taken_and_everything_else_from_the_users_index(
    torches: PackageStore, driver: str, torch: str
) -> None:
    found = await torches.resolve(Wish(("torch",), ("torch==2.8.0",)), TARGET, IndexRules(driver=driver))
    assert found.lock is not None, found.result
    assert torch in found.lock.pins and "numpy==2.1.0" in found.lock.pins
    again = await torches.resolve(Wish(("torch",)), TARGET, IndexRules(driver=driver), locked=found.lock)
    assert again.lock is not None and again.lock.pins == found.lock.pins, again.result
    made = await torches.link(again.lock, TARGET)
    assert made.folder is not None, made.result


async def test_what_is_locked_as_the_users_index_has_it_stays_that_whatever_driver_is_named(
    torches: PackageStore,
) -> None:
    locked = (await torches.resolve(Wish(("torch",)), TARGET, IndexRules())).lock
    again = await torches.resolve(Wish(("torch",)), TARGET, IndexRules(driver="570.124.06"), locked=locked)
    assert again.lock is not None and locked is not None and again.lock.pins == locked.pins, again.result
