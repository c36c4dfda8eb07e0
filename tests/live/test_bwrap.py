"""What is particular to the embedded backend: who it runs as, what it leaves, and what it says of itself."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agentsys_sandbox.base import SandboxError, SandboxGone, Unavailable
from agentsys_sandbox.bwrap import reap as bwrap_reap
from agentsys_sandbox.bwrap.sandbox import BwrapSandbox
from agentsys_sandbox.packages import hostconfig
from agentsys_sandbox.spec import Limits, Outcome, SandboxSpec
from live.sandboxes import MIB, SMALL, install, need, python

pytestmark = pytest.mark.bwrap
SPEC = SandboxSpec(run="tbwrap", limits=SMALL)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up root")


@pytest.fixture(autouse=True)
def present() -> None:
    need("bwrap")


def folders() -> set[str]:
    """Names of all sandbox folders of this run."""
    place = bwrap_reap.sandboxes_dir()
    return {each.name for each in place.iterdir() if "tbwrap" in each.name} if place.is_dir() else set()


def cgroups() -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").rglob("agentsys-tbwrap*") if path.is_dir()]


def work_folder() -> Path:
    (name,) = folders()
    return bwrap_reap.sandboxes_dir() / name / "work"


@needs_root
async def test_root_is_given_up_for_a_uid_that_nobody_else_has() -> None:
    async with BwrapSandbox(SPEC):
        first = work_folder().stat().st_uid
        async with BwrapSandbox(SandboxSpec(run="other", limits=SMALL)) as other:
            await other.write_files({"x": b""})
            owners = {each.stat().st_uid for each in bwrap_reap.sandboxes_dir().glob("*other*/work/repo/x")}
    assert first != 0
    assert owners and owners.isdisjoint({0, first})


@needs_root
async def test_a_file_made_inside_belongs_to_that_uid() -> None:
    async with BwrapSandbox(SPEC) as box:
        assert (await python(box, "open('/work/repo/made', 'w')")).ok
        made = work_folder() / "repo/made"
        assert made.stat().st_uid == work_folder().stat().st_uid != 0


async def test_nothing_is_left_after_closing() -> None:
    async with BwrapSandbox(SPEC) as box:
        # A tree that is hard to remove: deep, without rights, with a link to a folder outside.
        code = (
            "import os\nos.symlink('/etc', 'link')\nos.mkdir('locked'); open('locked/x','w'); os.chmod('locked', 0)\n"
            "for i in range(3000):\n os.mkdir('d'); os.chdir('d')\n"
        )
        assert (await python(box, code)).ok
    assert folders() == set()
    assert cgroups() == []
    assert Path("/etc/passwd").exists()


async def test_nothing_is_left_where_opening_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise SandboxGone("the probe broke")

    monkeypatch.setattr("agentsys_sandbox.bwrap.sandbox.check", broken)
    with pytest.raises(Unavailable, match="the probe broke"):
        async with BwrapSandbox(SPEC):
            pytest.fail("it must not open")
    assert (folders(), cgroups()) == (set(), [])


OWNER = """
import asyncio, sys
from agentsys_sandbox.bwrap.sandbox import BwrapSandbox
from agentsys_sandbox.spec import SandboxSpec

async def main():
    async with BwrapSandbox(SandboxSpec(run="tbwrap")) as box:
        print("open", flush=True)
        await box.exec(["sh", "-c", "sleep 4242 & sleep 4242"], timeout=600)

