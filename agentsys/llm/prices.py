"""What a call costs: the user's own price, or the price list that ships with genai-prices (no network)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from agentsys.llm.types import Usage

OwnPrices = Mapping[str, tuple[float, float]]
"""US dollars a million tokens, of input and output, by the model's name."""


def own_prices(rows: Sequence[str]) -> OwnPrices:
    """Read the setting `prices`, whose rows are `NAME=IN/OUT`."""
    found: dict[str, tuple[float, float]] = {}
    for row in rows:
        name, _, numbers = row.partition("=")
        into, _, out = numbers.partition("/")
        found[name] = float(into), float(out)
    return found


def price_of(model: str, usage: Usage, when: str = "", own: OwnPrices | None = None) -> float | None:
    """Return the price of a call in US dollars, or None where the model's price is not known.

    Args:
        model: the provider's name; a prefix as routers use it (`openai/gpt-5`) is understood.
        usage: tokens of the call.
        when: ISO time of the call, since prices change; empty means now.
        own: what the user says that models cost; it counts before the list, cached tokens as others.
    """
    if own and model in own:
        into, out = own[model]
        return (usage.prompt * into + usage.completion * out) / 1e6
    for name, provider in _names(model):
        price = _look_up(name, provider, usage, _time(when))
        if price is not None:
            return price
    return None


def _names(model: str) -> list[tuple[str, str | None]]:
    owner, slash, rest = model.partition("/")
    return [(model, None), (rest, owner)] if slash else [(model, None)]


def _time(when: str) -> datetime:
    return datetime.fromisoformat(when) if when else datetime.now(UTC)


def _look_up(model: str, provider: str | None, usage: Usage, when: datetime) -> float | None:
    import genai_prices

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about units that the list does not know
            result = genai_prices.calc_price(
                genai_prices.Usage(
                    input_tokens=usage.prompt,
                    cache_read_tokens=usage.cached,
                    cache_write_tokens=usage.written,
                    output_tokens=usage.completion,
                ),
                model,
                provider_id=provider,
                genai_request_timestamp=when,
            )
    except (LookupError, ValueError):
        return None
    return float(result.total_price)
