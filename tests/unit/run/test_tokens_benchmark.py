"""How the benchmark of tokens counts what a provider's cache holds."""

from __future__ import annotations

import json
from collections.abc import Iterable

from benchmarks.tokens import CHARS_PER_TOKEN, LEAST, STEP, cached, requests, table

LONG = "x" * (LEAST * CHARS_PER_TOKEN)


def asked(key: str, *texts: str) -> str:
    role, item, _ = key.split("/", 2)
    return json.dumps(
        {"asked": key, "role": role, "item": item, "parts": [["p", text] for text in texts], "feedback": []}
    )


def answered(*keys: str) -> Iterable[str]:
    return (json.dumps({"answered": key, "chars": 1}) for key in keys)


def test_a_common_beginning_counts_from_the_least_length_on_and_in_whole_steps() -> None:
    assert cached(LONG + "a", [LONG[:-1] + "b"]) == 0
    assert cached(LONG + "a" * 9, [LONG + "b", "c"]) == LEAST
    more = "y" * (STEP * CHARS_PER_TOKEN)
    assert cached(f"{LONG}{more}{more[:-1]}a", [f"{LONG}{more}{more[:-1]}b"]) == LEAST + STEP


def test_requests_that_are_sent_together_share_nothing_until_one_is_answered() -> None:
    lines = [asked("coder/a/01", LONG, "a"), asked("coder/b/01", LONG, "b"), *answered("coder/a/01", "coder/b/01")]
    first, second = requests([*lines, asked("coder/c/01", LONG), *answered("coder/c/01")])[:2]
    assert (first.in_turn, first.at_once) == (0, 0) and (second.in_turn, second.at_once) == (LEAST, 0)


def test_claims_are_counted_apart_and_a_question_without_an_answer_is_none() -> None:
    keys = ("coder/a/01", "coder/claims%2Fc1/01", "planner/contracts/01")
    rows = [asked("coder/a/01", "a" * 40), asked("coder/b/01", "b" * 40), asked("planner/contracts/01", "c" * 80)]
    lines = list(table([("now", requests([*rows, *answered(keys[0], keys[2])]))]))
    assert next(line for line in lines if line.startswith("in all")).split() == ["in", "all", "1", "10", "10", "10"]
    assert next(line for line in lines if line.startswith("claims")).split() == ["claims", "1", "20", "20", "20"]
