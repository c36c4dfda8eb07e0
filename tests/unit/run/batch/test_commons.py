"""What papers of a batch share: nobody takes more than there is, and who is gone holds nothing."""

from __future__ import annotations

import asyncio

from agentsys.run.batch.commons import Commons, Turn


async def settled(*tasks: asyncio.Task[object]) -> list[bool]:
    """Let everything that can go on go on; return which tasks are done."""
    for _ in range(20):
        await asyncio.sleep(0)
    return [task.done() for task in tasks]


def ask(commons: Commons, paper: str) -> asyncio.Task[Turn]:
    return asyncio.create_task(commons.turn(paper))


async def answer(commons: Commons, paper: str, price: float) -> None:
    await commons.back(paper, True)
    await commons.paid(paper, price)


async def test_all_papers_together_have_no_more_requests_under_way_than_one_provider_takes() -> None:
    commons = Commons(2, None, {})
    tasks = [ask(commons, paper) for paper in "abc"]
    assert await settled(*tasks) == [True, True, False]
    await commons.back("a", False)
    assert await settled(*tasks) == [True, True, True]


async def test_a_limit_that_one_paper_meets_slows_all_and_is_halved_once() -> None:
    commons = Commons(4, None, {})
    began = [(await commons.turn(paper)).began for paper in "abcd"]
    for paper, start in zip("abcd", began, strict=True):
        await commons.slow(start, 0.0)
        await commons.back(paper, False)
    tasks = [ask(commons, paper) for paper in "abcd"]
    assert await settled(*tasks) == [True, True, False, False]
    await commons.gone("c")
    await commons.gone("d")


async def test_a_wait_that_a_limit_asks_for_holds_for_every_paper() -> None:
    commons = Commons(4, None, {})
    turn = await commons.turn("a")
    await commons.slow(turn.began, 60.0)
    other = ask(commons, "b")
    assert await settled(other) == [False]
    await commons.gone("b")
    assert await settled(other) == [True]


async def test_no_paper_asks_once_the_money_of_all_is_spent() -> None:
    commons = Commons(8, 1.0, {"earlier": 0.5})
    assert not (await commons.turn("a")).refused
    await answer(commons, "a", 0.5)
    refused = (await commons.turn("b")).refused
    assert refused == await commons.exhausted()
    assert "$1.00, is used up ($1.00 spent by all papers)" in refused


async def test_what_is_under_way_is_counted_so_that_at_most_one_answer_goes_beyond_the_budget() -> None:
    commons = Commons(8, 1.0, {})
    await commons.turn("a")
    await answer(commons, "a", 0.4)
    tasks = [ask(commons, paper) for paper in "abc"]  # 0.4 spent: one more of 0.4 fits, three do not
    assert (await settled(*tasks)).count(True) == 1
    await answer(commons, "a", 0.4)
    assert (await settled(*tasks)).count(True) == 2
    await answer(commons, "b", 0.4)
    assert await settled(*tasks) == [True, True, True]
    assert [bool(task.result().refused) for task in tasks] == [False, False, True]


async def test_an_answer_counts_as_under_way_until_it_is_booked() -> None:
    commons = Commons(8, 1.0, {})
    await commons.turn("a")
    await answer(commons, "a", 0.6)
    await commons.turn("a")
    await commons.back("a", True)
    later = ask(commons, "b")
    assert await settled(later) == [False]
    await commons.paid("a", 0.6)
    assert (await later).refused


async def test_a_worker_that_is_gone_gives_back_turns_waits_and_room() -> None:
    commons = Commons(1, None, {})
    await commons.turn("a")
    await commons.room("a", "here", 1)
    waiting, next_room = ask(commons, "a"), asyncio.create_task(commons.room("b", "here", 1))
    other = ask(commons, "b")
    assert await settled(waiting, next_room, other) == [False, False, False]
    await commons.gone("a")
    assert await settled(waiting, next_room, other) == [True, True, True]
    assert waiting.cancelled() and not other.result().refused


async def test_what_the_ledger_says_counts_once_a_paper_has_ended() -> None:
    commons = Commons(8, 1.0, {})
    await commons.turn("a")
    await answer(commons, "a", 0.1)
    await commons.settle("a", 1.0)  # it was paid for what its worker could not tell any more
    assert await commons.exhausted()


async def test_a_machine_has_room_for_so_many_sandboxes_and_another_machine_has_its_own() -> None:
    commons = Commons(8, None, {})
    await commons.room("a", "here", 1)
    second = asyncio.create_task(commons.room("b", "here", 1))
    elsewhere = asyncio.create_task(commons.room("b", "there", 1))
    assert await settled(second, elsewhere) == [False, True]
    await commons.leave("a", "here")
    assert await settled(second) == [True]


async def test_who_holds_a_sandbox_gets_a_second_one_at_once_and_no_two_wait_for_each_other() -> None:
    commons = Commons(8, None, {})
    await commons.room("a", "here", 2)
    await commons.room("b", "here", 2)
    await asyncio.wait_for(commons.room("a", "here", 2), 5)
    await commons.leave("a", "here")
    third = asyncio.create_task(commons.room("c", "here", 2))
    assert await settled(third) == [False]
    await commons.leave("a", "here")
    assert await settled(third) == [True]


async def test_who_watches_gets_every_note_once() -> None:
    commons = Commons(8, None, {})
    await commons.note("a", {"type": "stage.started"})
    await commons.note("b", {"type": "llm.call"})
    assert [key for key, _ in await commons.notes()] == ["a", "b"]
    later = asyncio.create_task(commons.notes())
    assert await settled(later) == [False]
    await commons.note("c", {"type": "llm.call"})
    assert [key for key, _ in await later] == ["c"]


async def test_what_comes_late_from_a_worker_that_is_gone_frees_nothing_twice() -> None:
    commons = Commons(1, None, {})
    await commons.turn("a")
    await commons.gone("a")
    await commons.back("a", True)
    await commons.leave("a", "here")
    tasks = [ask(commons, "b"), ask(commons, "c")]
    assert (await settled(*tasks)).count(True) == 1
    await commons.gone("b")
    await commons.gone("c")
