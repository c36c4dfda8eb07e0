"""Nothing that is secret on the host can be read or reached in a sandbox, by a program or a build, on any backend.

A process of its own plays agentsys, because the environment that a process was started with is not the one that a test
changes later. Services are on the loopback interface and on a network that the test makes.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from live import secret_search
from live.sandboxes import Place, missing
from live.test_sandbox_install import own_addresses
from live.test_sandbox_install import peer as peer  # a fixture
from unit.sandbox.packages.shelf import Shelf

ROOT = Path(__file__).resolve().parents[2]
IN_HOME = (
    ".netrc", ".aws/credentials", ".ssh/id_ed25519", ".docker/config.json", ".config/gcloud/credentials.db",
    ".git-credentials", ".config/openai", ".env", ".bash_history", ".kube/config", ".pypirc",
)  # fmt: skip
IN_ENVIRONMENT = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "HF_TOKEN",
    "HTTPS_PROXY_PASSWORD", "KUBECONFIG", "AGENTSYS_MODEL_KEY", "PGPASSWORD",
)  # fmt: skip
DRIVER = """
import asyncio, json, sys
from pathlib import Path
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import Limits, SandboxSpec

backend, run, request, source, cache = sys.argv[1:]
source, request = Path(source).read_text(), Path(request).read_text()
PROJECT = (
    b'[build-system]\\nrequires=[]\\nbuild-backend="b"\\nbackend-path=["."]\\n'
    b'[project]\\nname="p"\\nversion="1"\\n'
)
RUN = source + "\\nimport sys; print(json.dumps(search(*json.load(sys.stdin))))"
BUILD = source + (
    "\\ndef build_editable(folder, config_settings=None, metadata_directory=None):\\n"
    "    with open('/work/repo/request') as r, open('/work/repo/seen', 'w') as out:\\n"
    "        json.dump(search(*json.load(r)), out)\\n"
    "    raise SystemExit(1)\\n"
)

async def main():
    limits = Limits(memory=512 << 20, pids=128, tmp=64 << 20, shm=64 << 20, ttl=600.0)
    spec = SandboxSpec(run=run, limits=limits, allow_weak=True, cache_dir=Path(cache))
    async with open_sandbox(spec, backend) as box:
        resolved = await box.resolve(["tinypkg"])
        installed = await box.install(resolved.lock)
        said = str(resolved) + resolved.result.text() + installed.result.text() + str(installed)
        found = {"installed": installed.result.outcome, "said": said}
        look = await box.exec(["python3", "-c", RUN], stdin=request.encode(), timeout=120)
        found["run"] = json.loads(look.stdout) if look.ok else repr(look)
        files = {"pyproject.toml": PROJECT, "b.py": BUILD.encode(), "request": request.encode()}
        await box.write_files(files)
        failed = await box.resolve(project=files)
        seen = await box.read_file("repo/seen")
        found["install"] = json.loads(seen) if seen is not None else repr(failed)
        # The search itself is tried: it must find what is planted.
        secret = json.loads(request)[0][::-1]
        await box.write_files({"planted": secret.encode()})
        look = await box.exec(["python3", "-c", RUN], stdin=request.encode(), env={"X": secret}, timeout=120)
        found["control"] = json.loads(look.stdout) if look.ok else repr(look)
    print(json.dumps(found))

asyncio.run(main())
"""


@contextmanager
def services(stack: ExitStack) -> Iterator[tuple[list[list[object]], list[str]]]:
    """Listeners on all addresses of this machine, and one under an abstract name: addresses and names."""
    server = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
    port = server.getsockname()[1]
    name = f"agentsys-canary-{secrets.token_hex(8)}"
    abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
    abstract.bind(f"\0{name}")
    abstract.listen(8)
    for each in (server, abstract):
        each.setblocking(False)
    yield [[address, port] for address in own_addresses()], [name]
    for each in (server, abstract):
        with pytest.raises(BlockingIOError):
            each.accept()


def agent_socket(stack: ExitStack, path: Path) -> socket.socket:
    """A socket as an agent or an engine has one, open to everybody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = stack.enter_context(socket.socket(socket.AF_UNIX))
    found.bind(str(path))
    path.chmod(0o777)
    found.listen(8)
    found.setblocking(False)
    return found


