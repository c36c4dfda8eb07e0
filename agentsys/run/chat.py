"""The group chat: AutoGen carries the turns, the router says whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.conditions import StopMessageTermination
from autogen_agentchat.messages import BaseChatMessage, HandoffMessage, StopMessage
from autogen_agentchat.teams import Swarm
from autogen_core import CancellationToken

from agentsys.core.errors import InternalError
from agentsys.core.events import Step
from agentsys.plan.context import Agent

MAX_TURNS = 400
"""Turns after which the chat ends whatever the router says; no run comes near it."""
GRACE = 20.0
"""Seconds that members get to stop after a cancellation."""
MAX_RECEIPT = 300
"""Longest message of a turn, in characters."""


@dataclass
class Conversation:
    """What the members share: the step that is due, and how the conversation ended."""

    agents: Sequence[Agent]
    choose: Callable[[], Step]
    on_turn: Callable[[Step, str], None]
    on_message: Callable[[str, str], None]
    step: Step = "screen"
    speaker: str = ""
    error: BaseException | None = None
    """What ended the conversation early. AutoGen would turn it into text; it is raised again outside."""
    reported: bool = False

    def next_speaker(self) -> str:
        """Ask the router which step is due, and return the name of the agent that takes it."""
        self.step = step = self.choose()
        self.speaker = next(agent.name for agent in self.agents if step in agent.steps)
        self.on_turn(step, self.speaker)
        return self.speaker


class Member(BaseChatAgent):
    """Takes the step that is due, says in a short receipt what came of it, and hands over to who takes the next one.

    An exception never leaves the agent (the team object would be unusable and the type would be lost): it is kept, and
    a stop message ends the conversation.
    """

    def __init__(self, agent: Agent, conversation: Conversation) -> None:
        super().__init__(name=agent.name, description=agent.description)
        self._agent = agent
        self._conversation = conversation

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (HandoffMessage, StopMessage)

    async def on_messages(self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken) -> Response:
        try:
            return Response(chat_message=await self._turn(cancellation_token))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  (kept whole, and raised again by `converse`)
            self._conversation.error = error
            return Response(chat_message=StopMessage(content=type(error).__name__, source=self.name))

    async def _turn(self, token: CancellationToken) -> HandoffMessage | StopMessage:
        talk = self._conversation
        work = asyncio.ensure_future(self._agent.act(talk.step))
        token.link_future(work)
        receipt = (await work)[:MAX_RECEIPT]
        talk.on_message(self.name, receipt)
        if talk.step == "report":
            talk.reported = True
            return StopMessage(content=receipt, source=self.name)
        return HandoffMessage(content=receipt, source=self.name, target=talk.next_speaker())

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """Nothing to forget: all memory is on disk."""


async def converse(
    agents: Sequence[Agent],
    choose: Callable[[], Step],
    task: str,
    on_turn: Callable[[Step, str], None],
    on_message: Callable[[str, str], None],
) -> None:
    """Hold the conversation until the reporter has spoken or a member failed.

    Args:
        agents: all members, each step taken by one of them; the step `report` ends the conversation.
        choose: returns the step that is due.
        task: one line that opens the chat.
        on_turn: called with step and speaker before each turn.
        on_message: called with speaker and receipt of every turn; of one that failed, with the kind of error.

    Raises: whatever a member raised; CancelledError if the caller is cancelled (members are stopped first);
        InternalError if the conversation goes in circles.
    """
    conversation = Conversation(agents, choose, on_turn, on_message)
    team = Swarm(
        [Member(agent, conversation) for agent in agents],
        termination_condition=StopMessageTermination(),
        max_turns=MAX_TURNS,
    )
    opening = HandoffMessage(content=task, source="user", target=conversation.next_speaker())
    token = CancellationToken()
    talk = asyncio.create_task(team.run(task=opening, cancellation_token=token))
    try:
        await asyncio.shield(talk)
    except asyncio.CancelledError:
        token.cancel()
        await asyncio.wait({talk}, timeout=GRACE)
        raise
    if conversation.error is not None:
        on_message(conversation.speaker, type(conversation.error).__name__)
        raise conversation.error
    if not conversation.reported:
        raise InternalError(f"the conversation did not come to an end in {MAX_TURNS} turns")
