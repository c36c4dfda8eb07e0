"""Prices from the list that ships with the program."""

from __future__ import annotations

import pytest

from agentsys.llm.prices import own_prices, price_of
from agentsys.llm.types import Usage

WHEN = "2025-11-01T00:00:00Z"


def test_cached_tokens_are_cheaper_and_the_sum_is_right() -> None:
    # GPT-5 in 2025: US$ 1.25 a million tokens in, 0.125 from the cache, 10 out.
    price = price_of("gpt-5", Usage(prompt=1_000_000, cached=400_000, completion=100_000), WHEN)
    assert price == pytest.approx(0.6 * 1.25 + 0.4 * 0.125 + 1.0)


def test_writing_to_the_cache_costs_more() -> None:
    plain = price_of("claude-sonnet-4-5", Usage(prompt=100_000, completion=10), WHEN)
    written = price_of("claude-sonnet-4-5", Usage(prompt=100_000, completion=10, written=100_000), WHEN)
    assert plain is not None
    assert written is not None
    assert written > plain


@pytest.mark.parametrize("model", ["", "my-model", "qwen3:8b", "a/b", "nobody/gpt-nothing", "☃", "../x"])
def test_unknown_model_has_no_price_and_is_no_error(model: str) -> None:
    assert price_of(model, Usage(1000, 0, 100)) is None


def test_name_with_the_owner_in_front_is_understood() -> None:
    assert price_of("openai/gpt-5", Usage(1000, 0, 100), WHEN) == price_of("gpt-5", Usage(1000, 0, 100), WHEN)


def test_a_price_of_the_users_own_counts_before_the_list() -> None:
    own = own_prices(["gpt-5=1/2", "qwen2.5-coder:32b=0.25/1.5"])
    usage = Usage(prompt=1_000_000, cached=400_000, completion=2_000_000)
    assert price_of("gpt-5", usage, WHEN, own) == 5.0
    assert price_of("qwen2.5-coder:32b", usage, WHEN, own) == 3.25
    assert price_of("another", usage, WHEN, own) is None
