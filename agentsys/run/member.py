"""A colleague as a participant of the AutoGen group chat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import BaseChatMessage, StopMessage, TextMessage
from autogen_core import CancellationToken

from agentsys.core.state import Step
from agentsys.plan.context import Colleague

MAX_RECEIPT = 300


class Failure:
    """Holds the exception that ended the conversation. AutoGen would turn it into text; we raise it again outside."""

    error: BaseException | None = None


class Member(BaseChatAgent):
    """Takes the step that the router names, and tells the others in a short receipt what it did and where it lies.

    An exception never leaves the agent (the team object would be unusable and the type would be lost): it is kept in
    `failure`, and a stop message ends the conversation.
    """

    def __init__(self, colleague: Colleague, step: Callable[[], Step], failure: Failure) -> None:
        super().__init__(name=colleague.name, description=colleague.description)
        self._colleague = colleague
        self._failure = failure
        self._step = step

    @property
    def produced_message_types(self) -> Sequence[type[BaseChatMessage]]:
        return (TextMessage, StopMessage)

    async def on_messages(self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken) -> Response:
        step = self._step()
        work = asyncio.ensure_future(self._colleague.act(step))
        cancellation_token.link_future(work)
        try:
            receipt = (await work)[:MAX_RECEIPT]
        except asyncio.CancelledError as error:
            return self._stop(error)
        except Exception as error:  # noqa: BLE001  (kept whole and raised again by the pipeline)
            return self._stop(error)
        kind = StopMessage if step == "report" else TextMessage
        return Response(chat_message=kind(content=receipt, source=self.name))

    def _stop(self, error: BaseException) -> Response:
        self._failure.error = error
        return Response(chat_message=StopMessage(content=f"{type(error).__name__}", source=self.name))

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        """Nothing to forget: all memory is on disk."""
