"""Code in a sandbox sees nothing of the host, changes nothing outside its work folder, and reaches no network."""

from __future__ import annotations

import ast
import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.spec import Outcome
from live.sandboxes import Place, python

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A secret in the places where secrets lie: the environment, the home folder, the package manager's settings."""
    secret = f"canary-{secrets.token_hex(12)}"
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HTTPS_PROXY", "SSH_AUTH_SOCK", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, f"http://user:{secret}@127.0.0.1:9/")
    home = tmp_path / "home"
    for place in (".netrc", ".ssh/id_ed25519", ".config/pip/pip.conf", ".docker/config.json"):
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_text(json.dumps({"proxies": {"default": {"httpsProxy": f"http://{secret}@127.0.0.1:9"}}}))
    monkeypatch.setenv("HOME", str(home))
    return secret


@pytest.mark.usefixtures("canary")
async def test_no_secret_of_the_host_is_visible(canary: str, place: Place) -> None:
    code = (
        "import os, sys\nneedle = sys.stdin.buffer.read(); hits = []\n"
        "for p in os.listdir('/proc'):\n"
        "    for n in ('environ', 'cmdline', 'mounts'):\n"
        "        try: data = open(f'/proc/{p}/{n}', 'rb').read()\n"
        "        except OSError: continue\n"
        "        if needle in data: hits.append((p, n))\n"
        "for top in ('/root', '/home', '/etc', '/run', '/var', '/tmp', '/mnt', '/srv'):\n"
        "    for folder, _, names in os.walk(top):\n"
        "        for name in names:\n"
        "            path = os.path.join(folder, name)\n"
        "            try:\n"
        "                if os.path.isfile(path) and needle in open(path, 'rb').read(): hits.append(path)\n"
        "            except OSError: pass\n"
        "print(hits)"
    )
    async with place.open() as box:
        result = await python(box, code, stdin=canary.encode())
        assert result.stdout == b"[]\n", result


async def test_the_environment_is_a_fixed_list(box: Sandbox) -> None:
    names = set(json.loads((await python(box, "import os, json; print(json.dumps(dict(os.environ)))")).stdout))
    threads = {f"{name}_NUM_THREADS" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "BLIS")}
    known = {"HOME", "LANG", "LC_ALL", "PATH", "PYTHONUNBUFFERED", "TERM", "TMPDIR", "VIRTUAL_ENV", "MPLBACKEND"}
    assert threads | known <= names
    # Those that a shell or an engine sets by itself.
    assert names - threads - known <= {"HOSTNAME", "PWD", "OLDPWD", "SHLVL", "_", "container"}


async def test_nothing_outside_the_work_and_temporary_folders_can_be_written(box: Sandbox) -> None:
    code = (
        "import os\n"
        "for path in ('/x', '/etc/x', '/usr/x', '/opt/agentsys/x', '/root/x', '/var/x', '/etc/passwd',\n"
        "             '/usr/local/bin/python3', '/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger',\n"
        "             '/proc/sys/vm/drop_caches', '/sys/kernel/mm/ksm/run', '/sys/power/state',\n"
        "             '/sys/fs/cgroup/x', '/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max',\n"
        "             '/sys/fs/cgroup/pids/pids.max', '/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/cgroup.procs'):\n"
        "    try: open(path, 'ab'); print(path)\n"
        "    except OSError: pass\n"
        "for top in ('/proc/sys', '/sys'):\n"
        "    for folder, _, names in os.walk(top):\n"
        "        for name in names:\n"
        "            if os.access(os.path.join(folder, name), os.W_OK):\n"
        "                try: os.close(os.open(os.path.join(folder, name), os.O_WRONLY)); print(folder, name)\n"
        "                except OSError: pass\n"
    )
    result = await python(box, code)
    assert (result.outcome, result.stdout) == (Outcome.OK, b"")


ATTEMPTS = {
    "become root": "os.setuid(0)",
    "give a file away": "open('/work/f','w').close(); os.chown('/work/f', 0, 0)",
    "make a device": "os.mknod('/work/dev', 0o020666, os.makedev(1, 5))",
    "change the root folder": "os.chroot('/work')",
    "mount": "call(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "leave for a user namespace": "call(libc.unshare(0x10000000))",
    "leave for a network namespace": "call(libc.unshare(0x40000000))",
    "trace the first process": "call(libc.ptrace(16, 1, 0, 0))",
    "read another process's memory": "call(libc.process_vm_readv(1, *vector(), 1, *vector(), 1, 0))",
    "write another process's memory": "call(libc.process_vm_writev(1, *vector(), 1, *vector(), 1, 0))",
    "set up io_uring": "call(libc.syscall(425, 1, ctypes.create_string_buffer(256)))",
    "load a kernel program": "call(libc.syscall({'x86_64': 321}.get(machine, 280), 0, None, 0))",
    "look into a keyring": "call(libc.syscall({'x86_64': 250}.get(machine, 219), 0, -2, 0))",
    "count events of the kernel": (
        "call(libc.syscall({'x86_64': 298}.get(machine, 241), ctypes.create_string_buffer(128), 0, -1, -1, 0))"
    ),
    "handle page faults": "call(libc.syscall({'x86_64': 323}.get(machine, 282), 0))",
    "open a socket to the hypervisor": "socket.socket(40, 1, 0)",
    "open a socket to the kernel's crypto": "socket.socket(38, 5, 0)",
    "open a netlink socket to the packet filter": "socket.socket(16, 3, 12)",
    "set the clock": "time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))",
    "read the memory of the first process": "open('/proc/1/mem', 'rb').read(1)",
    "open a raw socket": "socket.socket(2, 3, 1)",
    "open a packet socket": "socket.socket(17, 3, 0)",
    "reboot": "call(libc.reboot(0))",
    "set the host name": "call(libc.sethostname(b'x', 1))",
    "raise its limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20))",
}


