"""The group chat: AutoGen carries the turns, the router says whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from autogen_agentchat.conditions import MaxMessageTermination, StopMessageTermination
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage
from autogen_agentchat.teams import SelectorGroupChat
from autogen_core import CancellationToken

from agentsys.core.errors import InternalError
from agentsys.core.state import Step
from agentsys.plan.context import Colleague
from agentsys.run.member import Failure, Member
from agentsys.run.null_client import NullClient

FUSE = 400
"""Messages after which the chat ends whatever the router says; no run comes near it."""
GRACE = 20.0
"""Seconds that members get to stop after a cancellation."""

OnMessage = Callable[[str, str], None]
OnTurn = Callable[[Step, str], None]


async def converse(
    colleagues: Sequence[Colleague],
    choose: Callable[[], Step],
    task: str,
    on_turn: OnTurn,
    on_message: OnMessage,
) -> None:
    """Hold the conversation until the reporter has spoken or a member failed.

    Args:
        colleagues: all members, each step taken by one of them; the step `report` ends the conversation.
        choose: returns the step that is due.
        task: one line that opens the chat.
        on_turn: called with step and speaker before each turn.
        on_message: called with speaker and receipt of every turn.

    Raises: whatever a member raised; CancelledError if the caller is cancelled (members are stopped first);
        InternalError if the conversation goes in circles.
    """
    failure = Failure()
    step: Step = "screen"
    ended = False
    takes = {each: item.name for item in colleagues for each in item.steps}

    def said(speaker: str, receipt: str) -> None:
        nonlocal ended
        ended = ended or step == "report"
        on_message(speaker, receipt)

    members = [Member(item, lambda: step, failure) for item in colleagues]

    def selector(_: Sequence[BaseAgentEvent | BaseChatMessage]) -> str:
        nonlocal step
        step = choose()
        on_turn(step, takes[step])
        return takes[step]

    team = SelectorGroupChat(
        list(members),
        model_client=NullClient(),
        selector_func=selector,
        allow_repeated_speaker=True,
        termination_condition=StopMessageTermination() | MaxMessageTermination(FUSE),
    )
    token = CancellationToken()
    talk = asyncio.create_task(_talk(team, task, token, said))
    try:
        await asyncio.shield(talk)
    except asyncio.CancelledError:
        token.cancel()
        await asyncio.wait({talk}, timeout=GRACE)
        raise
    if failure.error is not None:
        raise failure.error
    if not ended:
        raise InternalError(f"the conversation did not come to an end in {FUSE} turns")


async def _talk(team: SelectorGroupChat, task: str, token: CancellationToken, on_message: OnMessage) -> None:
    async for message in team.run_stream(task=task, cancellation_token=token):
        if isinstance(message, BaseChatMessage) and message.source != "user":
            on_message(message.source, message.to_text())
