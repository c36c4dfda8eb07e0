"""One event in a few plain words. Unknown fields are shown, missing ones left out: events outlive this program."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

from agentsys.core.events import Event
from agentsys.core.numbers import count, dollars, plural, seconds
from agentsys.core.text import clean_line
from agentsys_sandbox import backends

Data = Mapping[str, object]


def data_of(event: Event) -> Data:
    """Return the event's data; empty if it has none."""
    data = event.get("data")
    return cast("Data", data) if isinstance(data, dict) else {}


def describe(event: Event, limit: int = 160) -> str:
    """Return what happened as one harmless line of at most `limit` characters."""
    words = _WORDS.get(str(event.get("type")), _generic)
    return clean_line(words(data_of(event)), limit)


def number(data: Data, *keys: str) -> float | None:
    """Return the first of `keys` that holds a number."""
    for key in keys:
        value = data.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def text(data: Data, *keys: str) -> str:
    """Return the first of `keys` that holds something, as text."""
    return next((str(data[key]) for key in keys if data.get(key) not in (None, "")), "")


def _generic(data: Data) -> str:
    return ", ".join(f"{key} {value}" for key, value in data.items() if isinstance(value, str | int | float))


def _note(data: Data) -> str:
    return text(data, "note", "message", "summary", "reason") or _generic(data)


def _run_started(data: Data) -> str:
    model = text(data, "model")
    return f"run started: {text(data, 'title', 'id', 'paper')}" + (f", model {model}" if model else "")


def _run_finished(data: Data) -> str:
    reason = text(data, "reason")
    return f"run finished: {text(data, 'status')}" + (f", {reason}" if reason else "")


def _stage_started(data: Data) -> str:
    who = text(data, "agent")
    return f"started, {who} acts" if who else "started"


def _stage_finished(data: Data) -> str:
    took = number(data, "seconds")
    return "done" + (f" in {seconds(took)}" if took is not None else "")


def _round_finished(data: Data) -> str:
    if data.get("passed") is True:
        return "round finished: all checks passed"
    if "rolled_back_to" in data:
        return f"rolled back to round {data['rolled_back_to']}"
    return f"round finished: {states_words(data.get('checks')) or _note(data)}"


def states_words(checks: object) -> str:
    """Return `install ok, pytest failed, smoke not run` for a table of check states."""
    if not isinstance(checks, dict):
        return ""
    table = cast("Mapping[str, object]", checks)
    words = {"passed": "ok", "not_run": "not run", "infra_error": "could not be run"}
    return ", ".join(f"{name} {words.get(str(state), str(state))}" for name, state in table.items())


def _agent(data: Data) -> str:
    who = text(data, "agent", "role", "source") or "agent"
    return f"{who}: {text(data, 'summary', 'note', 'message', 'text', 'path') or _generic(data)}"


def _call(data: Data) -> str:
    item = re.sub(r"-\d+$", "", text(data, "item", "key"))  # a number of ours
    parts = [f"{text(data, 'role')} {item}".strip() or "model call"]
    prompt, completion = number(data, "prompt"), number(data, "completion")
    if prompt is not None or completion is not None:
        parts.append(f"{count(prompt or 0)} tokens in, {count(completion or 0)} out")
    if (cost := number(data, "cost", "price")) is not None:
        parts.append(dollars(cost))
    if (took := number(data, "seconds")) is not None:
        parts.append(seconds(took))
    return ", ".join(parts)


def _retry(data: Data) -> str:
    return f"model call again: {_note(data)}"


def _file(data: Data) -> str:
    lines = number(data, "lines")
    return f"wrote {text(data, 'path')}" + (f", {plural(int(lines), 'line')}" if lines is not None else "")


def _exec(data: Data) -> str:
    outcome = text(data, "outcome")
    if outcome == "nonzero" and "exit_code" in data:
        outcome = f"exit code {data['exit_code']}"
    parts = [text(data, "check", "command") or _generic(data), outcome]
    if (took := number(data, "seconds")) is not None:
        parts.append(f"in {seconds(took)}")
    return " ".join(filter(None, parts))


def _check(data: Data) -> str:
    place = f" ({int(number(data, 'number') or 0)} of {int(number(data, 'of') or 0)})" if number(data, "of") else ""
    return f"check {text(data, 'check')}{place}" + (f": {text(data, 'text')}" if text(data, "text") else "")


def _diagnostic(data: Data) -> str:
    place = text(data, "path") + (f":{data['line']}" if data.get("line") else "")
    return f"{text(data, 'kind')} {place} {text(data, 'message')}"


def _verdict(data: Data) -> str:
    found = data.get("rules")
    rules = dict.fromkeys(map(str, cast("list[object]", found))) if isinstance(found, list) else {}
    words = [text(data, "gate"), text(data, "decision"), f"({', '.join(list(rules)[:5])})" if rules else ""]
    if (status := text(data, "status")) not in ("", "ok"):
        words.append(f"[{status}]")
    return " ".join(filter(None, words))


def _problem(word: str) -> Callable[[Data], str]:
    return lambda data: f"{word}: {_note(data)}"


def _started(data: Data) -> str:
    """A place that isolates less than Docker does is never named without saying so."""
    name = text(data, "backend")
    weakness = backends.load(name).weakness if name in backends.BACKENDS else ""
    return f"sandbox started: {weakness or name}"


_WORDS: dict[str, Callable[[Data], str]] = {
    "run.started": _run_started,
    "run.estimated": _problem("estimate"),
    "run.finished": _run_finished,
    "stage.started": _stage_started,
    "stage.finished": _stage_finished,
    "round.started": lambda _: "round started",
    "round.finished": _round_finished,
    "agent.message": _agent,
    "llm.call": _call,
    "llm.retry": _retry,
    "file.written": _file,
    "check.started": _check,
    "check.progress": _check,
    "sandbox.exec": _exec,
    "sandbox.started": _started,
    "sandbox.stopped": lambda _: "sandbox removed",
    "diagnostic.found": _diagnostic,
    "policy.verdict": _verdict,
    "limit.reached": _problem("limit reached"),
    "warning": _problem("warning"),
    "error": _problem("error"),
}
