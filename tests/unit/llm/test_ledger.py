"""The ledger after kills at every point."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.llm.ledger import Ledger
from agentsys.llm.store import Recording, Store
from agentsys.llm.types import CallKey, Reply, Usage


def recording(item: str, model: str = "gpt-5") -> Recording:
    reply = Reply("answer", "stop", Usage(1000, 400, 100), model, 2.0)
    return Recording.of(CallKey("coder", item), reply, asked=model, prompt={})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def opened(store: Store) -> Ledger:
    return Ledger(store.folder / "ledger.jsonl", store)


def test_totals_go_on_in_the_next_process(store: Store) -> None:
    ledger = opened(store)
    for item in ("a", "b"):
        made = recording(item)
        store.write(made)
        ledger.append(made)
    again = opened(store)
    assert again.usage == Usage(2000, 800, 200)
    assert again.cost == ledger.cost is not None
    assert len(again.lines) == 2


def test_kill_between_recording_and_line_is_booked_once_on_the_next_start(store: Store) -> None:
    store.write(recording("a"))  # killed here
    first = opened(store)
    second = opened(store)
    assert [line.key for line in first.lines] == [line.key for line in second.lines] == ["coder/a/01"]
    assert second.usage == Usage(1000, 400, 100)


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_kill_within_a_line_neither_loses_nor_doubles_the_call(store: Store, cut: int) -> None:
    ledger = opened(store)
    for item in ("a", "b"):
        made = recording(item)
        store.write(made)
        ledger.append(made)
    path = store.folder / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    again = opened(store)
    assert sorted(line.key for line in again.lines) == ["coder/a/01", "coder/b/01"]
    assert path.read_bytes().endswith(b"}\n")
    assert [line.key for line in opened(store).lines] == [line.key for line in again.lines]


def test_answers_put_aside_stay_booked(store: Store) -> None:
    ledger = opened(store)
    for _ in range(2):
        made = recording("a")
        store.write(made)
        ledger.append(made)
    (store.folder / "ledger.jsonl").unlink()
    assert opened(store).usage == Usage(2000, 800, 200)


def test_one_unknown_price_makes_the_cost_unknown(store: Store) -> None:
    ledger = opened(store)
    ledger.append(recording("a"))
    assert ledger.cost is not None
    ledger.append(recording("b", "my-own-model"))
    assert ledger.lines[-1].price is None
    assert ledger.cost is None
    assert ledger.usage.total == 2200
