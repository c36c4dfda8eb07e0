"""The model that agents talk to: every call stored before it is used, and unusable answers asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import TypeVar

from agentsys.core.errors import LimitReached, NoUsableAnswer, ProviderError
from agentsys.core.events import EventLog
from agentsys.core.settings import ROLES
from agentsys.core.text import cut
from agentsys.llm.answer import Said, read
from agentsys.llm.ledger import Ledger, Line
from agentsys.llm.limits import Limits
from agentsys.llm.render import CHARS_PER_TOKEN
from agentsys.llm.sections import section_hashes, section_texts
from agentsys.llm.source import Source, tell, tell_retry
from agentsys.llm.store import Recording, Store
from agentsys.llm.types import CallKey, Feedback, Prompt, Usage
from agentsys.llm.window import Counts, lost_prefix, window_hint

T = TypeVar("T")

TRIES = 3
"""Answers to one question before it is given up."""
_EXCERPT = 2000
"""Characters of a cut-off answer that go back to the model: enough to know it again."""


_REPEATED = 12_000
"""Characters of a whole answer that go back with what is wrong with it: its head and its end."""
_OLDER = 400
"""The same of the answer before it, which is only to be known again: what was wrong with it is told."""


class AnswerError(ValueError):
    """An answer that cannot be used; the text is the feedback that the model gets, in plain words.

    Args:
        rest: what need not be answered again, as a sentence without full stop; without, everything is.
        again: what to answer now, in place of the usual words.
    """

    def __init__(self, fault: str, rest: str = "", again: str = "") -> None:
        super().__init__(fault)
        self.rest = rest
        self.again = again


class Model:
    """Asks for usable answers: the source retries transient faults, unusable answers are asked again, the fault named.

    Args:
        source: where answers come from.
        store: this run's recordings; what lies there for the same prompt and model is not asked again.
        ledger: this run's ledger.
        limits: checked here before each call, and by a live source before each request.
    """

    def __init__(self, source: Source, store: Store, ledger: Ledger, limits: Limits, events: EventLog) -> None:
        self._source = source
        self._store = store
        self._ledger = ledger
        self._limits = limits
        self._events = events
        self._limit_told = False
        self._thought_told = False
        self._lost_told = False
        self._counts = Counts()
        self._asking: dict[tuple[str, str], asyncio.Lock] = {}

    async def ask(self, role: str, item: str, prompt: Prompt, parse: Callable[[str], T]) -> T:
        """Return `parse(answer)`, without the model's thinking; `parse` raises AnswerError to have it asked again.

        Three tries without a usable answer are the end. A resumed run reads them again from its store and then
        begins a new series of three, so that it is not stuck with them.

        Raises: ProviderError (NoUsableAnswer among them), LimitReached; PrerequisiteError where a replayed answer is
            missing.
        """
        async with self._asking.setdefault((role, item), asyncio.Lock()):  # the second of two equals finds it stored
            return await self._ask(role, item, prompt, parse)

    async def _ask(self, role: str, item: str, prompt: Prompt, parse: Callable[[str], T]) -> T:
        hashes = section_hashes(prompt)
        feedback: Feedback = ()
        asked = False
        for attempt in count(1):
            key = CallKey(role, item, attempt)
            recording = self._stored(key, hashes)
            if recording is None or self._is_cut(recording):
                asked = True
                recording = await self._call(key, prompt, hashes, feedback)
                self._check_whole(recording, prompt, feedback)
            said = read(recording.text or recording.thinking)
            fault = _fault(recording, said)
            demand = _demand(fault)
            if not fault:
                try:
                    return self._used(key, recording, parse(said.answer))
                except AnswerError as error:
                    fault, demand = str(error), _demand(str(error), error.rest, error.again)
            if asked and attempt % TRIES == 0:
                raise NoUsableAnswer(
                    f"`{role}` got no usable answer for `{item}` in {TRIES} tries; the last fault: {fault}",
                    f"read the answers in `{self._store.path(key).parent}`; a model that never keeps the form it is "
                    f"asked for is too small for this: take another with `--model`, or {self._limits.again}",
                )
            tell_retry(self._events, key, fault, 0.0)
            feedback = (*_shorter(feedback[2 - TRIES :]), (_excerpt(recording, said), demand))
        raise AssertionError("unreachable")

    @property
    def usage(self) -> Usage:
        return self._ledger.usage

    @property
    def cost(self) -> float | None:
        """US dollars so far; None as soon as one call's price is unknown."""
        return self._ledger.cost

    @property
    def calls(self) -> int:
        """Answered calls so far, those of earlier processes of the run included."""
        return len(self._ledger.lines)

    async def close(self) -> None:
        """Close the connections of the providers."""
        await self._source.close()

    def _stored(self, key: CallKey, hashes: dict[str, str]) -> Recording | None:
        recording = self._store.read(key)
        if recording is None or recording.prompt != hashes:
            return None
        model = self._source.model_of(key.role)
        return recording if model in ("", recording.asked) else None

    async def _call(self, key: CallKey, prompt: Prompt, hashes: dict[str, str], feedback: Feedback) -> Recording:
        try:
            self._limits.check(self._ledger)
            recording = await self._source.fetch(key, prompt, hashes, feedback)
        except LimitReached as error:
            self._emit_limit(error)
            raise
        line = self._ledger.count(recording)  # at once: limits are checked while the disk is at work
        await self._keep(recording, line, section_texts(prompt, hashes))
        told = {"model", "prompt", "cached", "completion", "price", "seconds", "finish", "images"}
        tell(self._events, "llm.call", key, **line.model_dump(include=told))
        return recording

    async def _keep(self, recording: Recording, line: Line, sections: Mapping[str, str]) -> None:
        """Store and book an answer while other calls go on; a task that is cancelled meanwhile does not lose it."""

        def store() -> None:
            self._store.write(recording)
            self._store.keep_sections(sections)

        writing = asyncio.ensure_future(asyncio.to_thread(store))
        try:
            await asyncio.shield(writing)
        finally:
            await writing
            self._ledger.note(line)

    def _is_cut(self, recording: Recording) -> bool:
        """What was answered on half a prompt is asked again; recordings are replayed as they are."""
        live = bool(self._source.model_of(recording.role))
        count = self._counts.was_cut
        return live and count(recording.asked, recording.pieces, recording.tokens, recording.images)

    def _check_whole(self, recording: Recording, prompt: Prompt, feedback: Feedback) -> None:
        live = bool(self._source.model_of(recording.role))
        if live and not self._lost_told and lost_prefix(prompt, recording.tokens, feedback):
            self._lost_told = True
            message = (
                f"`{recording.asked}` counted {recording.tokens.prompt:,} tokens of about "
                f"{prompt.chars // CHARS_PER_TOKEN:,}: it may have dropped the system text, or counts only what is new"
            )
            self._events.emit("warning", stage=ROLES.get(recording.role), message=message, key=str(recording.key))
        if self._is_cut(recording):
            self._store.set_aside(recording)
            counted, sent = recording.tokens.prompt, recording.pieces
            raise ProviderError(
                f"`{recording.asked}` was given only a part of the prompt of `{recording.role}/{recording.item}`: the "
                f"endpoint counted {counted:,} tokens of about {sent:,} words, numbers and signs, and cut off the rest "
                "without a word",
                f"nothing is built on that answer; {window_hint(prompt)}",
            )

    def _used(self, key: CallKey, recording: Recording, value: T) -> T:
        if not recording.text and not self._thought_told:
            self._thought_told = True
            message = f"the answer to `{key}` came as reasoning alone; it could be used, and so will others be"
            self._events.emit("warning", stage=ROLES.get(key.role), message=message, key=str(key))
        return value

    def _emit_limit(self, error: LimitReached) -> None:
        if not self._limit_told:  # many calls meet the same limit at once
            self._limit_told = True
            self._events.emit("limit.reached", message=error.message, hint=error.hint)


