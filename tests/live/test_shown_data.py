"""A folder of the host shown to a sandbox as data: read-only, whole, and nothing that code can change or outlive."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.verify.data.store import Store
from agentsys.verify.datafiles import DataFolder
from agentsys_sandbox.base import DATA, Sandbox
from agentsys_sandbox.docker.sandbox import DockerSandbox
from live.sandboxes import Place

ATTACKS = (
    "echo x > data/set/a.csv", "rm -rf data/set", f"mv {DATA}/set {DATA}/other", f"touch {DATA}/new",
    f"rm -rf {DATA}", f"mv {DATA} {DATA}.old && mkdir {DATA}", f"chmod -R u+w {DATA}", f"umount {DATA}",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for folder in (tmp_path, *tmp_path.parents[:3]):  # a sandbox may run as another user
        folder.chmod(0o755)
    return Store(tmp_path / "cache")


def shown(folder: Path) -> DataFolder:
    (folder / "mine").mkdir()
    (folder / "mine/a.csv").write_text("1,2\n")
    (folder / "mine/secret.csv").write_text("3,4\n")
    (folder / "mine/secret.csv").chmod(0o600)
    return DataFolder({"set/a.csv": folder / "mine/a.csv", "set/b.csv": folder / "mine/secret.csv"}, "a test")


async def text(box: Sandbox, command: str) -> str:
    result = await box.exec(["/bin/sh", "-c", command])
    return result.text()


async def test_data_is_there_read_only_and_survives_what_code_does_to_it(
    place: Place, tmp_path: Path, store: Store
) -> None:
    with shown(tmp_path).folder(store) as (folder, digest):
        async with place.open() as box:
            await box.write_files({"x.py": b""})
            await box.show_data(folder)
            assert await text(box, "cat data/set/a.csv data/set/b.csv; ls data") == "1,2\n3,4\nset\n"
            for attack in ATTACKS:
                await box.exec(["/bin/sh", "-c", attack])
            assert await text(box, f"cat {DATA}/set/a.csv {DATA}/set/b.csv; ls {DATA}") == "1,2\n3,4\nset\n"
            await box.clear()
            left = await box.exec(["/bin/sh", "-c", f"ls -A; cat {DATA}/set/a.csv"], cwd="/work")
            assert left.stdout.split() == [b"data", b"instruments", b"venv", b"1,2"]
            await box.write_files({"x.py": b"", "data/own.txt": b"own", "data/set/a.csv": b"fake"})
            await box.show_data(folder)
            assert await text(box, "cat data/set/a.csv data/own.txt") == "1,2\nown"
        assert len(digest) == 64 and (folder / "set/a.csv").read_text() == "1,2\n"
    assert not folder.exists() and (tmp_path / "mine/secret.csv").stat().st_mode & 0o777 == 0o600


async def test_what_stands_where_data_is_shown_is_removed_and_links_lead_nowhere(
    place: Place, tmp_path: Path, store: Store
) -> None:
    with shown(tmp_path).folder(store) as (folder, _):
        async with place.open() as box:
            await box.write_files({"x.py": b""})
            await box.exec(["/bin/sh", "-c", f"ln -s /etc {DATA}; ln -s /etc data"])
            await box.show_data(folder)
            assert await text(box, "cat data/set/a.csv; ls data") == "1,2\nset\n"


async def test_data_does_not_count_as_what_the_code_wrote(place: Place, tmp_path: Path, store: Store) -> None:
    (tmp_path / "large").write_bytes(bytes(80 << 20))
    with DataFolder({"large.bin": tmp_path / "large"}, "a test").folder(store) as (folder, _):
        async with place.open(disk=40 << 20) as box:
            await box.write_files({"x.py": b""})
            await box.show_data(folder)
            assert await text(box, "sleep 2; wc -c < data/large.bin") == f"{80 << 20}\n"


async def test_an_engine_that_sees_no_folder_of_this_machine_gets_a_copy(
    engine_place: Place, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DockerSandbox, "_share", DockerSandbox._share_nothing)
    with shown(tmp_path).folder(store) as (folder, _):
        async with engine_place.open() as box:
            await box.write_files({"x.py": b""})
            await box.show_data(folder)
            attack = "(echo x > data/set/a.csv) 2>/dev/null; cat data/set/a.csv data/set/b.csv"
            assert await text(box, attack) == "1,2\n3,4\n"
