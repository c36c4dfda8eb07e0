"""From settings and environment to the model that agents talk to."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from urllib.parse import urlsplit

from agentsys.core.errors import PrerequisiteError
from agentsys.core.events import EventLog
from agentsys.core.providers import AUTO, provider_table
from agentsys.core.settings import ROLES, Settings
from agentsys.llm.client import Model
from agentsys.llm.ledger import Ledger
from agentsys.llm.limits import Limits
from agentsys.llm.pool import Pool, Turns
from agentsys.llm.prices import own_prices, price_of
from agentsys.llm.provider import Provider
from agentsys.llm.replay import ReplaySource
from agentsys.llm.source import LiveSource, Source
from agentsys.llm.store import Store
from agentsys.llm.types import Usage

RESERVED = ("model", "messages", "system", "n", "tools", "extra_headers", "extra_query")
"""Fields of a request that are ours; headers may hold secrets, which are not settings."""


def build_model(
    settings: Settings,
    llm_dir: Path,
    events: EventLog,
    *,
    deadline: float | None = None,
    backoff: float = 2.0,
    environ: Mapping[str, str] | None = None,
    again: str = Limits.again,
    turns: Turns | None = None,
) -> Model:
    """Return the model of a run.

    Args:
        llm_dir: the run's `llm/` folder; calls that lie there are not asked again, and their tokens count.
        deadline: time of `time.monotonic()` at which the run's time is up; None has no limit.
        backoff: seconds of the first pause after a transient fault.
        environ: where keys are read; None takes the process's environment.
        again: what takes up again what was asked so far, for hints.
        turns: shared with other runs; None: at most `concurrency` requests of this one at a time.

    Raises: PrerequisiteError if a model name, a key, a package or the recording is missing.
    """
    store = Store(llm_dir)
    ledger = Ledger(llm_dir / "ledger.jsonl", store, own_prices(settings.prices))
    limits = Limits(settings.budget, settings.max_tokens, deadline, settings.replay is not None, again)
    source: Source
    if settings.replay is not None:
        source = ReplaySource(settings.replay, strict=settings.strict_replay)
    else:
        source = LiveSource(
            build_providers(settings, os.environ if environ is None else environ),
            limits,
            ledger,
            events,
            attempts=settings.attempts,
            turns=turns or Pool(settings.concurrency),
            backoff=backoff,
        )
    return Model(source, store, ledger, limits, events)


def build_providers(settings: Settings, environ: Mapping[str, str]) -> dict[str, Provider]:
    """Return the provider of each role with its own model, and of all others under the empty name.

    Raises: PrerequisiteError.
    """
    _check_parameters(settings.model_params, RESERVED)
    if not settings.model:
        raise PrerequisiteError(
            "no model is chosen",
            "name one with `--model NAME` or AGENTSYS_MODEL, or replay a recording with `--replay`",
        )
    if settings.budget is not None:
        _check_prices(settings)
    shared = {name: _provider(name, settings, environ) for name in settings.models}
    return {role: shared[settings.model_of(role)] for role in ("", *ROLES)}


def provider_of(model: str, settings: Settings, environ: Mapping[str, str]) -> type[Provider]:
    """Return the provider of a model.

    `auto` takes the first that names a pattern for it, unless the user has set an endpoint that speaks like OpenAI's;
    that provider takes every other model.

    Raises: PrerequisiteError if a provider cannot be loaded.
    """
    table = provider_table()
    if settings.provider != AUTO:
        return _load(table[settings.provider])
    common = _load(table["openai"])
    if settings.base_url.strip() or environ.get(common.endpoint_variable, "").strip():
        return common
    return next((found for found in map(_load, table.values()) if found.takes(model)), common)


def _load(row: EntryPoint) -> type[Provider]:
    try:
        found: object = row.load()
    except (ImportError, AttributeError) as error:
        raise PrerequisiteError(
            f"the model provider `{row.name}` cannot be loaded from `{row.value}`: {error}",
            "repair or uninstall the package that brings it, or name another with the setting `provider`",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Provider) and found.name == row.name):
        raise PrerequisiteError(
            f"`{row.value}` is no model provider of the name `{row.name}`",
            "the package that brings it has to be repaired, or uninstalled",
        )
    return found


def _provider(model: str, settings: Settings, environ: Mapping[str, str]) -> Provider:
    kind = provider_of(model, settings, environ)
    _check_parameters(settings.model_params, kind.reserved, f" for the provider `{kind.name}`")
    url = (settings.base_url.strip() or environ.get(kind.endpoint_variable, "").strip() or kind.endpoint).strip("\"'")
    _check_address(url, kind)
    key = _key(kind, url, model, environ)
    more = {"headers": _headers(settings, environ), "query": settings.extra_query}
    return kind(
        model,
        api_key=key,
        base_url=url,
        params=dict(settings.model_params),
        timeout=settings.call_timeout,
        **{name: value for name, value in more.items() if value},  # other distributions' providers may know none
    )


def _headers(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of the settings; `$NAME` is an environment variable's value, which settings never hold."""
    found: dict[str, str] = {}
    for header, value in settings.extra_headers.items():
        found[header] = environ.get(value[1:], "").strip() if value.startswith("$") else value
        if not found[header]:
            raise PrerequisiteError(
                f"the environment variable {value[1:]} of `extra_headers.{header}` is not set", "set it"
            )
    return found


