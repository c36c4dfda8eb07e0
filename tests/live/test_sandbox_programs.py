"""Programs that behave badly end with the right outcome, in time, and leave a sandbox that still works."""

from __future__ import annotations

import secrets
import time

import pytest

from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.capture import flood_limit
from agentsys_sandbox.docker.endpoints import docker as connect
from agentsys_sandbox.labels import RUN
from agentsys_sandbox.spec import Outcome
from live.sandboxes import MIB, Place, others, python, runs_on_host

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def works(box: Sandbox) -> bool:
    """True if a fresh program runs, and nothing of the last one does."""
    result = await python(box, "print('still here')")
    return result.ok and result.stdout == b"still here\n" and await others(box) == 0


async def test_a_program_that_ends_well_is_ok_and_both_streams_are_kept_apart(box: Sandbox) -> None:
    result = await python(box, "import sys; print('out'); print('err', file=sys.stderr)")
    assert (result.outcome, result.exit_code) == (Outcome.OK, 0)
    assert (result.stdout, result.stderr) == (b"out\n", b"err\n")


async def test_any_exit_code_that_a_program_chooses_is_nonzero_and_nothing_else(box: Sandbox) -> None:
    for code in (1, 2, 124, 125, 126, 127, 137, 139, 143, 255):
        result = await box.exec(["sh", "-c", f"exit {code}"], timeout=20)
        assert (result.outcome, result.exit_code) == (Outcome.NONZERO, code)


@pytest.mark.parametrize("argv", [["no-such-program"], ["/etc/passwd"], ["/"]])
async def test_what_cannot_be_started_is_start_failed(box: Sandbox, argv: list[str]) -> None:
    result = await box.exec(argv, timeout=20)
    assert result.outcome is Outcome.START_FAILED
    assert result.message


async def test_a_working_folder_that_is_not_there_is_start_failed(box: Sandbox) -> None:
    assert (await box.exec(["true"], cwd="/work/nowhere", timeout=20)).outcome is Outcome.START_FAILED


async def test_input_reaches_the_program_and_ends(box: Sandbox) -> None:
    data = bytes(range(256)) * 20_000
    result = await python(box, "import sys; print(len(sys.stdin.buffer.read()))", stdin=data)
    assert result.stdout == b"%d\n" % len(data)


async def test_input_that_nobody_reads_does_no_harm(box: Sandbox) -> None:
    assert (await python(box, "print('done')", stdin=b"x" * (8 * MIB))).stdout == b"done\n"


async def test_without_input_a_read_comes_to_an_end(box: Sandbox) -> None:
    assert (await python(box, "import sys; print(repr(sys.stdin.read()))")).stdout == b"''\n"


async def test_variables_reach_the_program(box: Sandbox) -> None:
    result = await python(box, "import os; print(os.environ['ANSWER'], os.environ['HOME'])", env={"ANSWER": "6 x 7"})
    assert result.stdout == b"6 x 7 /tmp\n"


async def test_output_comes_while_the_program_runs(box: Sandbox) -> None:
    seen: list[float] = []
    await python(
        box,
        "import time\nfor i in range(3): print(i, flush=True); time.sleep(0.4)",
        on_output=lambda name, data: seen.append(time.monotonic()),
    )
    assert seen[-1] - seen[0] > 0.5


LOOPS = {
    "an infinite loop": "while True: pass",
    "a program that ignores SIGTERM": "import signal,time; signal.signal(15, 1); signal.signal(2, 1); time.sleep(600)",
    "a daemon that left its session": (
        "import os,time\nif os.fork()==0:\n os.setsid()\n if os.fork()==0:\n  time.sleep(600)\ntime.sleep(600)"
    ),
    "a fork bomb": "import os\nwhile True:\n try: os.fork()\n except OSError: pass",
}


@pytest.mark.parametrize("code", LOOPS.values(), ids=LOOPS)
async def test_a_program_over_its_time_is_stopped_with_everything_it_started(box: Sandbox, code: str) -> None:
    mark, seen = f"mark-{secrets.token_hex(8)}", []
    program = f"print('begun', flush=True)\n{code}\n# {mark}"
    start = time.monotonic()
    result = await python(box, program, timeout=2.0, on_output=lambda name, data: seen.append(runs_on_host(mark)))
    assert (seen[0], runs_on_host(mark)) == (True, False)
    assert result.outcome is Outcome.TIMEOUT
    assert result.exit_code is None
    assert result.stdout == b"begun\n"
    assert time.monotonic() - start < 15
    assert await works(box)


