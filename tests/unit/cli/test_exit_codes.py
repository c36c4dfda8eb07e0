"""Each end of a run has its own exit code; standard output is data, standard error narration."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable

import pytest

from agentsys.core.errors import EXIT_CODES

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("unverified", 5),
        ("blocked", 6),
        ("limit", 7),
        ("provider_error", 4),
        ("config_error", 3),
        ("early:PaperError", 2),
        ("early:PrerequisiteError", 3),
        ("raise:ProviderError", 4),
        ("raise:BlockedError", 6),
        ("raise:LimitReached", 7),
        ("raise:Interrupted", 130),
    ],
)
def test_each_end_has_its_exit_code(run_cli: Run, end: str, code: int) -> None:
    done = run_cli(end, "implement", "p.pdf", "-q")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_verified_without_evidence_on_disk_is_not_exit_code_0(run_cli: Run) -> None:
    done = run_cli("verified", "implement", "p.pdf", "-q")
    assert done.returncode == EXIT_CODES["unverified"]
    assert "no verification is on disk" in done.stdout


def test_expected_failure_is_one_message_and_a_hint(run_cli: Run) -> None:
    done = run_cli("early:PaperError", "implement", "p.pdf", "-q")
    assert done.stderr == "error: the paper `x` is no paper\n\nhint: give another one\n"
    assert done.stdout == ""


def test_expected_failure_keeps_its_traceback_on_demand(run_cli: Run) -> None:
    done = run_cli("early:PaperError", "implement", "p.pdf", env={"AGENTSYS_RAISE": "1"})
    assert "Traceback" in done.stderr
    assert "PaperError" in done.stderr


def test_bug_keeps_its_traceback_and_exits_with_1(run_cli: Run) -> None:
    done = run_cli("bug", "implement", "p.pdf", "-q")
    assert done.returncode == 1
    assert "ZeroDivisionError: a bug" in done.stderr


@pytest.mark.parametrize("args", [["implement"], ["implement", "p.pdf", "--no-such-option"], ["no-such-command"]])
def test_wrong_usage_exits_with_2(run_cli: Run, args: list[str]) -> None:
    assert run_cli("verified", *args).returncode == 2


def test_summary_is_on_stdout_and_progress_on_stderr(run_cli: Run) -> None:
    done = run_cli("unverified", "implement", "p.pdf")
    assert "not verified: a reason" in done.stdout
    assert "agentsys resume" in done.stdout
    assert "run finished: unverified" in done.stderr


@pytest.mark.parametrize("end", ["unverified", "raise:ProviderError", "early:PaperError", "bug"])
def test_json_owns_stdout_down_to_the_descriptor(run_cli: Run, end: str) -> None:
    done = run_cli(end, "implement", "p.pdf", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(event["v"] == 1 for event in events)
    if not end.startswith("early"):
        assert "a stray print" in done.stderr
        assert "a stray write" in done.stderr
    if end != "bug":
        assert [events[0]["type"], events[-1]["type"]] == ["run.started", "run.finished"]
        assert events[-1]["data"]["exit_code"] == done.returncode
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_json_tells_a_wrong_setting_as_an_error_event(run_cli: Run) -> None:
    done = run_cli("verified", "implement", "p.pdf", "--json", "--set", "modl=x")
    events = {event["type"]: event["data"] for event in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 2
    assert events["error"]["kind"] == "UsageError"
    assert events["error"]["hint"] == "did you mean `model`?"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_first_signal_ends_in_order_and_prints_the_resume_command(
    start_cli: Callable[..., subprocess.Popen[str]], number: signal.Signals, code: int
) -> None:
    process = start_cli("wait", "implement", "p.pdf", "-q")
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert f"cancelled by ('{number.name}',)" in err
    assert re.search(r"next +agentsys resume \S+", out)


def test_second_signal_ends_at_once_even_where_the_event_loop_is_held_up(
    start_cli: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start_cli("block", "implement", "p.pdf", "-q")
    assert process.stderr is not None
    process.send_signal(signal.SIGINT)
    while "stopping" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert "stopped at once" in process.stderr.read()