def plant(home: Path, secret: str, index: str) -> dict[str, str]:
    """Put the secret into a home folder; return an environment that holds it too."""
    for name in IN_HOME:
        place = home / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({"proxies": {"default": {"httpsProxy": f"http://{secret}@127.0.0.1:9"}}}))
        place.chmod(0o644)
    pip = home / ".config/pip/pip.conf"
    pip.parent.mkdir(parents=True)
    pip.write_text(f"[global]\nindex-url = {index.replace('://', f'://user:{secret}@')}/\n")
    kept = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST", "TMPDIR") if name in os.environ}
    cache = {"AGENTSYS_CACHE_DIR": os.environ["AGENTSYS_CACHE_DIR"]} if "AGENTSYS_CACHE_DIR" in os.environ else {}
    python = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sandbox")])}
    secretive = dict.fromkeys(IN_ENVIRONMENT, f"http://user:{secret}@127.0.0.1:9/")
    return {**kept, **cache, **python, **secretive, "HOME": str(home), "NO_PROXY": "*", "UV_NO_CONFIG": "1"}


@contextmanager
def readable_by_all(secret: str) -> Iterator[None]:
    """The secret in folders of the host that everybody can read."""
    places = [Path(top, f"canary-{secret[-8:]}") for top in ("/tmp", "/var/tmp", "/dev/shm") if Path(top).is_dir()]
    for place in places:
        place.write_text(secret)
        place.chmod(0o644)
    try:
        yield
    finally:
        for place in places:
            place.unlink()


@contextmanager
def guarded(folder: Path, secret: str) -> Iterator[tuple[str, list[str]]]:
    """An index on the loopback interface that asks for the password; the list gets each path that was asked with it."""
    Shelf(folder).wheel("tinypkg", "1.0")
    wanted = "Basic " + base64.b64encode(f"user:{secret}".encode()).decode()
    allowed: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()
                return
            allowed.append(self.path)
            super().do_GET()

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", allowed
        server.shutdown()
        thread.join()


def test_no_secret_of_the_host_gets_into_a_sandbox(
    place: Place, request: pytest.FixtureRequest, own_temporary_folder: Path
) -> None:
    addresses = [] if missing("docker") else [[*request.getfixturevalue("peer")]]  # stands for a metadata service
    found, allowed = searched(place, addresses, own_temporary_folder)
    assert found["installed"] == "ok", found
    assert "/tinypkg/" in allowed, "the host itself must use the password"


def searched(place: Place, addresses: list[list[object]], folder: Path) -> tuple[dict[str, object], list[str]]:
    """Plant, search in programs and builds, and find nothing; return what was said, and what the index gave out."""
    secret = f"CanarySecret{secrets.token_hex(12)}"
    home = folder / f"home-{place.run}"
    home.mkdir()
    home.chmod(0o755)
    with ExitStack() as stack:
        index, allowed = stack.enter_context(guarded(folder / f"index-{place.run}", secret))
        environment = plant(home, secret, index)
        stack.enter_context(readable_by_all(secret))
        reachable, abstract = stack.enter_context(services(stack))
        agents = [agent_socket(stack, home / name) for name in ("agent.sock", "run/docker.sock", "run/podman.sock")]
        environment |= {"SSH_AUTH_SOCK": str(home / "agent.sock"), "XDG_RUNTIME_DIR": str(home / "run")}
        question = home / "request.json"
        question.write_text(json.dumps([secret[::-1], [*addresses, *reachable], abstract]))
        program = [sys.executable, "-c", DRIVER, place.backend, place.run]
        program += [str(question), secret_search.__file__, str(home / "cache")]
        done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        for agent in agents:
            with pytest.raises(BlockingIOError):
                agent.accept()
    found = json.loads(done.stdout)
    assert secret not in found["said"]
    assert (found["run"], found["install"]) == ([], [])
    assert {"environment", "/work/repo/planted"} <= set(found["control"])
    return found, allowed