def _check_address(url: str, kind: type[Provider]) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if url and (not usable or re.search(r"[\s\x00-\x1f]", url)):
        # The address is not quoted: it may hold a password.
        raise PrerequisiteError(
            "the endpoint's address is not an http address",
            f"write it as `https://host{kind.endpoint_ending}`, without blanks, in {kind.address_names()}",
        )


def _key(kind: type[Provider], url: str, model: str, environ: Mapping[str, str]) -> str:
    for name in kind.key_variables:
        key = environ.get(name, "").strip()
        if len(key) > 1 and key[0] == key[-1] and key[0] in "\"'":  # as a shell would have dropped them
            key = key[1:-1]
        if not (key.isascii() and key.isprintable()):
            raise PrerequisiteError(f"the environment variable {name} holds no valid key", "copy the key again")
        if key:
            return key
    if kind.key_variables and not is_local(url):
        names = kind.key_names()
        raise PrerequisiteError(
            f"the environment variable {names} is not set, which model `{model}` needs",
            f"set {names}, or point `base_url` to a local endpoint, or replay a recording with `--replay`",
        )
    return ""


def is_local(url: str) -> bool:
    """Return whether an endpoint lies on this machine or in a private network, where a key is often not needed."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and ("." not in host or host.endswith((".local", ".internal", ".lan", ".localhost")))
    return address.is_loopback or address.is_private


def _check_prices(settings: Settings) -> None:
    own = own_prices(settings.prices)
    names = [name for name in settings.models if price_of(name, Usage(1, 0, 1), own=own) is None]
    unknown = ", ".join(sorted(f"`{name}`" for name in names))
    if unknown:
        raise PrerequisiteError(
            f"the price of {unknown} is unknown, so `--budget` cannot be kept",
            f"say what it costs with `--price {names[0]}=IN/OUT`, in US dollars a million tokens, or limit the tokens "
            "with `--max-tokens`",
        )


def _check_parameters(params: Mapping[str, object], reserved: Sequence[str], where: str = "") -> None:
    extra = params.get("extra_body", {})
    if not isinstance(extra, dict):
        raise PrerequisiteError("`extra_body` in `model_params` is not a table", "write it as a table of fields")
    taken = [name for name in reserved if name in params or name in extra]
    if taken:
        names = ", ".join(f"`{name}`" for name in taken)
        hint = "remove it; agentsys sets these itself (headers and query: the settings `extra_headers`, `extra_query`)"
        raise PrerequisiteError(f"`model_params` may not set {names}{where}", hint)
