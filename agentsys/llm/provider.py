"""What every model provider says of itself, and the part that those over an SDK of the common kind share."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar, cast

from agentsys.llm.faults import Faults, Filtered, Transient
from agentsys.llm.redact import Redactor
from agentsys.llm.render import body_parameters, estimate
from agentsys.llm.types import Feedback, Prompt, Reply, Usage

if TYPE_CHECKING:
    from openai import APIStatusError


class Provider(ABC):
    """One model behind one kind of endpoint; each call is one request without retries.

    A subclass in a file of its own and a row in `agentsys.core.providers`, or an entry point of the group
    `agentsys.providers` in another distribution, is all that a provider needs.

    Args:
        model: name as the endpoint knows it.
        api_key: empty for endpoints that take none.
        base_url: empty takes the provider's own endpoint.
        params: fields of the request body, sent as they are; none that is reserved.
        timeout: seconds an endpoint may be silent: until its answer, or between two parts of a stream.
        headers: further headers of each request.
        query: further fields of each request's address.

    Raises: PrerequisiteError if a package is missing or a parameter cannot be used.
    """

    name: ClassVar[str]
    """As settings name it, equal to the name of its row."""
    key_variables: ClassVar[tuple[str, ...]] = ()
    """Environment variables that may hold the key, the first one set is taken; none where no key is needed."""
    endpoint_variable: ClassVar[str] = ""
    """Environment variable that may hold the endpoint's address; `base_url` of the settings wins."""
    endpoint: ClassVar[str] = ""
    """Address that is taken where neither gives one; empty leaves it to the SDK."""
    endpoint_ending: ClassVar[str] = ""
    """How an address usually ends, for hints."""
    models: ClassVar[tuple[str, ...]] = ()
    """Patterns of the names of models (`claude-*`) that `provider = "auto"` gives to this provider."""
    reserved: ClassVar[tuple[str, ...]] = ()
    """Names in `model_params` that this provider refuses, besides those that every one refuses."""

    def __init__(
        self,
        model: str,
        *,
        api_key: str,
        base_url: str = "",
        params: Mapping[str, object],
        timeout: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model

    @abstractmethod
    async def complete(self, prompt: Prompt, *, feedback: Feedback = ()) -> Reply:
        """Ask once.

        Raises: Transient, Fatal.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close the connections."""

    @classmethod
    def takes(cls, model: str) -> bool:
        """Return whether `auto` gives a model of this name to this provider."""
        return any(fnmatchcase(model, pattern) for pattern in cls.models)

    @classmethod
    def key_names(cls) -> str:
        """Return the names of the key's variables, for messages."""
        return " or ".join(cls.key_variables)

    @classmethod
    def address_names(cls) -> str:
        """Return where an endpoint's address is set, for messages."""
        return f"{cls.endpoint_variable} or `base_url`" if cls.endpoint_variable else "`base_url`"


class SdkProvider(Provider):
    """A provider over an SDK, whose own retries are off. Each body is read to its end before it is used."""

    def __init__(
        self,
        model: str,
        *,
        api_key: str,
        base_url: str = "",
        params: Mapping[str, object],
        timeout: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(model, api_key=api_key, base_url=base_url, params=params, timeout=timeout)
        self._params = body_parameters(params)
        self._timeout = timeout
        self._headers = dict(headers or {})
        self._query = dict(query or {})
        self._faults = Faults(
            self.key_names(),
            self.address_names(),
            self.endpoint_ending,
            Redactor([api_key, *self._headers.values()]),
            base_url or self.endpoint,
        )
        self._connect(api_key or "none", base_url or None)

    @abstractmethod
    def _connect(self, api_key: str, base_url: str | None) -> None:
        """Make the SDK's client. Raises: PrerequisiteError if a package is missing or a parameter cannot be used."""

    @property
    @abstractmethod
    def _errors(self) -> tuple[type[Exception], type[Exception], tuple[type[Exception], ...]]:
        """The SDK's errors: answered with an error status, timed out, and the bases of all."""

    @abstractmethod
    async def _post(self, prompt: Prompt, feedback: Feedback, heard: Callable[[], None]) -> str:
        """Send the request and return the response's body; `heard` is called for each part of a stream.

        Raises: the SDK's errors.
        """

    @abstractmethod
    def _read(self, body: str) -> Reply:
        """Return the answer in the body of a response with status 200. Raises: Transient, Fatal."""

    async def complete(self, prompt: Prompt, *, feedback: Feedback = ()) -> Reply:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout) as silence:
                clock = asyncio.get_running_loop().time
                body = await self._body(prompt, feedback, lambda: silence.reschedule(clock() + self._timeout))
        except TimeoutError as error:
            raise self._late() from error
        except Filtered as fault:
            body, reply = "", Reply(fault.message, "refused")
        else:
            reply = self._read(body)
        usage = reply.usage if reply.usage != Usage() else estimate(prompt, feedback, reply.text)
        return replace(reply, usage=usage, model=reply.model or self.model, seconds=time.monotonic() - started)

    async def _body(self, prompt: Prompt, feedback: Feedback, heard: Callable[[], None]) -> str:
        answered, late, failed = self._errors
        try:
            return await self._post(prompt, feedback, heard)
        except answered as error:
            response = cast("APIStatusError", error).response
            raise self._faults.of_status(response.status_code, response.text, response.headers) from error
        except late as error:
            raise self._late() from error
        except failed as error:
            raise self._faults.of_connection(error) from error

    def _late(self) -> Transient:
        return Transient(f"no answer within {self._timeout:g} s", hint="raise `call_timeout`")