asyncio.run(main())
"""


def sleepers() -> int:
    found = 0
    for entry in Path("/proc").iterdir():
        try:
            found += entry.name.isdigit() and b"sleep\x004242" in (entry / "cmdline").read_bytes()
        except OSError:
            continue
    return found


async def eventually(condition: object, seconds: float = 15.0) -> bool:
    """True once the condition holds."""
    assert callable(condition)
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        await asyncio.sleep(0.05)
    return False


async def test_killing_the_owner_ends_every_process_and_the_rest_is_found_and_removed() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, stdout=asyncio.subprocess.PIPE, env=environment
    )
    try:
        assert owner.stdout is not None
        await owner.stdout.readline()
        assert await eventually(lambda: sleepers() >= 2)
        living = [each for each in bwrap_reap.leftovers() if each.run == "tbwrap"]
    finally:
        owner.kill()
        await owner.wait()
    assert await eventually(lambda: sleepers() == 0)
    found = [each for each in bwrap_reap.leftovers() if each.run == "tbwrap"]
    for each in found:
        each.remove()
    assert living == []
    assert len(found) == 1
    assert (folders(), cgroups()) == (set(), [])


async def test_it_calls_itself_weak_and_lists_what_it_has_seen() -> None:
    async with BwrapSandbox(SPEC) as box:
        found = box.describe()
    controls = {each.name: each for each in found.controls}
    assert (found.backend, found.weak) == ("bubblewrap", True)
    for name in ("no network", "read-only system", "not root outside", "no capabilities", "no user namespaces"):
        assert controls[name].effective, controls[name]
    assert not controls["hard disk quota"].effective
    for each in found.controls:
        assert each.effective or each.detail


async def test_a_demanded_control_that_is_not_effective_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentsys_sandbox.base import WeakSandbox
    from agentsys_sandbox.bwrap import check as bwrap_check

    real = bwrap_check._isolation

    def with_a_hole(seen: object) -> object:
        return real({**seen, "interfaces": ["lo", "eth0"]})  # type: ignore[dict-item]

    monkeypatch.setattr(bwrap_check, "_isolation", with_a_hole)
    with pytest.raises(WeakSandbox, match="no network"):
        async with BwrapSandbox(SPEC):
            pytest.fail("it must not open")
    async with BwrapSandbox(SandboxSpec(run="tbwrap", limits=SMALL, allow_weak=True)) as box:
        assert (await python(box, "print(1)")).ok


async def test_a_program_cannot_pretend_that_it_was_never_started() -> None:
    code = (
        "import sys, re\n"
        "for p in ('/proc/1/cmdline', '/proc/self/cmdline', '/proc/1/environ', '/proc/self/environ'):\n"
        "    for mark in re.findall(rb'[0-9a-f]{32}', open(p, 'rb').read()):\n"
        "        sys.stderr.write('\\n' + mark.decode())\n"
        "sys.exit(127)"
    )
    async with BwrapSandbox(SPEC) as box:
        result = await python(box, code)
    assert (result.outcome, result.exit_code) == (Outcome.NONZERO, 127)


async def test_threads_processes_and_local_sockets_work_under_the_filter() -> None:
    code = (
        "import multiprocessing, socket, subprocess, threading\n"
        "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
        "with multiprocessing.Pool(2) as pool: print(sum(pool.map(abs, [-1, -2])))\n"
        "print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout.strip())\n"
        "s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())\n"
        "print([name for _, name in socket.if_nameindex()])\n"
    )
    async with BwrapSandbox(SPEC) as box:
        result = await python(box, code)
    assert result.stdout.split(b"\n")[:4] == [b"thread", b"3", b"child", b"['lo']"], result.text()


async def test_each_program_has_an_empty_temporary_folder_of_bounded_size() -> None:
    async with BwrapSandbox(SPEC) as box:
        await box.exec(["sh", "-c", "echo x > /tmp/x"])
        listing = await box.exec(["ls", "-A", "/tmp"])
        fill = await box.exec(["dd", "if=/dev/zero", "of=/tmp/full", "bs=1M", "count=200"])
    assert listing.stdout == b""
    assert b"No space left" in fill.stderr


async def test_a_work_folder_that_grows_too_large_ends_the_program() -> None:
    limits = Limits(memory=256 * MIB, disk=64 * MIB, pids=64)
    async with BwrapSandbox(SandboxSpec(run="tbwrap", limits=limits)) as box:
        code = "import time\nfor i in range(40): open(f'/work/f{i}','wb').write(b'x' * (4 << 20))\ntime.sleep(60)"
        result = await python(box, code, timeout=40)
    assert result.outcome is Outcome.DISK_LIMIT


async def test_without_control_groups_memory_is_watched_and_said_to_be_only_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agentsys_sandbox.bwrap.cgroup.create", lambda *_: None)
    async with BwrapSandbox(SPEC) as box:
        code = "import os, time\nif os.fork() == 0: os.setsid()\nx = b'x' * (200 << 20)\ntime.sleep(60)"
        result = await python(box, code, timeout=40)
        control = next(each for each in box.describe().controls if each.name == "memory limit")
    assert result.outcome is Outcome.OOM
    assert not control.effective


async def test_an_error_in_the_listener_ends_the_program_and_is_raised() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with BwrapSandbox(SPEC) as box:
        with pytest.raises(ZeroDivisionError):
            await box.exec(["sh", "-c", "echo x; sleep 60"], on_output=broken)
        assert await box.health()


async def test_a_work_folder_removed_from_outside_is_gone_and_no_bug() -> None:
    async with BwrapSandbox(SPEC) as box:
        bwrap_reap.remove_tree(work_folder())
        assert not await box.health()
        with pytest.raises(SandboxGone):
            await box.exec(["true"])


@pytest.mark.parametrize("spec", [SandboxSpec(run="tbwrap", image="x:1"), SandboxSpec(run="tbwrap", gpu=True)])
async def test_what_it_cannot_do_is_refused_in_plain_words(spec: SandboxSpec) -> None:
    with pytest.raises(Unavailable) as caught:
        async with BwrapSandbox(spec):
            pytest.fail("it must not open")
    assert "bubblewrap cannot" in caught.value.message
    assert caught.value.hint


@pytest.mark.index
@pytest.mark.slow
async def test_torch_comes_from_the_wheel_folder_of_the_host() -> None:
    have = [file for place in hostconfig.read().find_links if Path(place).is_dir() for file in Path(place).iterdir()]
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    if not any(file.name.startswith("torch-2.13.0+cpu") and tag in file.name for file in have):
        pytest.skip("no torch wheel for this Python in pip's wheel folders")
    async with BwrapSandbox(SandboxSpec(run="tbwrap", limits=Limits(memory=4 << 30))) as box:
        installed = await install(box, ["torch==2.13.0"], timeout=250)
        assert ("torch", "2.13.0+cpu") in {(each.name, each.version) for each in installed.packages}
        result = await box.exec(["python", "-c", "import torch; print(torch.ones(3).sum().item())"], timeout=120)
    assert result.stdout == b"3.0\n"


def test_an_error_names_the_missing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentsys_sandbox.bwrap import command as bwrap_command

    monkeypatch.setattr(bwrap_command, "PATH", "/nonexistent")
    with pytest.raises(SandboxError, match="`bwrap` is not installed"):
        bwrap_command.Bubblewrap.find()


async def test_eight_at_once_do_not_meet_and_leave_nothing() -> None:
    async def one(number: int) -> tuple[int, bytes]:
        async with BwrapSandbox(SPEC) as box:
            await box.write_files({"number": str(number).encode()})
            result = await box.exec(["sh", "-c", "sleep 0.3; cat number; ls /work/repo | wc -l"])
            return number, result.stdout

    found = await asyncio.gather(*(one(number) for number in range(8)))
    assert all(output == b"%d1\n" % number for number, output in found)
    assert (folders(), cgroups()) == (set(), [])


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.1, 0.2])
async def test_cancelling_while_it_opens_leaves_nothing(delay: float) -> None:
    async def open_and_wait() -> None:
        async with BwrapSandbox(SPEC):
            await asyncio.sleep(60)

    task = asyncio.create_task(open_and_wait())
    await asyncio.sleep(delay)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (folders(), cgroups()) == (set(), [])
