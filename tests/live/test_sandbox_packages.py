"""What the package index hands out, and what it refuses, seen from inside the install phase of every backend."""

from __future__ import annotations

import functools
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentsys_sandbox.choose import connect
from agentsys_sandbox.image.engine_image import ensure_image
from agentsys_sandbox.labels import labels
from agentsys_sandbox.packages.gateway import Gateway, GatewayOptions
from agentsys_sandbox.spec import Outcome
from live.sandboxes import Place, need, python
from unit.sandbox.upstreams import FakeIndex, fake_index, wheel

SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
TINY = "tinypkg-1.0-py3-none-any.whl"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeIndex]:
    """An index on the loopback interface as the only package source of the host, with a cache of its own."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("NO_PROXY", "*")
    with fake_index() as found:
        monkeypatch.setenv("PIP_INDEX_URL", f"{found.url}/simple/")
        given(monkeypatch, tmp_path)
        yield found


def given(patch: pytest.MonkeyPatch, cache: Path, **changes: object) -> None:
    """Gateways that sandboxes open from now on keep downloads in `cache`, and have these options."""
    real = vars(Gateway).get("untouched_init", Gateway.__init__)

    @functools.wraps(real)
    def init(self: Gateway, cache_dir: Path | None = None, options: GatewayOptions | None = None) -> None:
        real(self, cache, replace(options or GatewayOptions(), **changes))  # type: ignore[arg-type]

    patch.setattr(Gateway, "untouched_init", real, raising=False)
    patch.setattr(Gateway, "__init__", init)


async def test_a_package_comes_with_the_hash_of_what_was_handed_out(place: Place, index: FakeIndex) -> None:
    index.publish(TINY, wheel())
    async with place.open() as box:
        installed = await box.install(["tinypkg"], timeout=100)
        assert installed.result.ok, installed.result
        assert [(each.name, each.version, len(each.sha256)) for each in installed.packages] == [("tinypkg", "1.0", 64)]
        assert (await box.exec(["python", "-c", "import tinypkg; print(tinypkg.VALUE)"])).stdout == b"42\n"


async def test_a_file_that_differs_from_its_hash_is_not_installed(place: Place, index: FakeIndex) -> None:
    index.publish(TINY, wheel(), digest="0" * 64)
    async with place.open() as box:
        installed = await box.install(["tinypkg"], timeout=100)
        assert not installed.result.ok
        assert installed.packages == ()
        assert not (await box.exec(["python", "-c", "import tinypkg"])).ok


REFUSALS = {
    "a denied name": {"denied": {"tinypkg": "its name imitates another package"}},
    "an upload of yesterday": {"uploaded_before": datetime(2020, 1, 1, tzinfo=UTC)},
    "more bytes than allowed": {"quota": 100},
}


@pytest.mark.parametrize("options", REFUSALS.values(), ids=REFUSALS)
async def test_what_the_gateway_refuses_is_answered_at_once_and_not_installed(
    place: Place, index: FakeIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, object]
) -> None:
    index.publish(TINY, wheel())
    given(monkeypatch, tmp_path, **options)
    async with place.open() as box:
        installed = await box.install(["tinypkg"], timeout=100)
        assert installed.result.outcome in (Outcome.NONZERO, Outcome.DENIED_BY_POLICY), installed.result
        assert installed.result.seconds < 60
        assert not (await box.exec(["python", "-c", "import tinypkg"])).ok
    assert not [line for line in index.seen if TINY in line] or "quota" in options


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A container with a service, on a network that this test makes; its address, which the host itself reaches."""
    need("docker")
    run = f"peer{os.getpid()}"
    engine = connect()
    api = engine._api
    name, marks = f"agentsys-{run}", labels(run, 300)
    network = api.create_network(name, driver="bridge", internal=True, labels=marks)["Id"]
    try:
        made = api.create_container(
            image=ensure_image(engine),
            name=name,
            user="1000",
            labels=marks,
            entrypoint=["python3"],
            command=["-m", "http.server", "8000", "--directory", "/work"],
            host_config=api.create_host_config(network_mode=name, mem_limit=128 << 20, pids_limit=50, init=True),
        )["Id"]
        try:
            api.start(made)
            address = api.inspect_container(made)["NetworkSettings"]["Networks"][name]["IPAddress"]
            yield address, 8000
        finally:
            api.remove_container(made, force=True, v=True)
    finally:
        api.remove_network(network)
        engine.close()


def reach(address: str, port: int) -> bool:
    """True if the host can connect; waits for a service that starts."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as client:
            client.settimeout(1)
            if client.connect_ex((address, port)) == 0:
                return True
        time.sleep(0.1)
    return False


async def test_another_container_is_out_of_reach_in_both_phases(
    place: Place, index: FakeIndex, peer: tuple[str, int]
) -> None:
    assert reach(*peer), "the host itself must reach it, or the test shows nothing"
    code = f"import socket\ntry: socket.create_connection({peer!r}, 3); print('reached')\nexcept OSError: print('no')"
    backend = (
        "import zipfile\n"
        "def build_editable(folder, config_settings=None, metadata_directory=None):\n"
        f"    import subprocess; out = subprocess.run(['python3', '-c', {code!r}], capture_output=True, text=True)\n"
        "    open('/work/repo/seen', 'w').write(out.stdout)\n"
        "    raise SystemExit(1)\n"
    )
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "p"\n'
    async with place.open() as box:
        assert (await python(box, code)).stdout == b"no\n"
        await box.write_files({"pyproject.toml": f'{project}version = "1"\n'.encode(), "backend.py": backend.encode()})
        assert not (await box.install(project=True, timeout=100)).result.ok
        assert await box.read_file("repo/seen") == b"no\n"
