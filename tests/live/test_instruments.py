"""What a caller provides is there for programs to read, and nothing that they do changes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_sandbox.base import INSTRUMENTS, REPO, Sandbox, SandboxError
from agentsys_sandbox.bwrap.sandbox import BwrapSandbox
from agentsys_sandbox.fake import FakeSandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILES = {"probe.py": b"x = 1\n", "deep/er/plugin.py": b"y = 2\n"}
ATTACKS = (
    "echo z > probe.py",
    "echo z > new.py",
    "rm probe.py",
    "mv probe.py other.py",
    "chmod u+w . && echo z > probe.py",
    f"mv {INSTRUMENTS} {INSTRUMENTS}.old && mkdir {INSTRUMENTS} && echo z > {INSTRUMENTS}/probe.py",
    f"rm -rf {INSTRUMENTS}; ln -s /tmp {INSTRUMENTS}",
    "mount --bind /tmp .",
    "mkdir -p /tmp/probe && ln -sf /tmp/probe deep/er",
)


async def test_files_are_shown_and_stay_what_they_are_whatever_a_program_does(box: Sandbox) -> None:
    assert await box.provide(FILES) == INSTRUMENTS
    for attack in ATTACKS:
        await box.exec(["/bin/sh", "-c", attack], cwd=INSTRUMENTS)
        assert await box.intact(), attack
    again = await box.provide({"probe.py": b"x = 3\n"})
    shown = await box.exec(["/bin/sh", "-c", "cat probe.py deep/er/plugin.py; stat -c %u probe.py; id -u"], cwd=again)
    content, owner, user = shown.stdout[:12], *shown.stdout[12:].split()
    assert content == b"x = 3\ny = 2\n" and owner != user


async def test_what_programs_left_is_cleared_and_the_instruments_stay(box: Sandbox) -> None:
    await box.provide(FILES)
    script = f"mkdir -p {REPO}/a /work/b /tmp/c/d; touch /work/.e /tmp/.f /dev/shm/g; chmod 0 /tmp/c {REPO}/a"
    await box.exec(["/bin/sh", "-c", f"{script}; ln -s {INSTRUMENTS} /work/link"])
    await box.clear()
    left = await box.exec(["/bin/sh", "-c", "find /work /tmp /dev/shm -mindepth 1 -maxdepth 1 | sort"], cwd="/work")
    assert left.stdout.split() == [b"/work/instruments", b"/work/venv"]
    assert await box.intact()


async def test_a_change_from_outside_is_noticed(tmp_path: Path) -> None:
    async with FakeSandbox() as fake:
        await fake.provide(FILES)
        fake.files[f"{INSTRUMENTS}/probe.py"] = b"changed"
        assert not await fake.intact()
        with pytest.raises(SandboxError, match="does not hold"):
            await fake.provide(FILES)


async def test_a_change_on_the_host_is_noticed(box: Sandbox) -> None:
    if not isinstance(box, BwrapSandbox):
        pytest.skip("only bubblewrap shows a folder of this machine")
    await box.provide(FILES)
    file = box._opened().instruments / "deep" / "extra.py"  # pyright: ignore[reportPrivateUsage]
    file.write_bytes(b"")
    assert not await box.intact()
    file.unlink()
    assert await box.intact()
