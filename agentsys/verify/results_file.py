"""`results/results.json`: what a run measured, read with suspicion.

The file is a JSON object. A value stands under its key (`accuracy`, or dotted, `table1.accuracy`) as a number or as an
object with a `value`. What this scale does not attempt stands in `not_attempted`: key to reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, cast

from agentsys.repair.cut import printable

NOT_ATTEMPTED = "not_attempted"
_DEEPEST = 40
_LARGEST = 1e308


class ResultsError(ValueError):
    """The file is not what a run may write."""


@dataclass(frozen=True)
class Results:
    """A results file that is valid JSON with finite numbers."""

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
        return printable(found).strip()[:500] if isinstance(found, str) else ""

    def words(self, key: str) -> str:
        """Return a top-level text such as `scale` or `profile`, or ``."""
        found = self.data.get(key)
        return printable(found).strip()[:300] if isinstance(found, str) else ""

    def numbers(self) -> int:
        """Return how many numbers were measured, not counting `not_attempted` and `config`."""
        measured = {key: value for key, value in self.data.items() if key not in (NOT_ATTEMPTED, "config", "seed")}
        return sum(1 for item in _leaves(measured) if isinstance(item, int | float) and not isinstance(item, bool))


def parse_results(raw: bytes) -> Results:
    """Read a results file.

    Raises: ResultsError naming the fault: not UTF-8, not JSON, not an object, NaN or infinite numbers.
    """
    try:
        data: object = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
        if not isinstance(data, dict):
            raise ResultsError("the top level is not an object")
        results = Results(cast("dict[str, object]", data))
        if any(isinstance(item, int | float) and not abs(item) < _LARGEST for item in _leaves(results.data)):
            raise ResultsError("a number is too large to be finite")
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


def _refuse(word: str) -> NoReturn:
    raise ResultsError(f"a value is {word}; write finite numbers, or name the key in `{NOT_ATTEMPTED}` with the reason")


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


def _leaves(value: object, depth: int = 0) -> Iterator[object]:
    if depth > _DEEPEST:
        raise ResultsError("the file is nested too deeply")
    if isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _leaves(item, depth + 1)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _leaves(item, depth + 1)
    else:
        yield value
