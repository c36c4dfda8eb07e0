"""Packages: chosen on the host, built without network, seen read-only; and nothing of a build survives it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.docker.endpoints import docker as connect
from agentsys_sandbox.docker.sandbox import DockerSandbox
from agentsys_sandbox.image.engine_image import ensure_image
from agentsys_sandbox.labels import labels
from agentsys_sandbox.packages.lock import parse_lock
from agentsys_sandbox.spec import IndexRules, Outcome
from live.sandboxes import Place, install, need, python
from unit.sandbox.packages.shelf import Shelf

pytestmark = pytest.mark.asyncio(loop_scope="module")
OF_THE_HOST = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
PROJECT = b"""
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "planted"
version = "1.0"
"""
BACKEND = """
import json, os, socket, subprocess, zipfile

def look():
    CODE

def build_editable(folder, config_settings=None, metadata_directory=None):
    with open('/work/repo/seen.json', 'w') as out: json.dump(look(), out)
    name = 'planted-1.0-py3-none-any.whl'
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:
        info = 'planted-1.0.dist-info/'
        wheel.writestr('planted.pth', '/work/repo\\n')
        wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: planted\\nVersion: 1.0\\n')
        wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
        names = ['planted.pth', *(info + name for name in ('METADATA', 'WHEEL', 'RECORD'))]
        wheel.writestr(info + 'RECORD', ''.join(name + ',,\\n' for name in names))
    return name
