"""At which scale the profiles run: whether the small one is the paper's own, and what the full one should cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import yaml

from agentsys.core.artifacts import Plan

CHEAP_SECONDS = 180.0
"""A full profile that should take no longer is offered as something to be done now."""
_WORDS = frozenset({"scale", "profile", "name", "title", "description", "note", "notes", "comment", "comments"})
"""Settings that tell a reader something and no program."""


def configuration(plan: Plan, repo: Path, profile: str) -> dict[str, object]:
    """Return a profile's configuration as it lies in the repository, or as planned where it cannot be read."""
    planned = plan.config_full if profile == "full" else plan.config_smoke
    try:
        found: object = yaml.safe_load((repo / "configs" / f"{profile}.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        found = None
    return cast("dict[str, object]", found) if isinstance(found, dict) else dict(planned)


def is_paper_scale(full: Mapping[str, object], smoke: Mapping[str, object]) -> bool:
    """True where the small profile has every setting of the full one, but for words that only tell something."""
    first, second = _settings(full), _settings(smoke)
    return bool(first) and first == second


def expected_seconds(full: Mapping[str, object], smoke: Mapping[str, object], measured: float) -> float | None:
    """Return about how long the full profile takes; None where the settings do not tell.

    Every whole number that grows (steps, samples, seeds), and every list that gets longer, multiplies the time that
    the small profile took. Another choice of words (data set, model) or an absent setting leaves nothing to go by.

    Args:
        measured: seconds of the small profile's run.
    """
    first, second = _settings(full), _settings(smoke)
    if measured <= 0 or first.keys() != second.keys():
        return None
    seconds = measured
    for key, value in first.items():
        other = second[key]
        if isinstance(value, str) and value != other:
            return None
        if isinstance(value, int) and isinstance(other, int) and value > other:
            if other <= 0:
                return None
            seconds *= value / other
    return seconds


def _settings(config: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of a configuration by their place; a list is its length and its items."""
    return dict(_leaves({key: value for key, value in config.items() if key not in _WORDS}))


def _leaves(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            yield from _leaves(item, f"{place}.{key}")
    elif isinstance(value, list):
        items = cast("list[object]", value)
        yield f"{place}[]", len(items)
        yield f"{place}[items]", repr(items) if not _growing(items) else tuple(items)
    else:
        yield place, value


def _growing(items: list[object]) -> bool:
    """True for a list of numbers, of which a longer one means more work and not other work."""
    return all(isinstance(item, int | float) for item in items)
