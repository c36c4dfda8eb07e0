"""One rule on rows: holds, fails or undecided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .frame import Document, Sample
from .orders import max_error, ordering, significance, trend
from .outcome import Outcome, all_of, negated, undecided
from .regions import difference, limit, mean, ratio, slope
from .search import exact, no_counterexample, witness
from .statistics import Undecided

STATISTICS: dict[str, Callable[[Sample, Document], Outcome]] = {
    "mean": mean,
    "difference": difference,
    "ratio": ratio,
    "slope": slope,
    "limit": limit,
    "ordering": ordering,
    "trend": trend,
    "max_error": max_error,
    "no_counterexample": no_counterexample,
    "witness": witness,
    "exact": exact,
    "test": significance,
}


def evaluate_rule(sample: Sample, rule: Document) -> Outcome:
    """Evaluate a rule, given as the plain JSON of a contract, on the rows of one claim and case."""
    if rule["type"] == "fails":
        return negated(evaluate_rule(sample, rule["rule"]))
    if rule["type"] == "all_of":
        return all_of([evaluate_rule(sample, each) for each in rule["rules"]])
    try:
        # What overflows shows as a result that is not finite, and is undecided.
        with np.errstate(all="ignore"):
            return STATISTICS[rule["type"]](sample, rule)
    except Undecided as error:
        return undecided(error)


def statistics_of(rule: Document) -> list[dict[str, Any]]:
    """Return the plain statistics that a rule is made of."""
    if rule["type"] == "all_of":
        return list(rule["rules"])
    return [rule["rule"]] if rule["type"] == "fails" else [dict(rule)]
