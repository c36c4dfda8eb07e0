"""`results/results.json`: what a run measured, read with suspicion.

The file is a JSON object. A value stands under its key (`accuracy`, or dotted, `table1.accuracy`) as a number or as an
object with a `value`. What this scale does not attempt stands in `not_attempted`: key to reason. Signs of a healthy run
stand in the list `health`, which `agentsys.verify.health` judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from agentsys.core.artifacts import Plan
from agentsys.core.text import clean_text

NOT_ATTEMPTED = "not_attempted"
HEALTH = "health"
_NOT_MEASURED = (NOT_ATTEMPTED, HEALTH, "config", "seed")
_DEEPEST = 40
_LARGEST = 1e308


class ResultsError(ValueError):
    """The file is not what a run may write."""


@dataclass(frozen=True)
class Results:
    """A results file that is valid JSON with finite numbers, save what `health` may hold: that is judged apart."""

    data: dict[str, object]

    def value(self, key: str) -> float | None:
        """Return the number under `key`, flat or dotted; None where there is none."""
        found = self.data[key] if key in self.data else _dotted(self.data, key)
        table = _table(found)
        found = table.get("value") if table is not None else found
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None

    def reason(self, key: str) -> str:
        """Return why `key` was not attempted, or ``."""
        found = (_table(self.data.get(NOT_ATTEMPTED)) or {}).get(key)
        return clean_text(found).strip()[:500] if isinstance(found, str) else ""

    def words(self, key: str) -> str:
        """Return a top-level text such as `scale` or `profile`, or ``."""
        found = self.data.get(key)
        return clean_text(found).strip()[:300] if isinstance(found, str) else ""

    def numbers(self) -> int:
        """Return how many numbers were measured, not counting `not_attempted`, `health`, `config` and `seed`."""
        measured = {key: value for key, value in self.data.items() if key not in _NOT_MEASURED}
        return sum(1 for _, item in _leaves(measured) if isinstance(item, int | float) and not isinstance(item, bool))


def parse_results(raw: bytes) -> Results:
    """Read a results file.

    Raises: ResultsError naming the fault: not UTF-8, not JSON, not an object, NaN or infinite numbers, and where.
    """
    try:
        data: object = json.loads(raw.decode("utf-8"))
        if not isinstance(data, dict):
            raise ResultsError("the top level is not an object")
        results = Results(cast("dict[str, object]", data))
        for place, item in _leaves(results.data):
            if isinstance(item, int | float) and not is_finite(item) and not place.startswith(f"{HEALTH}["):
                raise ResultsError(_not_finite(place, item))
    except UnicodeDecodeError as error:
        raise ResultsError("the file is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ResultsError(f"the file is not JSON: {error}") from error
    except RecursionError as error:
        raise ResultsError("the file is nested too deeply") from error
    except ResultsError:
        raise
    except ValueError as error:  # an integer with more digits than Python reads
        raise ResultsError(f"the file is not JSON: {error}") from error
    return results


def judge_results(results: Results, plan: Plan) -> list[tuple[str, str]]:
    """Return (key, fault) for each number of the paper that has neither a value nor a reason."""
    faults: list[tuple[str, str]] = []
    for key in dict.fromkeys(item.result_key for item in plan.expected if item.result_key):
        if results.value(key) is None and not results.reason(key):
            faults.append((key, f"`{key}` has neither a finite number nor a reason in `not_attempted`"))
    if not faults and results.numbers() == 0:
        faults.append(("", "no number was measured"))
    return faults


def is_finite(number: float) -> bool:
    """False for NaN, infinities, and integers that no float holds."""
    return abs(number) < _LARGEST


def number_words(number: float) -> str:
    """Return a number as JSON writes it, short."""
    if isinstance(number, int) and not is_finite(number):
        return "a number too large to be finite"
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(f"{number}", f"{number:.6g}")


def _not_finite(place: str, number: float) -> str:
    where = clean_text(place)[:200]
    return (
        f"`{where}` is {number_words(number)}, not finite; write finite numbers, or name the key in "
        f"`{NOT_ATTEMPTED}` with the reason"
    )


def _dotted(data: dict[str, object], key: str) -> object:
    found: object = data
    for part in key.split("."):
        table = _table(found)
        if table is None:
            return None
        found = table.get(part)
    return found


def _table(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _leaves(value: object, place: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield everything that is no object or list, with its place: `details.losses[3]`."""
    if depth > _DEEPEST:
        raise ResultsError("the file is nested too deeply")
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield from _leaves(item, f"{place}.{key}" if place else key, depth + 1)
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[object]", value)):
            yield from _leaves(item, f"{place}[{number}]", depth + 1)
    else:
        yield place, value
