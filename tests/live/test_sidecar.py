"""The package index as a neighbour container: the same answers as by the socket, and nothing else in reach."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys_sandbox.base import Sandbox, WeakSandbox
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.labels import RUN
from agentsys_sandbox.packages.gateway import Gateway
from agentsys_sandbox.reap import on_engine
from agentsys_sandbox.spec import IndexRules, InstallResult, Outcome, SandboxSpec
from live.sandboxes import SMALL, Place
from live.test_sandbox_install import BACKEND, PROJECT, own_addresses
from unit.sandbox.upstreams import sha256, wheel

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(autouse=True)
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index on this machine's disk and a folder of wheels, as pip's configuration names them."""
    for name in ("onpage", "banned"):
        page = tmp_path / "simple" / name
        page.mkdir(parents=True)
        data = wheel(name)
        (tmp_path / "simple" / f"{name}-1.0-py3-none-any.whl").write_bytes(data)
        link = f"{name}-1.0-py3-none-any.whl"
        (page / "index.html").write_text(f'<!DOCTYPE html><a href="../{link}#sha256={sha256(data)}">{link}</a>')
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "infolder-2.0-py3-none-any.whl").write_bytes(wheel("infolder", "2.0"))
    (tmp_path / "secret-1.0-py3-none-any.whl").write_bytes(b"not in any source")
    for variable in ("PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path


@asynccontextmanager
async def opened(place: Place, gateway: str = "sidecar", **rules: object) -> AsyncIterator[Sandbox]:
    """A sandbox whose install phase goes that way."""
    spec = SandboxSpec(run=place.run, limits=replace(SMALL, disk=1 << 30), gateway=gateway, index=IndexRules(**rules))  # type: ignore[arg-type]
    async with open_sandbox(spec, "docker") as sandbox:
        yield sandbox


def audit(installed: InstallResult) -> list[tuple[object, ...]]:
    """The audit lines but for what differs from one gateway to the next: keys of files, lengths of pages, the order."""
    keys = ("method", "path", "status", "decision", "package", "version", "sha256")
    plain = ({**each, "path": re.sub("[0-9a-f]{32}", "KEY", str(each["path"]))} for each in installed.requests)
    return sorted({tuple(str(each[key]) for key in keys) for each in plain})


async def test_both_ways_install_the_same_and_write_the_same_audit_lines(engine_place: Place) -> None:
    found: dict[str, InstallResult] = {}
    for way in ("socket", "sidecar"):
        async with opened(engine_place, way) as box:
            found[way] = await box.install(["onpage", "infolder"], timeout=120)
            assert found[way].result.ok, found[way].result
            done = await box.exec(["python", "-c", "import onpage, infolder; print(onpage.VALUE)"], timeout=30)
            assert done.stdout == b"42\n"
            control = {each.name: each for each in box.describe().controls}["install phase without a network card"]
            assert control.effective is (way == "socket")
    assert found["socket"].packages == found["sidecar"].packages
    assert {each.sha256 for each in found["sidecar"].packages} == {
        sha256(wheel("onpage")),
        sha256(wheel("infolder", "2.0")),
    }
    assert audit(found["socket"]) == audit(found["sidecar"]) != []


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"denied": {"banned": "it is a trap"}}, "it is a trap"),
        ({"quota": 100}, "bytes"),
        ({"cooldown": 3600.0}, ""),  # the index on disk tells no upload time, so nothing of it is offered
    ],
)
async def test_denylist_quota_and_cool_down_hold_in_the_sidecar(
    engine_place: Place, rules: dict[str, object], words: str
) -> None:
    async with opened(engine_place, **rules) as box:
        installed = await box.install(["banned"], timeout=120)
        assert installed.result.outcome is Outcome.NONZERO, installed.result
        assert any(words in str(each["decision"]) for each in installed.requests), installed.requests


