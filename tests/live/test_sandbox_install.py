"""The install phase: only the package index is in reach, and nothing that ran in it survives."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys_sandbox.base import Sandbox, Unavailable
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import Outcome
from live.sandboxes import Place, python

pytestmark = pytest.mark.asyncio(loop_scope="module")
# A build backend inside the project itself: it runs in the install phase without the index.
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
import base64, hashlib, io, json, os, socket, subprocess, zipfile

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


async def plant(box: Sandbox, code: str) -> object:
    """Install a project whose build runs `code` as the body of a function; return what that returned."""
    await box.write_files({"pyproject.toml": PROJECT, "backend.py": BACKEND.replace("CODE", code).encode()})
    installed = await box.install(project=True, timeout=120)
    assert installed.result.ok, installed.result
    assert [(each.name, each.version) for each in installed.packages] == [("planted", "1.0")]
    seen = await box.read_file("repo/seen.json")
    assert seen is not None
    return json.loads(seen)


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


async def test_the_install_phase_reaches_no_service_of_the_host(box: Sandbox, services: list[int]) -> None:
    code = (
        f"found = []\n    for address in {own_addresses()!r}:\n"
        f"        try: socket.create_connection((address, {services[0]}), 2); found.append(address)\n"
        "        except OSError: pass\n"
        "    try: found.append(socket.getaddrinfo('agentsys.invalid', 80))\n    except OSError: pass\n"
        "    return [found, [name for _, name in socket.if_nameindex()]]"
    )
    assert await plant(box, code) == [[], ["lo"]]
    assert services[1:] == []


async def test_the_index_gives_pages_and_files_and_nothing_else(box: Sandbox) -> None:
    code = (
        "import http.client\n    def ask(method, path, body=None):\n"
        "        c = http.client.HTTPConnection('127.0.0.1', 3141, timeout=20); c.request(method, path, body)\n"
        "        return c.getresponse().status\n"
        "    return [ask('POST', '/simple/six/', b'secret'), ask('PUT', '/files/x', b'secret'),\n"
        "            ask('GET', '/simple/six/?q=secret'), ask('GET', 'http://192.0.2.1/x'),\n"
        "            ask('GET', '/files/../../etc/passwd'), ask('DELETE', '/simple/six/')]"
    )
    answers = await plant(box, code)
    assert isinstance(answers, list)
    assert all(400 <= status < 600 for status in answers), answers


async def test_a_daemon_planted_by_a_build_does_not_live_in_the_run_phase(box: Sandbox) -> None:
    code = (
        "subprocess.Popen(['sh', '-c', 'while true; do date +%s%N > /work/beat; sleep 0.1; done'],\n"
        "        start_new_session=True, stdin=-3, stdout=-3, stderr=-3)\n"  # subprocess.DEVNULL
        "    return 1"
    )
    await plant(box, code)
    result = await python(
        box, "import time; a=open('/work/beat').read(); time.sleep(1); print(a == open('/work/beat').read())"
    )
    assert result.stdout == b"True\n"


async def test_source_that_a_build_edits_is_as_it_was_once_it_is_placed_again(box: Sandbox) -> None:
    """An installation writes to the work folder; so the caller places what was audited again before each program."""
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


async def test_a_build_that_hides_what_is_installed_is_no_success(box: Sandbox) -> None:
    code = "open('/work/repo/sitecustomize.py', 'w').write('print(1337)')\n    return 1"
    await box.write_files({"pyproject.toml": PROJECT, "backend.py": BACKEND.replace("CODE", code).encode()})
    installed = await box.install(project=True, timeout=120)
    # Either it is listed all the same, or the installation is said to have failed.
    assert installed.result.ok is bool(installed.packages), installed


async def test_no_name_is_looked_up_anywhere_in_the_install_phase(box: Sandbox) -> None:
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


async def test_the_index_is_out_of_reach_in_the_run_phase(box: Sandbox) -> None:
    await plant(box, "return 1")
    code = "import os, socket\ntry: socket.create_connection(('127.0.0.1', 3141), 2)\nexcept OSError: print('refused')"
    assert (await python(box, code)).stdout == b"refused\n"
    assert (await box.exec(["ls", "-A", "/run/agentsys"], timeout=20)).stdout == b""


async def test_the_environment_is_made_afresh_and_sees_no_other_packages(box: Sandbox) -> None:
    await plant(box, "return 1")
    code = "import sys, sysconfig; print(sys.prefix); print([p for p in sys.path if 'site-packages' in p])"
    lines = (await box.exec(["python", "-c", code], timeout=30)).stdout.decode().splitlines()
    version = f"python{(await python(box, 'import sys; print(sys.version[:4])')).stdout.decode().strip()}"
    assert lines == ["/work/venv", f"['/work/venv/lib/{version}/site-packages']"]
    await plant(box, "open('/work/venv/stale', 'w')")
    assert await box.read_file("/work/venv/stale") == b""
    assert (await box.install(timeout=60)).packages == ()
    assert await box.read_file("/work/venv/stale") is None


async def test_the_code_under_test_cannot_change_what_later_programs_import(box: Sandbox) -> None:
    await plant(box, "return 1")
    attempts = (
        "import os, site, sys\nfound = []\n"
        "place = site.getsitepackages()[0]\n"
        "for attempt in (lambda: open(place + '/sitecustomize.py', 'w'), lambda: os.remove(place + '/planted.pth'),\n"
        "        lambda: os.rename('/work/venv', '/work/old'), lambda: os.rmdir('/work/venv'),\n"
        "        lambda: os.symlink('/work/repo', '/work/venv/bin/planted'), lambda: os.chmod('/work/venv', 0o777)):\n"
        "    try: attempt(); found.append('done')\n"
        "    except OSError as error: found.append(error.errno)\n"
        "import errno; print(sorted({errno.errorcode.get(each, each) for each in found}))"
    )
    result = await box.exec(["python", "-c", attempts], timeout=30)
    assert result.stdout == b"['EBUSY', 'EROFS']\n", result
    effective = {each.name: each.effective for each in box.describe().controls}
    assert effective["read-only environment"]


@pytest.mark.parametrize(
    "line",
    [
        "git+https://host.invalid/x",
        "x @ https://host.invalid/x.whl",
        "--index-url http://host.invalid/",
        "./local",
        "-e .",
    ],
)
async def test_requirements_that_reach_around_the_index_are_answered_at_once(box: Sandbox, line: str) -> None:
    answer = (await box.install([line])).result
    assert answer.outcome is Outcome.DENIED_BY_POLICY
    assert answer.message


async def test_cancelling_an_installation_stops_it_and_the_sandbox_goes_on(place: Place) -> None:
    async with place.open() as box:
        code = "import time; time.sleep(100)"
        await box.write_files({"pyproject.toml": PROJECT, "backend.py": BACKEND.replace("CODE", code).encode()})
        building = asyncio.Event()

        def heard(stream: str, data: bytes) -> None:
            if b"Building" in data:
                building.set()

        task = asyncio.create_task(box.install(project=True, on_output=heard))
        await asyncio.wait_for(building.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len([each for each in place.residue() if each.startswith("container")]) <= 1  # the run phase
        assert (await python(box, "print(1)")).ok


async def test_an_installation_over_its_time_is_timeout(box: Sandbox) -> None:
    code = "import time; time.sleep(100)"
    await box.write_files({"pyproject.toml": PROJECT, "backend.py": BACKEND.replace("CODE", code).encode()})
    result = (await box.install(project=True, timeout=4)).result
    assert result.outcome is Outcome.TIMEOUT
    assert (await python(box, "print(1)")).ok


async def test_an_index_that_cannot_be_reached_is_no_fault_of_the_requirements(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentsys_sandbox.packages.gateway import Gateway

    empty = tempfile.TemporaryDirectory()
    Path(empty.name).chmod(0o755)
    monkeypatch.setattr(Gateway, "socket_dir", Path(empty.name))
    spec = replace(place.spec(), gateway="socket")  # `auto` would take the gateway's other form
    async with open_sandbox(spec, place.backend) as box:
        with pytest.raises(Unavailable, match="gateway cannot be reached"):
            await box.install(["numpy"])
        assert (await python(box, "print(1)")).ok
    empty.cleanup()


@pytest.mark.index
async def test_packages_are_installed_with_their_hashes_and_can_be_used(place: Place) -> None:
    async with place.open(memory=1 << 30) as box:
        installed = await box.install(["numpy", "pytest<100"], constraints=["pytest>=8"], timeout=240)
        assert installed.result.ok, installed.result
        found = {package.name: package for package in installed.packages}
        assert {"numpy", "pytest"} <= set(found)
        assert all(re.fullmatch("[0-9a-f]{64}", package.sha256) for package in found.values())
        result = await box.exec(["python", "-c", "import numpy; print(numpy.ones(3).sum())"], timeout=60)
        assert result.stdout == b"3.0\n", result


@pytest.mark.index
async def test_a_package_that_does_not_exist_is_the_requirements_fault(box: Sandbox) -> None:
    result = (await box.install(["agentsys-no-such-package-zq==1"], timeout=120)).result
    assert result.outcome is Outcome.NONZERO
    assert b"agentsys-no-such-package-zq" in result.stderr