async def test_a_daemon_that_holds_the_output_open_does_not_hold_the_result_back(box: Sandbox) -> None:
    code = "import os,time\nprint('parent done', flush=True)\nif os.fork()==0:\n os.setsid(); time.sleep(600)"
    start = time.monotonic()
    result = await python(box, code, timeout=60)
    assert (result.outcome, result.stdout) == (Outcome.OK, b"parent done\n")
    assert time.monotonic() - start < 20
    assert await works(box)


async def test_a_program_that_closes_its_output_is_waited_for(box: Sandbox) -> None:
    code = "import os,time; print('bye', flush=True); os.close(1); os.close(2); time.sleep(1.5); os._exit(7)"
    result = await python(box, code)
    assert (result.outcome, result.exit_code, result.stdout) == (Outcome.NONZERO, 7, b"bye\n")
    assert result.seconds > 1.4


async def test_a_program_that_closes_its_output_meets_its_deadline(box: Sandbox) -> None:
    result = await python(box, "import os,time; os.close(1); os.close(2); time.sleep(100)", timeout=2)
    assert result.outcome is Outcome.TIMEOUT
    assert await works(box)


async def test_threads_without_end_meet_the_process_limit(box: Sandbox) -> None:
    code = "import threading,time\nfor _ in range(500): threading.Thread(target=time.sleep, args=(3,)).start()"
    result = await python(box, code)
    # Without a control group bubblewrap limits by a resource limit, and refusals cannot be counted.
    named = {Outcome.PIDS_LIMIT, Outcome.NONZERO} if box.describe().backend == "bubblewrap" else {Outcome.PIDS_LIMIT}
    assert result.outcome in named
    assert b"can't start new thread" in result.stderr
    assert await works(box)


async def test_children_that_nobody_waits_for_are_reaped(box: Sandbox) -> None:
    code = (
        "import os, time\nmade = 0\n"
        "for _ in range(500):\n"
        "    try: made += 1\n    except OSError: pass\n"
        # Orphans too: their parent ends before them, so the first process of the namespace has to reap them.
        "    try:\n        if os.fork() == 0:\n"
        "            if os.fork() == 0: time.sleep(0.01)\n            os._exit(0)\n"
        "    except OSError: time.sleep(0.02)\n"
        "    if made % 20 == 0:\n"
        "        try:\n            while os.waitpid(-1, 0): pass\n        except OSError: pass\n"
        "print(made)"
    )
    result = await python(box, code, timeout=90)
    assert (result.outcome, result.stdout) == (Outcome.OK, b"500\n"), result
    assert await works(box)


async def test_a_program_that_leaves_its_ended_children_lying_meets_a_limit_or_ends(box: Sandbox) -> None:
    code = "import os, time\nfor _ in range(500):\n    if os.fork() == 0: os._exit(0)\n"
    result = await python(box, code, timeout=60)
    assert result.outcome is Outcome.PIDS_LIMIT
    assert await works(box)


async def test_killing_everything_in_reach_leaves_the_sandbox_alive(box: Sandbox) -> None:
    result = await python(box, "import os; os.kill(-1, 9); print('alone')")
    assert result.outcome in (Outcome.OK, Outcome.NONZERO)
    assert await works(box)


async def test_the_first_process_cannot_be_killed(box: Sandbox) -> None:
    result = await box.exec(["sh", "-c", "kill -9 1; kill -TERM 1; echo tried"], timeout=20)
    assert result.stdout == b"tried\n"
    assert await works(box)


async def test_a_flood_of_output_is_stopped_and_counted(box: Sandbox) -> None:
    start = time.monotonic()
    result = await python(box, "while True: print('y' * 4000)", max_output=1000, timeout=120)
    assert result.outcome is Outcome.OUTPUT_LIMIT
    assert len(result.stdout) < 1200
    assert result.cut > 50 * MIB
    assert time.monotonic() - start < 60
    assert await works(box)