@pytest.fixture
def services() -> Iterator[list[int]]:
    """A service on all addresses of this machine; the list holds its port, then a line for each caller."""
    heard: list[int] = []
    with socket.create_server(("0.0.0.0", 0)) as server:
        heard.append(server.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                heard.append(1)
                client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


async def test_the_install_container_reaches_the_gateway_and_nothing_else(
    engine_place: Place, services: list[int]
) -> None:
    """Neither the host, nor a name, nor another port of the sidecar, nor anything behind the sidecar's other leg."""
    code = (
        f"found = []\n    hop = [l.split()[2] for l in open('/proc/net/route') if l.split()[1] == '00000000']\n"
        "    hops = [socket.inet_ntoa(bytes.fromhex(h)[::-1]) for h in hop]\n"
        f"    for address in {own_addresses()!r} + hops:\n"
        f"        try: socket.create_connection((address, {services[0]}), 2); found.append(address)\n"
        "        except OSError: pass\n"
        "    try: found.append(socket.getaddrinfo('agentsys.invalid', 80))\n    except OSError: pass\n"
        "    try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); found.append('raw socket')\n"
        "    except OSError: pass\n"
        "    return [found, sorted(name for name in os.listdir('/sys/class/net'))]"
    )
    async with opened(engine_place) as box:
        await box.write_files({"pyproject.toml": PROJECT, "backend.py": BACKEND.replace("CODE", code).encode()})
        installed = await box.install(project=True, timeout=180)
        assert installed.result.ok, installed.result
        found, interfaces = json.loads(await box.read_file("repo/seen.json") or b"")
        assert found == []
        assert "eth0" in interfaces
        assert services[1:] == []
        inside = "import os; print(sorted(os.listdir('/sys/class/net')))"
        assert b"eth" not in (await box.exec(["python", "-c", inside], timeout=30)).stdout  # the run phase has none


async def test_a_network_that_leads_to_the_host_is_refused(
    engine_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plain(self: Engine, name: str, labels: dict[str, str]) -> None:
        self._api.create_network(name, driver="bridge", internal=True, labels=dict(labels))

    monkeypatch.setattr(Engine, "create_network", plain)
    async with opened(engine_place) as box:
        with pytest.raises(WeakSandbox, match="leads further than to the package index: the host at"):
            await box.install(["onpage"], timeout=120)


async def test_where_the_socket_does_not_get_through_the_sidecar_is_taken(
    engine_place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "nothing-here").mkdir(mode=0o755)
    monkeypatch.setattr(Gateway, "socket_dir", tmp_path / "nothing-here")
    async with opened(engine_place, "auto") as box:
        assert (await box.install(["onpage"], timeout=120)).result.ok


async def test_an_engine_that_does_not_see_the_folder_gets_the_sidecar_too(
    engine_place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Gateway, "socket_dir", tmp_path / "absent")
    async with opened(engine_place, "auto") as box:
        assert (await box.install(["onpage"], timeout=120)).result.ok


async def test_a_sidecar_that_dies_is_no_fault_of_the_requirements(engine_place: Place) -> None:
    async with opened(engine_place) as box:
        killed: list[str] = []

        def heard(stream: str, data: bytes) -> None:
            if b"Building" in data and not killed:
                killed.append("yes")
                engine = Engine.connect()
                for each in engine.containers(f"{RUN}={engine_place.run}"):
                    state = engine._api.inspect_container(each.name)["Name"]
                    if state.endswith("-index"):
                        engine.kill(each.name)
                engine.close()

        code = "import time; time.sleep(3); raise SystemExit(1)"
        await box.write_files({"pyproject.toml": PROJECT, "backend.py": BACKEND.replace("CODE", code).encode()})
        installed = await box.install(project=True, timeout=120, on_output=heard)
        assert killed
        assert installed.result.outcome is Outcome.INFRA_ERROR, installed.result
        assert "sidecar ended" in installed.result.message


async def test_cancelling_leaves_neither_sidecar_nor_network(engine_place: Place) -> None:
    async with opened(engine_place) as box:
        code = "import time; time.sleep(100)"
        await box.write_files({"pyproject.toml": PROJECT, "backend.py": BACKEND.replace("CODE", code).encode()})
        building = asyncio.Event()

        def heard(stream: str, data: bytes) -> None:
            if b"Building" in data:
                building.set()

        task = asyncio.create_task(box.install(project=True, on_output=heard))
        await asyncio.wait_for(building.wait(), 60)
        engine = Engine.connect()
        try:
            kinds = [each.kind for each in on_engine(engine, everything=True) if each.run == engine_place.run]
            assert sorted(kinds) == ["container"] * 3 + ["network"] + ["volume"] * 3  # all labelled
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            kinds = [each.kind for each in on_engine(engine, everything=True) if each.run == engine_place.run]
            assert sorted(kinds) == ["container", "volume", "volume"]
        finally:
            engine.close()


@pytest.mark.index
async def test_packages_of_the_configured_index_come_through_the_sidecar(
    engine_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_FIND_LINKS"):
        monkeypatch.delenv(variable)
    async with opened(engine_place) as box:
        installed = await box.install(["six", "iniconfig"], timeout=240)
        assert installed.result.ok, installed.result
        assert all(re.fullmatch("[0-9a-f]{64}", each.sha256) for each in installed.packages)
