"""Whether a profile runs at the paper's own scale, and what a number that misses the paper's says then."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import cast

import yaml

from agentsys.core.artifacts import ExpectedResult, Plan
from agentsys.verify.compare import difference

MOST_APART = 0.02
"""A deterministic number may miss the paper's by this share of the quantity, or by how the paper rounded it."""
_TIME = re.compile(r"\b(s|sec|secs|seconds?|ms|milliseconds?|us|min|minutes?|h|hours?|days?)\b|/\s*s\b|per second")


def settings(plan: Plan, files: Mapping[str, bytes], profile: str) -> dict[str, object]:
    """Return a profile's configuration as it lies in the repository, or as planned where it cannot be read."""
    planned = plan.config_full if profile == "full" else plan.config_smoke
    try:
        found: object = yaml.safe_load(files.get(f"configs/{profile}.yaml", b"").decode("utf-8", "replace"))
    except (yaml.YAMLError, ValueError, RecursionError):
        found = None
    return cast("dict[str, object]", found) if isinstance(found, dict) else dict(planned)


def numbers(value: object, place: str = "") -> Iterator[tuple[str, float]]:
    """Yield each number of a configuration with its place."""
    if isinstance(value, dict):
        for name, item in cast("dict[object, object]", value).items():
            yield from numbers(item, f"{place}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[object]", value)):
            yield from numbers(item, f"{place}[{number}]")
    elif isinstance(value, int | float):
        yield place, float(value)


def is_paper_scale(plan: Plan, files: Mapping[str, bytes], profile: str) -> bool:
    """True where the profile has the full profile's settings, but for words."""
    full = dict(numbers(settings(plan, files, "full")))
    return bool(full) and full == dict(numbers(settings(plan, files, profile)))


def is_time(item: ExpectedResult) -> bool:
    """True for a number that a clock measured: it says as much about the machine as about the method."""
    return bool(_TIME.search(item.unit.lower()))


def missed(item: ExpectedResult, value: float) -> float:
    """Return by how much a number misses the paper's beyond what the paper's rounding hides; 0 where it does not.

    The share is one of the quantity: of a logarithm it is the quantity itself that is compared.
    """
    half = rounding(item.value)
    if abs(value - item.value) <= half * 1.0000001:
        return 0.0
    if "log10" in f"{item.unit} {item.metric}".lower():
        apart = min(value - item.value, 300.0)
        return abs(10.0**apart - 1.0)
    return difference(item, value)


def rounding(printed: float) -> float:
    """Return half a unit of the last digit that the number was printed with, as far as the plan kept it."""
    text = f"{printed!r}".lower()
    mantissa, _, exponent = text.partition("e")
    digits = mantissa.partition(".")[2]
    places = 0 if digits in ("", "0") and not exponent else len(digits)
    return 0.5 * 10.0 ** (int(exponent or 0) - places)