async def test_one_very_long_line_keeps_its_head_and_tail(box: Sandbox) -> None:
    result = await python(box, "print('a' + 'x' * 20_000_000 + 'z')", max_output=4000)
    assert result.ok
    assert result.stdout.startswith(b"ax")
    assert result.stdout.endswith(b"xz\n")
    assert result.cut == 20_000_003 - 4000


async def test_a_line_of_eighty_megabytes_is_read_to_its_end_or_counted_as_a_flood(box: Sandbox) -> None:
    code = "import sys\nfor _ in range(80): sys.stdout.write('x' * 1_000_000)\nprint('z')"
    most = 4_000_000
    result = await python(box, code, timeout=90, max_output=most)
    flood = flood_limit(most)
    assert result.outcome is (Outcome.OK if flood > 80_000_002 else Outcome.OUTPUT_LIMIT)
    assert len(result.stdout) <= most + 100
    assert result.cut >= min(flood, 80_000_002) - most - 100
    assert await works(box)


FLOOD_FIRST = (
    "import os, sys\n"
    "for fd in (1, 2):\n"
    "    try: out = os.open(f'/proc/1/fd/{fd}', os.O_WRONLY)\n"
    "    except OSError: print('refused'); continue\n"
    "    for _ in range(300): os.write(out, b'y' * 1_000_000)\n"
)


async def test_the_log_of_the_first_process_cannot_be_flooded(box: Sandbox) -> None:
    """Either its streams are out of reach, or they are the program's own, whose bytes are counted."""
    result = await python(box, FLOOD_FIRST, timeout=120, max_output=100_000)
    if result.outcome is Outcome.OK:
        assert result.stdout == b"refused\nrefused\n"
    else:
        assert result.outcome is Outcome.OUTPUT_LIMIT
        assert len(result.stdout) + len(result.stderr) < 300_000
    assert await works(box)


@pytest.mark.docker
async def test_the_engine_writes_no_log_of_a_container(engine_place: Place) -> None:
    async with engine_place.open() as box:
        await python(box, "print('y' * 1_000_000)")
        engine = connect()
        try:
            (container,) = engine.containers(f"{RUN}={engine_place.run}")
            facts = engine._api.inspect_container(container.name)
        finally:
            engine.close()
    assert facts["HostConfig"]["LogConfig"]["Type"] == "none"
    assert facts["LogPath"] == ""


async def test_invalid_text_and_control_sequences_do_no_harm(box: Sandbox) -> None:
    result = await python(
        box, r"import sys; sys.stdout.buffer.write(b'a\xff\x00\x1b[31mred\x1b]0;title\x07\r\nb\x9b2J')"
    )
    assert result.stdout == b"a\xff\x00\x1b[31mred\x1b]0;title\x07\r\nb\x9b2J"
    assert result.text() == "a\ufffdred\nb\ufffd2J"


async def test_an_argument_that_the_kernel_refuses_is_no_crash(box: Sandbox) -> None:
    result = await box.exec(["echo", "x" * 200_000], timeout=20)
    assert result.outcome in (Outcome.START_FAILED, Outcome.NONZERO)
    assert await works(box)


async def test_names_that_cannot_be_variables_are_refused(place: Place) -> None:
    from agentsys_sandbox.base import SandboxError

    async with place.open() as sandbox:
        with pytest.raises(SandboxError, match="environment variable"):
            await sandbox.exec(["true"], env={"A=B": "1"})


class Jumping:
    """A wall clock that leaps by ten years, back and forth, with every look at it."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return 1.8e9 + (3.2e8 if self.looks % 2 else -3.2e8)


async def test_a_jump_of_the_hosts_clock_changes_no_outcome_and_ends_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Jumping()
    async with place.open() as box:
        monkeypatch.setattr(time, "time", clock)
        quick = await python(box, "print(1)")
        late = await python(box, "import time; time.sleep(600)", timeout=2.0)
        # Another run that starts now looks for what is overdue, and must not take this one for it.
        async with Place(place.backend).open() as other:
            assert (await python(other, "print(2)")).ok
        assert clock.looks > 0
        assert (await python(box, "print(3)")).stdout == b"3\n"
        monkeypatch.undo()
    assert (quick.outcome, late.outcome) == (Outcome.OK, Outcome.TIMEOUT)
    assert 0 <= quick.seconds < 100
    assert 1.9 < late.seconds < 100
