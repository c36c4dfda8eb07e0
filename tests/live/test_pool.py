"""Several endpoints as one place. Both lead to the one engine of this machine: by proxies of the tests' own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys_sandbox.base import SandboxError, SandboxGone, Unavailable
from agentsys_sandbox.docker import endpoints
from agentsys_sandbox.docker.endpoints import Endpoint, docker_url, endpoint
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.pool import Pool
from agentsys_sandbox.docker.pooled import PooledSandbox
from agentsys_sandbox.spec import SandboxSpec
from live.sandboxes import SMALL, Place, install, python

pytestmark = [pytest.mark.docker, pytest.mark.slow]


class Proxy:
    """Passes connections on to the engine's socket, until it is cut."""

    def __init__(self, listener: socket.socket, wrap: Callable[[socket.socket], socket.socket] | None = None) -> None:
        self._listener = listener
        self._wrap = wrap
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            client = self._wrap(client) if self._wrap else client
            engine.connect((docker_url() or "unix:///var/run/docker.sock").removeprefix("unix://"))
            self._open |= {client, engine}
            back = threading.Thread(target=self._pump, args=(engine, client), daemon=True)
            back.start()
            self._pump(client, engine)
            back.join()
        client.close()
        engine.close()
        self._open -= {client, engine}

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            if not isinstance(sink, ssl.SSLSocket):
                sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Nobody answers any more, as after the machine went down."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)


@pytest.fixture
def proxies(engine_place: Place, tmp_path: Path) -> Iterator[dict[str, Proxy]]:
    """Two endpoints: one on TCP, one on a unix socket."""
    tcp = socket.create_server(("127.0.0.1", 0))
    path = Path("/tmp") / f"agentsys-test-{secrets.token_hex(4)}.sock"
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(path))
    unix.listen()
    found = {f"tcp://127.0.0.1:{tcp.getsockname()[1]}": Proxy(tcp), f"unix://{path}": Proxy(unix)}
    yield found
    for each in found.values():
        each.cut()
    path.unlink()


def spec(place: Place, **changes: object) -> SandboxSpec:
    return SandboxSpec(run=place.run, limits=replace(SMALL, **changes))  # type: ignore[arg-type]


def sweep(place: Place) -> None:
    """What a cut endpoint keeps, taken away by the way that still leads there."""
    engine = Engine.connect()
    label = f"agentsys.run={place.run}"
    for each in engine.containers(label):
        engine.remove(each.name)
    for each in engine.volumes(label):
        engine.remove_volume(each.name)
    engine.close()


async def test_sandboxes_go_where_room_is_and_all_is_removed(engine_place: Place, proxies: dict[str, Proxy]) -> None:
    pool = Pool(list(proxies))
    async with PooledSandbox(spec(engine_place), pool) as first:
        assert (await python(first, "print(1)")).stdout == b"1\n"
        assert any(host in first.describe().version for host in proxies)
        # Through TCP the engine counts as remote: the environment is a copy in a volume.
        assert (await install(first)).result.ok
        assert (await first.exec(["python", "-c", "import sys; print(sys.prefix)"])).stdout == b"/work/venv\n"
    assert engine_place.residue() == []


async def test_when_an_endpoint_dies_the_next_sandbox_is_elsewhere(
    engine_place: Place, proxies: dict[str, Proxy]
) -> None:
    pool = Pool(list(proxies))
    with pytest.raises((Unavailable, SandboxGone)):
        async with PooledSandbox(spec(engine_place), pool) as box:
            dead = box.describe().version.rpartition(" ")[2]
            running = asyncio.create_task(box.exec(["sleep", "60"], cwd="/work", timeout=100))
            await asyncio.sleep(1)  # into the middle of it
            proxies[dead].cut()
            result = await asyncio.wait_for(running, 60)
            assert result.outcome.is_infrastructure  # never taken for a fault of the code
            await box.write_files({"a": b"b"})
    async with PooledSandbox(spec(engine_place), pool) as box:
        assert not box.describe().version.endswith(dead)
        assert (await python(box, "print(2)")).stdout == b"2\n"
    states = {each.name: bool(each.problem) for each in pool.health()}
    assert states == {host: host == dead for host in proxies}
    sweep(engine_place)