async def test_what_needs_privileges_is_refused(box: Sandbox) -> None:
    found = await attempted(box, {**ATTEMPTS, "nothing": "pass"})
    assert found == {**dict.fromkeys(ATTEMPTS, "refused"), "nothing": "done"}


@pytest.mark.docker
async def test_the_first_process_belongs_to_another_user(engine_place: Place) -> None:
    codes = ("os.listdir('/proc/1/fd')", "os.readlink('/proc/1/exe')", "os.kill(1, 9)")
    async with engine_place.open() as box:
        assert await attempted(box, dict(zip(codes, codes, strict=True))) == dict.fromkeys(codes, "refused")


async def attempted(box: Sandbox, statements: Mapping[str, str]) -> dict[str, str]:
    """What became of each statement, in a process of its own: `done`, `refused`, or how the process ended."""
    program = f"""
import ctypes, os, platform, resource, socket, time

libc = ctypes.CDLL(None, use_errno=True)
machine = platform.machine()
room = ctypes.create_string_buffer(8)

def vector():
    return ((ctypes.c_void_p * 2)(ctypes.addressof(room), 8),)

def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")

found = {{}}
for name, code in {dict(statements)!r}.items():
    process = os.fork()
    if not process:
        try:
            exec(code)
        except (OSError, ValueError):
            os._exit(0)
        except BaseException:
            os._exit(2)
        os._exit(1)
    status = os.waitpid(process, 0)[1]
    found[name] = {{0: "refused", 256: "done"}}.get(status, f"status {{status}}")
print(found)
"""
    seen: dict[str, str] = ast.literal_eval((await python(box, program)).stdout.decode())
    return seen


async def test_a_setuid_program_gives_no_other_user(box: Sandbox) -> None:
    code = "cp $(command -v id) /work/id && chmod 6777 /work/id && /work/id -u"
    result = await box.exec(["sh", "-c", code], timeout=60)
    first = result.stdout.split()[0]
    assert first == (await box.exec(["id", "-u"], timeout=20)).stdout.strip() != b"0"


async def test_no_engine_socket_is_in_reach(box: Sandbox) -> None:
    code = "find / -xdev -type s 2>/dev/null; ls /var/run/docker.sock /run/*.sock /run/agentsys/* 2>/dev/null; true"
    assert (await box.exec(["sh", "-c", code], timeout=60)).stdout == b""


@pytest.fixture
def listener() -> Iterator[int]:
    """A service on the host's own loopback that no sandbox may reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# 192.0.2.0/24 and 2001:db8::/32 are for documentation; there is no route to them, or to anything, inside.
NETWORK = {
    "the host's loopback": "socket.create_connection(('127.0.0.1', PORT), 2)",
    "TCP": "socket.create_connection(('192.0.2.1', 80), 2)",
    "UDP": "socket.socket(2, 2).sendto(b'x', ('192.0.2.1', 53))",
    "IPv6": "socket.create_connection(('2001:db8::1', 80), 2)",
    "names": "socket.getaddrinfo('agentsys.invalid', 80)",
}


async def test_the_run_phase_has_no_network(box: Sandbox, listener: int) -> None:
    tried = {name: code.replace("PORT", str(listener)) for name, code in NETWORK.items()}
    assert await attempted(box, tried) == dict.fromkeys(NETWORK, "refused")


async def test_sandboxes_do_not_see_each_other(place: Place) -> None:
    async with place.open() as one, place.open() as other:
        await one.write_files({"secret.txt": b"mine"})
        found = await other.exec(["sh", "-c", "find / -xdev -name secret.txt 2>/dev/null; ls /work/repo"], timeout=60)
        assert found.stdout == b""
        assert await other.read_file("/work/repo/secret.txt") is None


async def test_nothing_of_a_program_runs_on_the_host_as_root(box: Sandbox) -> None:
    """Looks from the host: the sandbox's marked process has no root identity of this machine's init namespaces."""
    mark = f"mark-{secrets.token_hex(8)}"
    before = set(Path("/proc").glob("[0-9]*"))
    seen: list[str] = []

    def look(stream: str, data: bytes) -> None:
        for process in set(Path("/proc").glob("[0-9]*")) - before:
            try:
                if mark.encode() in (process / "cmdline").read_bytes():
                    lines = (process / "status").read_text().splitlines()
                    seen.extend(line.split()[1] for line in lines if line.startswith("Uid:"))
            except OSError:
                continue

    await box.exec(
        ["python3", "-c", "import time; print('up', flush=True); time.sleep(0.5)", mark], on_output=look, timeout=20
    )
    assert seen
    assert "0" not in seen


async def test_the_description_names_each_control_and_tells_the_truth_about_missing_ones(box: Sandbox) -> None:
    found = box.describe()
    assert found.backend
    assert found.controls
    effective = {control.name for control in found.controls if control.effective}
    assert "no network" in effective
    assert all(control.detail or control.remedy for control in found.controls if not control.effective)
