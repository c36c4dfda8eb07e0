"""Memory, disk and shared memory are bounded, and hitting a bound is named for what it is."""

from __future__ import annotations

import pytest

from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.spec import Outcome
from live.sandboxes import MIB, Place, others, python

pytestmark = pytest.mark.asyncio(loop_scope="module")
GRAB = "x = [bytearray(b'x' * 8_000_000) for _ in range(200)]"


def enforced(box: Sandbox, name: str) -> bool:
    """True if the sandbox has seen that this control is effective."""
    return next(each.effective for each in box.describe().controls if each.name == name)


async def test_a_program_that_takes_too_much_memory_is_oom(place: Place) -> None:
    async with place.open() as box:
        result = await python(box, GRAB)
        assert (result.outcome, result.oom_kills >= 1) == (Outcome.OOM, True)
        assert (await python(box, "print(1)")).ok


async def test_a_child_that_is_killed_for_memory_counts_though_its_parent_returns_0(place: Place) -> None:
    async with place.open() as box:
        result = await box.exec(["sh", "-c", f'python3 -c "{GRAB}"; exit 0'], timeout=30)
        assert result.outcome is Outcome.OOM
        # Without a control group everything is stopped, so there is no exit code.
        assert result.exit_code == (0 if enforced(box, "memory limit") else None)


async def test_memory_filled_through_the_temporary_folder_does_not_wedge_the_sandbox(place: Place) -> None:
    async with place.open(memory=128 * MIB, tmp=512 * MIB) as box:
        result = await python(box, "f=open('/tmp/fill','wb')\nwhile True: f.write(b'x' * 1_000_000)")
        if enforced(box, "memory limit"):
            assert result.outcome is Outcome.OOM
        else:
            # Only the memory of processes is watched then; the folder has its own bound.
            assert b"No space left on device" in result.stderr
        assert (await python(box, "import os; print(os.path.exists('/tmp/fill'))")).stdout == b"False\n"


async def test_the_temporary_folder_is_bounded(box: Sandbox) -> None:
    result = await python(box, "f=open('/tmp/fill','wb')\nwhile True: f.write(b'x' * 1_000_000)")
    assert result.outcome is Outcome.NONZERO
    assert b"No space left on device" in result.stderr


async def test_shared_memory_works_and_is_bounded(box: Sandbox) -> None:
    code = (
        "import multiprocessing as m\n"
        "with m.Pool(2) as p: print(sum(p.map(abs, range(-9, 0))))\n"
        "f=open('/dev/shm/fill','wb')\n"
        "try:\n    while True: f.write(b'x' * 1_000_000)\n"
        "except OSError as e: print(e.errno)"
    )
    assert (await python(box, code)).stdout == b"45\n28\n"


async def test_one_file_cannot_grow_over_the_limit(place: Place) -> None:
    async with place.open(disk=20 * MIB) as box:
        result = await python(
            box, "import os\nfor i in range(64): os.truncate(open('/work/repo/big','ab').fileno(), i << 20)"
        )
        assert result.outcome is not Outcome.OK
        size = await python(box, "import os; print(os.path.getsize('/work/repo/big'))")
        assert int(size.stdout) <= 20 * MIB


async def test_a_work_folder_that_grows_over_its_limit_is_disk_limit(place: Place) -> None:
    async with place.open(disk=60 * MIB) as box:
        code = (
            "import time\nfor i in range(9999):\n open(f'/work/repo/{i}','wb').write(b'x' * 9_000_000); time.sleep(0.7)"
        )
        result = await python(box, code, timeout=60)
        assert result.outcome is Outcome.DISK_LIMIT
        assert await others(box) == 0


async def test_files_without_content_are_counted_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsys_sandbox.docker.box._MOST_FILES", 1000)
    monkeypatch.setattr("agentsys_sandbox.bwrap.watch._MOST_FILES", 1000)
    async with place.open() as box:
        code = "import time\nfor i in range(3000): open(f'/work/repo/{i}', 'w').close()\ntime.sleep(60)"
        result = await python(box, code, timeout=50)
        assert (result.outcome, await others(box)) == (Outcome.DISK_LIMIT, 0)


async def test_many_busy_threads_get_no_more_than_their_processors(place: Place) -> None:
    code = (
        "import hashlib, os, threading, time\nstart = time.monotonic()\n"
        # Hashing of large pieces lets other threads of the interpreter run.
        "def spin():\n    data = bytes(1 << 20)\n"
        "    while time.monotonic() - start < 3: hashlib.sha256(data)\n"
        "threads = [threading.Thread(target=spin) for _ in range(64)]\n"
        "for each in threads: each.start()\nfor each in threads: each.join()\n"
        "used = os.times(); print(sum(used[:2]) / (time.monotonic() - start))"
    )
    async with place.open(cpus=0.5) as box:
        result = await python(box, code, timeout=60)
        assert result.ok, result
        # Where no control group can be made, the description says that processors are not bounded.
        assert float(result.stdout) < 0.75 or not enforced(box, "processor limit")


async def test_open_files_are_bounded(box: Sandbox) -> None:
    result = await python(box, "x = [open('/dev/null') for _ in range(5000)]")
    assert result.outcome is Outcome.NONZERO
    assert b"Too many open files" in result.stderr