def _fault(recording: Recording, said: Said) -> str:
    """Return what is wrong with an answer whatever it was to say, or nothing."""
    if recording.finish == "length":
        return "the answer was cut off at the length limit"
    if recording.finish == "refused":
        words = said.answer.strip()[:200]
        return f"the answer was refused or filtered{f': {words}' if words else ''}"
    if not said.answer.strip():
        return "the answer held thinking alone" if said.thinking else "the answer was empty"
    if recording.finish == "unknown":
        return "the answer ended without saying why, so it may be cut off"
    return ""


def _shorter(feedback: Feedback) -> Feedback:
    return tuple((cut(text, _OLDER), told) for text, told in feedback)


def _excerpt(recording: Recording, said: Said) -> str:
    text = said.answer
    if recording.finish == "stop" or len(text) <= _EXCERPT:
        return cut(text, _REPEATED)
    return f"{text[:_EXCERPT]}\n[{len(text) - _EXCERPT} characters left out]"


def _demand(fault: str, rest: str = "", now: str = "") -> str:
    if now:
        return f"This answer cannot be used as it is: {fault}\n\n{now}"
    again = f"{rest}, and answer for the others," if rest else "Answer the whole question again, complete,"
    return f"This answer cannot be used: {fault}. {again} in the form asked for."