async def test_what_a_dead_endpoint_kept_is_removed_when_it_answers_again(
    engine_place: Place, proxies: dict[str, Proxy]
) -> None:
    broken: set[str] = set()

    def connect(to: Endpoint) -> Engine:
        if to.name in broken:
            raise Unavailable("down")
        return endpoints.connect(to)

    host = next(iter(proxies))
    pool = Pool([host], connect)
    with pytest.raises(SandboxError):
        async with PooledSandbox(spec(engine_place), pool) as box:
            engine = box._sandbox._engine  # type: ignore[union-attr]
            real, engine.remove = engine.remove, lambda *_: (_ for _ in ()).throw(Unavailable("down"))  # type: ignore[method-assign]
            raise Unavailable("down")
    assert real is not None
    assert engine_place.residue() != []
    other = Place("docker")
    async with PooledSandbox(spec(other), pool):
        assert [each for each in engine_place.residue() if not each.startswith("process")] == []
    assert other.residue() == []


async def test_a_full_endpoint_makes_the_next_one_wait_until_a_place_is_free(
    engine_place: Place, proxies: dict[str, Proxy]
) -> None:
    host = next(iter(proxies))
    pool = Pool([host])
    whole = pool.health()[0]
    share = whole.whole.memory - whole.used.memory - (256 << 20)
    if share <= (512 << 20):
        pytest.skip("other sandboxes hold the memory of this machine")
    large = spec(engine_place, memory=share, cpus=0.01)
    async with PooledSandbox(large, pool):
        used = pool.health()[0].used
        assert used.memory >= share
        taken = asyncio.create_task(pool.take(large, "second"))
        await asyncio.sleep(2)
        assert not taken.done()
    found = await asyncio.wait_for(taken, 20)
    found.engine.close()
    pool.give_back(found)
    with pytest.raises(Unavailable, match="no Docker endpoint can take"):
        await pool.take(spec(engine_place, memory=whole.whole.memory + 1), "third")


async def test_nothing_without_tls_beyond_this_machine() -> None:
    with pytest.raises(Unavailable, match="lacks"):
        endpoint("tcp://192.0.2.1:2376")
    for wrong, words in (("ftp://x", "no Docker endpoint"), ("agentsys-no-such-context", "no docker context")):
        with pytest.raises(Unavailable, match=words):
            endpoint(wrong)


def certificates(folder: Path) -> None:
    """An authority and one certificate for 127.0.0.1 that serves both ends."""
    run = [
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout ca-key.pem -out ca.pem",
        "openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request.pem",
    ]
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    run.append(
        "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile names"
        " -out cert.pem"
    )
    for line in run:
        subprocess.run(line.split(), cwd=folder, check=True, capture_output=True)


async def test_an_endpoint_with_tls_takes_input_and_gives_output(
    engine_place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificates(tmp_path)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(listener, lambda client: server.wrap_socket(client, server_side=True))
    try:
        pool = Pool([f"tcp://127.0.0.1:{listener.getsockname()[1]}"])
        async with PooledSandbox(spec(engine_place), pool) as box:
            await box.write_files({"a.txt": b"x" * 300_000})
            assert await box.read_file("repo/a.txt") == b"x" * 300_000
            result = await box.exec(["sh", "-c", "cat; exit 3"], stdin=b"over tls\n" * 1000, timeout=30)
            assert (result.exit_code, result.stdout) == (3, b"over tls\n" * 1000)
    finally:
        proxy.cut()


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An SSH server of the test's own on the loopback interface, with keys of its own."""
    server = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin")
    if server is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no SSH server is installed")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/user.pub\n"
        f"StrictModes no\nPasswordAuthentication no\nUsePAM no\nPidFile none\nAllowStreamLocalForwarding yes\n"
        "PermitRootLogin prohibit-password\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [server, "-D", "-e", "-f", str(tmp_path / "config")],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    options = ("-i", str(tmp_path / "user"), "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no")
    monkeypatch.setattr(endpoints, "_SSH", (*endpoints._SSH, "-F", "none", *options))  # pyright: ignore[reportPrivateUsage]
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
    else:
        pytest.skip("the SSH server does not start here")
    yield f"ssh://{os.environ.get('USER') or 'root'}@127.0.0.1:{port}"
    process.terminate()
    process.wait()


async def test_an_endpoint_by_ssh_works_and_its_connection_ends_with_the_sandbox(
    engine_place: Place, sshd: str
) -> None:
    pool = Pool([sshd])
    before = set(Path("/tmp").glob("agentsys-ssh-*"))
    async with PooledSandbox(spec(engine_place), pool) as box:
        result = await box.exec(["cat"], stdin=b"by ssh", cwd="/work", timeout=30)
        assert result.stdout == b"by ssh"
        assert len(set(Path("/tmp").glob("agentsys-ssh-*")) - before) == 1
    assert set(Path("/tmp").glob("agentsys-ssh-*")) == before