"""
FROM_SOURCE = """
import zipfile
def build_wheel(folder, config=None, metadata=None):
    with zipfile.ZipFile(folder + "/src-1.0-py3-none-any.whl", "w") as out:
        out.writestr("src.py", "import lib\\nanswer = 42\\n")
        head = "Metadata-Version: 2.1\\nName: src\\nVersion: 1.0\\n"
        out.writestr("src-1.0.dist-info/METADATA", head + "Requires-Dist: lib\\n")
        out.writestr("src-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        out.writestr("src-1.0.dist-info/RECORD", "")
    return "src-1.0-py3-none-any.whl"
"""


def project(code: str) -> dict[str, bytes]:
    """A repository whose build runs `code` as the body of a function. No two are alike, so that each one is built."""
    backend = BACKEND.replace("CODE", code) + f"# {secrets.token_hex(8)}\n"
    return {"pyproject.toml": PROJECT, "backend.py": backend.encode()}


async def plant(box: Sandbox, code: str) -> object:
    """Install a project whose build runs `code`; return what that returned."""
    files = project(code)
    await box.write_files(files)
    installed = await install(box, files=files)
    assert installed.result.ok, installed.result
    seen = await box.read_file("repo/seen.json")
    assert seen is not None
    return json.loads(seen)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An index in a folder as the only package source of the host."""
    for name in OF_THE_HOST:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    found = Shelf(tmp_path / "simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", found.folder.as_uri())
    return found


@pytest.fixture
def services() -> Iterator[list[int]]:
    """Services on all addresses of this machine; the list holds their port, then a line for each caller."""
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


def own_addresses() -> list[str]:
    """Addresses of this machine's interfaces, from the kernel's routing table of local addresses."""
    text = Path("/proc/net/fib_trie").read_text()
    return sorted(set(re.findall(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", text)))


async def test_a_build_reaches_no_service_of_the_host(box: Sandbox, services: list[int]) -> None:
    code = (
        f"found = []\n    for address in {own_addresses()!r}:\n"
        f"        try: socket.create_connection((address, {services[0]}), 2); found.append(address)\n"
        "        except OSError: pass\n"
        "    try: found.append(socket.getaddrinfo('agentsys.invalid', 80))\n    except OSError: pass\n"
        "    return [found, [name for _, name in socket.if_nameindex()]]"
    )
    assert await plant(box, code) == [[], ["lo"]]
    assert services[1:] == []


async def test_no_name_is_looked_up_anywhere_by_a_build(box: Sandbox) -> None:
    code = (
        "found = []\n"
        "    for attempt in (lambda: socket.getaddrinfo('x.agentsys.invalid', 80),\n"
        "                    lambda: socket.socket(2, 2).sendto(b'x', ('192.0.2.53', 53)),\n"
        "                    lambda: socket.socket(10, 2).sendto(b'x', ('2001:db8::53', 53)),\n"
        "                    lambda: socket.create_connection(('192.0.2.53', 53), 2),\n"
        "                    lambda: socket.socket(2, 3, 1)):\n"
        "        try: attempt(); found.append('reached')\n"
        "        except OSError: found.append('refused')\n"
        "    return found"
    )
    assert await plant(box, code) == ["refused"] * 5


@pytest.fixture
def peer() -> Iterator[tuple[str, int]]:
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


async def test_another_container_is_out_of_reach_of_programs_and_builds(place: Place, peer: tuple[str, int]) -> None:
    assert reach(*peer), "the host itself must reach it, or the test shows nothing"
    code = f"import socket\ntry: socket.create_connection({peer!r}, 3); print('reached')\nexcept OSError: print('no')"
    async with place.open() as box:
        assert (await python(box, code)).stdout == b"no\n"
        look = f"return subprocess.run(['python3', '-c', {code!r}], capture_output=True, text=True).stdout"
        assert await plant(box, look) == "no\n"


async def test_a_daemon_planted_by_a_build_does_not_live_on(box: Sandbox) -> None:
    code = (
        "subprocess.Popen(['sh', '-c', 'while true; do date +%s%N > /work/beat; sleep 0.1; done'],\n"
        "        start_new_session=True, stdin=-3, stdout=-3, stderr=-3)\n"  # subprocess.DEVNULL
        "    return 1"
    )
    await plant(box, code)
    again = "import os, time\nb = lambda: os.path.exists('/work/beat') and open('/work/beat').read()\n"
    result = await python(box, f"{again}a = b(); time.sleep(1); print(a == b())")
    assert result.stdout == b"True\n"


async def test_source_that_a_build_edits_is_as_it_was_once_it_is_placed_again(box: Sandbox) -> None:
    """A build writes to the work folder; so the caller places what was audited again before each program."""
    code = (
        "for name in ('main.py', 'planted.py'): open('/work/repo/' + name, 'w').write('print(1337)')\n"
        "    os.symlink('/tmp', '/work/repo/data')\n    return 1"
    )
    await box.write_files({"main.py": b"print('mine')"})
    await plant(box, code)
    await box.remove(["repo"], root="/work")
    await box.write_files({"main.py": b"print('mine')"})
    assert (await box.exec(["ls", "-A"], timeout=20)).stdout == b"main.py\n"
    assert (await box.exec(["python", "main.py"], timeout=20)).stdout == b"mine\n"


async def test_a_build_cannot_write_to_the_environment_it_is_built_with(box: Sandbox) -> None:
    code = "\n    try: open('/work/venv/stale', 'w')\n    except OSError as error: return error.errno"
    assert await plant(box, code) == 30  # EROFS


@pytest.mark.parametrize(
    ("code", "words"),
    [("raise SystemExit(0)", "left no wheel"), ("os.abort()", "could not be built"), ("1/0", "could not be built")],
)
async def test_a_build_that_ends_without_a_wheel_is_no_success(box: Sandbox, code: str, words: str) -> None:
    files = project(code)
    await box.write_files(files)
    installed = await install(box, files=files)
    assert installed.result.outcome is Outcome.NONZERO
    assert words in installed.result.message
    assert installed.packages == ()


async def test_the_environment_is_made_afresh_and_sees_no_other_packages(box: Sandbox, shelf: Shelf) -> None:
    shelf.wheel("stale", "1.0", files={"stale.py": "def main(): pass\n"}, entry="stale = stale:main")
    assert [each.name for each in (await install(box, ["stale"])).packages] == ["stale"]
    code = "import stale, sys; print(sys.prefix); print([p for p in sys.path if 'site-packages' in p])"
    lines = (await box.exec(["python", "-c", code], timeout=30)).stdout.decode().splitlines()
    version = f"python{(await python(box, 'import sys; print(sys.version[:4])')).stdout.decode().strip()}"
    assert lines == ["/work/venv", f"['/work/venv/lib/{version}/site-packages']"]
    assert (await box.exec(["stale"])).outcome is Outcome.OK
    assert (await install(box)).packages == ()
    assert not (await box.exec(["python", "-c", "import stale"])).ok
    assert await box.read_file("/work/venv/bin/stale") is None


async def test_the_code_under_test_cannot_change_what_later_programs_import(box: Sandbox) -> None:
    await plant(box, "return 1")
    attempts = (
        "import os, site, sys\nfound = []\n"
        "place = site.getsitepackages()[0]\n"
        "for attempt in (lambda: open(place + '/sitecustomize.py', 'w'), lambda: os.remove(place + '/planted.pth'),\n"
        "        lambda: open(place + '/planted.pth', 'a'), lambda: os.chmod(place + '/planted.pth', 0o666),\n"
        "        lambda: os.rename('/work/venv', '/work/old'), lambda: os.rmdir('/work/venv'),\n"
        "        lambda: os.symlink('/work/repo', '/work/venv/bin/planted'), lambda: os.chmod('/work/venv', 0o777)):\n"
        "    try: attempt(); found.append('done')\n"
        "    except OSError as error: found.append(error.errno)\n"
        "import errno; print(*sorted({errno.errorcode.get(each, each) for each in found}))"
    )
    result = await box.exec(["python", "-c", attempts], timeout=30)
    assert {b"EBUSY", b"EROFS"} <= set(result.stdout.split()) <= {b"EBUSY", b"EROFS", b"EACCES", b"EPERM"}, result
    effective = {each.name: each.effective for each in box.describe().controls}
    assert effective["read-only environment"]


REFUSALS = {
    "a denied name": (IndexRules(denied={"lib": "its name imitates another package"}), "imitates another"),
    "a file of unknown age": (IndexRules(cooldown=86400.0), ""),
    "more bytes than allowed": (IndexRules(quota=10), "10 are allowed"),
}


@pytest.mark.parametrize(("rules", "words"), REFUSALS.values(), ids=REFUSALS)
async def test_what_the_rules_refuse_is_not_installed(
    place: Place, shelf: Shelf, rules: IndexRules, words: str
) -> None:
    shelf.wheel("lib", "1.0")
    async with open_sandbox(replace(place.spec(), index=rules), place.backend) as box:
        installed = await install(box, ["lib"])
        assert installed.result.outcome in (Outcome.NONZERO, Outcome.DENIED_BY_POLICY), installed.result
        assert words in installed.result.message
        assert not (await box.exec(["python", "-c", "import lib"])).ok


async def test_a_file_that_differs_from_its_hash_is_not_installed(place: Place, shelf: Shelf) -> None:
    shelf.wheel("lib", "1.0")
    async with place.open() as box:
        found = await box.resolve(["lib"])
        assert found.lock is not None
        (file,) = (shelf.folder / "lib").glob("*.whl")
        file.write_bytes(file.read_bytes() + b"\0")
        installed = await box.install(found.lock)
        assert (installed.result.outcome, installed.packages) == (Outcome.NONZERO, ())
        assert not (await box.exec(["python", "-c", "import lib"])).ok


async def test_what_exists_as_source_only_is_built_inside_and_installed_with_what_it_needs(
    place: Place, shelf: Shelf
) -> None:
    table = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    shelf.sdist("src", "1.0", {"pyproject.toml": table, "backend.py": FROM_SOURCE})
    shelf.wheel("lib", "1.0")
    async with place.open() as box:
        installed = await install(box, ["src"])
        assert [each.name for each in installed.packages] == ["lib", "src"], installed.result
        assert (await box.exec(["python", "-c", "import src; print(src.answer)"])).stdout == b"42\n"
        assert await box.read_file("build/out") is None


async def test_a_lock_is_installed_exactly_or_not_at_all(place: Place, shelf: Shelf) -> None:
    old = shelf.wheel("lib", "1.0")
    shelf.wheel("lib", "2.0")
    locked = parse_lock(f"lib==1.0 --hash=sha256:{old}\n")
    async with place.open() as box:
        found = await box.resolve(["lib"], locked=locked)
        assert found.lock is not None, found.result
        assert (await box.install(found.lock)).packages[0].sha256 == old
        other = await box.resolve(["lib>=2"], locked=locked)
        assert (other.result.outcome, other.lock) == (Outcome.NONZERO, None)
        less = await box.resolve(["lib"], locked=parse_lock(f"more==1.0 --hash=sha256:{old}\n"))
        assert less.lock is None


HIDDEN = {
    "another folder of that name": ("_sees_folder", lambda *_: asyncio.sleep(0, False)),
    "no folder of that name": ("_mounts", None),
    "an engine elsewhere": ("_share", None),
}


@pytest.mark.parametrize(
    "how", [next(iter(HIDDEN)), *(pytest.param(how, marks=pytest.mark.slow) for how in [*HIDDEN][1:])]
)
async def test_an_engine_that_does_not_see_this_machines_files_gets_a_copy(
    engine_place: Place, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    method, answer = HIDDEN[how]
    real = getattr(DockerSandbox, method)

    def absent(self: DockerSandbox) -> object:
        found = real(self)
        return replace(found, binds={f"/absent-{secrets.token_hex(8)}": "/work/venv"}) if found.binds else found

    fake = {"_mounts": absent, "_share": DockerSandbox._share_nothing}.get(method, answer)
    monkeypatch.setattr(DockerSandbox, method, fake)
    shelf.wheel("one", "1.0", entry="say = one:version")
    shelf.wheel("two", "1.0")
    async with engine_place.open() as box:
        await box.write_files({"kept": b"kept"})
        for name, other in (("one", "two"), ("two", "one")):
            assert (await install(box, [name])).result.ok
            assert (await box.exec(["python", "-c", f"import {name}"])).ok
            assert not (await box.exec(["python", "-c", f"import {other}"])).ok
        assert await box.read_file("repo/kept") == b"kept"
        assert await plant(box, "return 1") == 1
        assert {each.name: each.effective for each in box.describe().controls}["read-only environment"]
        assert not (await python(box, "open('/work/venv/bin/x', 'w')")).ok


async def test_cancelling_a_build_stops_it_and_the_sandbox_goes_on(place: Place) -> None:
    async with place.open() as box:
        files = project("import time; time.sleep(100)")
        await box.write_files(files)
        building = asyncio.Event()

        def heard(stream: str, data: bytes) -> None:
            if b"Building" in data:
                building.set()

        task = asyncio.create_task(install(box, files=files, on_output=heard))
        await asyncio.wait_for(building.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len([each for each in place.residue() if each.startswith("container")]) <= 1  # the run phase
        assert (await python(box, "print(1)")).ok


async def test_a_build_over_its_time_is_timeout(box: Sandbox) -> None:
    files = project("import time; time.sleep(100)")
    await box.write_files(files)
    assert (await install(box, files=files, timeout=4)).result.outcome is Outcome.TIMEOUT
    assert (await python(box, "print(1)")).ok


async def test_an_index_that_cannot_be_reached_is_no_fault_of_the_requirements(
    box: Sandbox, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    result = (await install(box, ["numpy"])).result
    assert result.outcome is Outcome.INFRA_ERROR
    assert "127.0.0.1:9" in result.message
    assert (await python(box, "print(1)")).ok


@pytest.mark.index
async def test_packages_are_installed_with_their_hashes_and_can_be_used(place: Place) -> None:
    place.shared_cache = True
    async with place.open(memory=1 << 30) as box:
        installed = await install(box, ["numpy", "pytest<100"], constraints=["pytest>=8"], timeout=240)
        assert installed.result.ok, installed.result
        found = {package.name: package for package in installed.packages}
        assert {"numpy", "pytest"} <= set(found)
        assert all(re.fullmatch("[0-9a-f]{64}", package.sha256) for package in found.values())
        await box.write_files({"test_it.py": b"import numpy\n\ndef test_it():\n    assert numpy.ones(3).sum() == 3\n"})
        result = await box.exec(["python", "-m", "pytest", "-q", "test_it.py"], timeout=120)
        assert b"1 passed" in result.stdout, result


@pytest.mark.index
async def test_a_package_that_does_not_exist_is_the_requirements_fault(box: Sandbox) -> None:
    result = (await install(box, ["agentsys-no-such-package-zq==1"])).result
    assert result.outcome is Outcome.NONZERO
    assert b"agentsys-no-such-package-zq" in result.stderr
