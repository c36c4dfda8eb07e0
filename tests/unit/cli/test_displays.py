"""Displays: harmless, alive, and at most as loud as asked for."""

from __future__ import annotations

import io
import re
import threading
import time
from typing import Any, get_args

import pytest
from rich.console import Console

from agentsys.cli.display.choose import choose, open_display
from agentsys.cli.display.heartbeat import QUIET_AFTER, Heartbeat, Ticker
from agentsys.cli.display.live import REFRESHES, LiveDisplay
from agentsys.cli.display.plain import NARRATED, PlainDisplay
from agentsys.core.events import STAGES, EventType
from agentsys.core.numbers import clock, count, dollars, plural, seconds
from agentsys.core.text import clean_line, clean_text
from agentsys.report.describe import describe

HOSTILE = "[/a/path] [bold]x[/bold] \x1b[2J\x1b]0;title\x07\x9b31m\u202etxt.exe\x00\r\nnext line"


class Now:
    """A clock that goes on when it is told."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(type: str, stage: str | None = None, round: int | None = None, **data: Any) -> dict[str, object]:
    made: dict[str, object] = {"v": 1, "seq": 1, "ts": "2026-01-02T03:04:05.678Z", "run": "r", "type": type}
    if stage:
        made["stage"] = stage
    if round:
        made["round"] = round
    return made | {"data": data}


def everything(text: str) -> list[dict[str, object]]:
    """One event of each type, with hostile text wherever text can stand."""
    keys = (
        "title",
        "agent",
        "text",
        "role",
        "item",
        "path",
        "message",
        "reason",
        "gate",
        "decision",
        "check",
        "outcome",
    )
    data: dict[str, Any] = dict.fromkeys(keys, text) | {"rules": [text], "checks": {text: text}, "seconds": 1.5}
    return [event(type, stage, 1, **data) for type in get_args(EventType) for stage in (None, "plan", "verify", text)]


# -- text --------------------------------------------------------------------------------------------------------------


def test_cleaned_text_cannot_steer_a_terminal() -> None:
    cleaned = clean_text(HOSTILE)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", cleaned)
    assert "title" not in cleaned
    assert "[bold]x[/bold]" in cleaned


@pytest.mark.parametrize("each", everything(HOSTILE), ids=lambda each: f"{each['type']}-{each.get('stage', '')[:6]}")
def test_every_event_is_described_in_one_harmless_line(each: dict[str, object]) -> None:
    line = describe(each)
    assert line == clean_line(line)
    assert len(line) <= 160


@pytest.mark.parametrize("data", [None, [], "text", {}, {"seconds": "x", "rules": 5, "checks": [1]}])
def test_event_with_unexpected_data_is_described_all_the_same(data: object) -> None:
    for type in (*get_args(EventType), "of.a.later.version"):
        describe({"type": type, "data": data})


def test_numbers_read_as_people_write_them() -> None:
    assert [count(n) for n in (0, 999, 1200, 41_000, 999_499, 1_300_000, 2e9)] == [
        "0", "999", "1.2k", "41k", "999k", "1.3M", "2.0G",
    ]  # fmt: skip
    assert [clock(n) for n in (0, 48, 75, 3723)] == ["0:00", "0:48", "1:15", "1:02:03"]
    assert [seconds(n) for n in (4, 4.25, 125, 3723)] == ["4 s", "4.2 s", "2 min 05 s", "1 h 02 min"]
    assert [dollars(n) for n in (None, 0, 0.004, 1.5)] == ["$?", "$0.00", "$0.0040", "$1.50"]
    assert [plural(n, "round") for n in (0, 1, 2)] == ["0 rounds", "1 round", "2 rounds"]


# -- choice ------------------------------------------------------------------------------------------------------------


def test_auto_is_live_only_where_a_terminal_can_redraw() -> None:
    assert choose("auto", Terminal(), {"TERM": "xterm"}) == "live"
    for stream, env in ((io.StringIO(), {"TERM": "xterm"}), (Terminal(), {"TERM": "dumb"}), (Terminal(), {})):
        assert choose("auto", stream, env) == "plain"
    assert choose("auto", Terminal(), {"TERM": "xterm", "CI": "true"}) == "plain"


def test_quiet_shows_warnings_and_nothing_else() -> None:
    stream = io.StringIO()
    with open_display("quiet", stream=stream) as display:
        for each in everything("words"):
            display(each)
    lines = stream.getvalue().splitlines()
    assert lines
    assert all(line.startswith(("warning:", "limit reached:")) for line in lines)


# -- plain -------------------------------------------------------------------------------------------------------------


def test_plain_writes_one_line_an_event_with_time_and_stage() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        display(event("file.written", "code", path="repo/a.py", lines=12))
        display(
            event("round.finished", "verify", 2, checks={"install": "passed", "pytest": "failed", "smoke": "not_run"})
        )
    assert stream.getvalue().splitlines() == [
        "03:04:05 code      wrote repo/a.py, 12 lines",
        "03:04:05 verify 2  round finished: install ok, pytest failed, smoke not run",
    ]


def test_plain_stays_one_line_an_event_for_hostile_text() -> None:
    stream = io.StringIO()
    events = [each for each in everything(HOSTILE) if each["type"] not in NARRATED]
    with PlainDisplay(stream) as display:
        for each in events:
            display(each)
    text = stream.getvalue()
    assert len(text.splitlines()) == len(events)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_plain_shows_the_output_of_programs_only_when_asked() -> None:
    for verbose in (False, True):
        stream = io.StringIO()
        with PlainDisplay(stream, verbose=verbose) as display:
            display(event("sandbox.output", "verify", 1, text="line"))
        assert bool(stream.getvalue()) is verbose


def test_verbose_plain_shows_at_most_four_lines_of_a_message() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream, verbose=True) as display:
        display(event("agent.message", "plan", agent="planner", text="\n".join(f"line {n}" for n in range(9))))
    lines = stream.getvalue().splitlines()
    assert [line.strip() for line in lines[1:]] == ["line 0", "line 1", "line 2", "line 3"]


def test_plain_says_what_is_waited_for_after_a_minute_and_not_before() -> None:
    now, stream = Now(), io.StringIO()
    display = PlainDisplay(stream, clock=now)
    display(event("stage.started", "plan", agent="planner"))
    now.at += QUIET_AFTER - 1
    display.tick()
    assert len(stream.getvalue().splitlines()) == 1
    now.at += 1
    display.tick()
    assert stream.getvalue().splitlines()[-1].strip() == "waiting for the model (planner), 1 min 00 s"
    display.tick()
    assert len(stream.getvalue().splitlines()) == 2
    now.at += QUIET_AFTER
    display.tick()
    assert "2 min 00 s" in stream.getvalue().splitlines()[-1]


def test_plain_ticks_by_itself_while_nothing_happens() -> None:
    ticked = threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if "waiting" in text:
                ticked.set()
            return super().write(text)

    now = Now()
    with PlainDisplay(Stream(), clock=now, period=0.01) as display:
        display(event("sandbox.started", "verify", 1, backend="docker"))
        now.at += 2 * QUIET_AFTER
        assert ticked.wait(30)


def test_ticker_is_over_when_the_display_is_left() -> None:
    before = threading.active_count()
    ticker = Ticker(3600, lambda: None)
    ticker.start()
    started = time.monotonic()
    ticker.stop()
    assert threading.active_count() == before
    assert time.monotonic() - started < 30


def test_heartbeat_names_the_sandbox_while_a_program_runs() -> None:
    now = Now()
    beat = Heartbeat(now)
    beat.note(event("sandbox.exec", "verify", 1, check="pytest", outcome="ok"))
    now.at += 75
    assert beat.line() == "waiting for the sandbox, 1 min 15 s"


def test_heartbeat_waits_for_the_debugger_once_its_experiment_has_ended() -> None:
    now = Now()
    beat = Heartbeat(now)
    beat.note(event("check.started", "debug", 2, check="install", number=1, of=8))
    beat.note(event("sandbox.exec", "debug", 2, check="install", outcome="ok", seconds=0.2))
    assert "check install" in beat.line()
    beat.note(event("sandbox.exec", "debug", 2, check="experiment", outcome="ok", seconds=1.5))
    now.at += 75
    assert beat.line() == "waiting for the model (debugger), 1 min 15 s"


def test_heartbeat_names_the_running_check_with_its_progress_and_never_a_model() -> None:
    now = Now()
    beat = Heartbeat(now)
    beat.note(event("check.started", "replay", 1, check="faults", number=5, of=8))
    now.at += 2
    assert beat.line() == "check faults (5 of 8), 2 s"
    beat.note(event("check.progress", "replay", 1, check="faults", text="12 of 45 planted faults tried"))
    beat.note(event("sandbox.exec", "replay", 1, check="faults", outcome="ok"))
    now.at += 178
    assert beat.line() == "check faults: 12 of 45 planted faults tried, 3 min 00 s"
    beat.note(event("sandbox.stopped", "replay", 1))
    assert "check" not in beat.line()


@pytest.mark.parametrize("agent, stage", [("verifier", "report"), ("reporter", "report"), ("auditor", "audit")])
def test_heartbeat_waits_for_a_model_only_where_one_is_asked(agent: str, stage: str) -> None:
    now = Now()
    beat = Heartbeat(now)
    beat.note(event("stage.started", stage, agent=agent))
    now.at += 180
    assert "model" not in beat.line()


# -- live --------------------------------------------------------------------------------------------------------------


def story() -> list[dict[str, object]]:
    return [
        event("run.started", title="A Paper", model="m"),
        event("stage.finished", "read", seconds=48.0),
        event("policy.verdict", "screen", gate="purpose", decision="allow"),
        event("stage.started", "plan", agent="planner"),
        event("llm.call", "plan", role="planner", item="x", prompt=40_000, completion=1000, price=0.11),
        event("stage.finished", "plan", seconds=72.0),
        event("stage.started", "code", agent="coder"),
        event("llm.call", "code", role="coder", item="a", prompt=500, completion=50, price=None),
        event("file.written", "code", path="repo/a.py", lines=100),
        event("file.written", "code", path="repo/b.py", lines=20),
        event("stage.started", "verify", agent="verifier"),
        event("round.started", "verify", 2),
        event("sandbox.exec", "verify", 2, check="pytest", outcome="nonzero", exit_code=1, seconds=3.0),
    ]


def rows(display: LiveDisplay, width: int = 120) -> dict[str, str]:
    """The lines of the table as they would be drawn now, by their first word."""
    shown = io.StringIO()
    Console(file=shown, width=width).print(display.get_renderable())
    lines = [" ".join(line.split()) for line in shown.getvalue().splitlines()]
    assert all(len(line) <= width for line in shown.getvalue().splitlines())
    return {line.partition(" ")[0]: line for line in lines}


def test_live_shows_who_works_time_calls_tokens_cost_and_rounds_by_stage() -> None:
    now = Now()
    display = LiveDisplay(Terminal(), clock=now)
    for each in story():
        display(each)
    now.at += 5
    table = rows(display)
    assert table["read"] == "read done 0:48"
    assert table["plan"] == "plan done 1:12 1 call 41k tokens $0.11"
    assert table["code"] == "code coder 0:05 1 call 550 tokens $? 2 files, 120 lines"
    assert table["verify"] == "verify round 2 0:05 pytest exit code 1 in 3 s"
    assert table["replay"] == "replay waiting"
    assert table["A"] == "A Paper"
    display(event("round.finished", "verify", 2, passed=True, checks={"pytest": "passed"}))
    assert rows(display)["verify"].startswith("verify passed 0:05 all checks passed")


def test_live_adds_the_times_of_a_stage_that_is_entered_again() -> None:
    now = Now()
    display = LiveDisplay(Terminal(), clock=now)
    for took in (None, 30.0):
        display(event("stage.started", "verify", agent="verifier"))
        now.at += 10
        display(event("stage.finished", "verify", **({"seconds": took} if took else {})))
        now.at += 100
    assert rows(display)["verify"] == "verify done 0:40"


def test_times_stand_still_when_the_run_is_over() -> None:
    now = Now()
    display = LiveDisplay(Terminal(), clock=now)
    for each in (*story(), event("run.finished", status="interrupted")):
        display(each)
    before = rows(display)
    now.at += 50
    assert {name: row for name, row in rows(display).items() if name in STAGES} == {
        name: row for name, row in before.items() if name in STAGES
    }


def test_live_says_what_is_waited_for_in_a_long_silence() -> None:
    now = Now()
    display = LiveDisplay(Terminal(), clock=now)
    display(event("stage.started", "plan", agent="planner"))
    now.at += QUIET_AFTER
    assert rows(display)["waiting"] == "waiting for the model (planner), 1 min 00 s"


def test_live_shows_at_once_that_the_run_is_being_stopped() -> None:
    with LiveDisplay(Terminal()) as display:
        display(event("stage.started", "plan", agent="planner"))
        assert display.stopping()
        assert rows(display)["stopping"].startswith("stopping in order, Ctrl-C once more stops at once; started")
    assert not display.stopping()


def test_live_table_fits_80_columns_and_shows_text_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with LiveDisplay(stream, verbose=True) as display:
        for each in [*story(), *everything(HOSTILE)]:
            display(each)
        assert re.search(r"plan .* \d+:\d\d .*41k tokens", rows(display, 80)["plan"])
    assert "title" not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert "\u202e" not in stream.getvalue()


def test_live_redraws_at_most_four_times_a_second() -> None:
    assert REFRESHES <= 4


def test_live_can_be_used_by_several_threads_at_once() -> None:
    failures: list[BaseException] = []

    def work(display: LiveDisplay) -> None:
        try:
            for each in story() * 5:
                display(each)
                display.get_renderable()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    with LiveDisplay(Terminal()) as display:
        threads = [threading.Thread(target=work, args=(display,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_the_table_is_away_while_a_person_is_asked_and_comes_back() -> None:
    display = LiveDisplay(io.StringIO())
    with display:
        with display.paused():
            assert not display.live.is_started
        assert display.live.is_started
    assert not display.live.is_started
