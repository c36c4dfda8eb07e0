"""Rules of a contract in plain words. Units are a paper's or a model's text: whoever shows them makes them harmless."""

from __future__ import annotations

from agentsys.plan.claims.rule import (
    AllOf,
    BaseRule,
    Exact,
    Fails,
    Limit,
    MaxError,
    Mean,
    NoCounterexample,
    Ordering,
    Ratio,
    Region,
    Rule,
    Slope,
    StatisticRule,
    Test,
    Trend,
)

_RELATIONS = {"at_most": "at most", "at_least": "at least", "below": "below", "above": "above"}
_SCALES = {"loglog": "log-log slope", "semilog": "slope over the logarithm", "linear": "slope"}


def rule_words(rule: Rule) -> str:
    """Return what a rule asks, as a sentence without full stop."""
    if isinstance(rule, Fails):
        return f"it decidedly fails that {rule_words(rule.rule)}"
    if isinstance(rule, AllOf):
        return "; and ".join(rule_words(one) for one in rule.rules)
    where = ", ".join(f"{key}={value}" for key, value in rule.where.items())
    return f"{_statistic(rule)}{f' (where {where})' if where else ''}"


def _statistic(rule: StatisticRule) -> str:
    if isinstance(rule, Region):
        return _region(rule)
    of = f"{rule.quantity} of "
    if isinstance(rule, Ordering):
        better = " > " if rule.better == "higher" else " < "
        cells = f"in at least {rule.at_least} of {rule.of} cells"
        return f"{of}{better.join(rule.methods)} beyond their {100 * rule.level:g} % intervals {cells}"
    if isinstance(rule, Trend):
        return f"{of}{rule.method} is {rule.direction} along {rule.axis}: Kendall's tau at least {rule.min_tau:g}"
    if isinstance(rule, MaxError):
        against = rule.reference if rule.reference is not None else f"{rule.value:g}{_unit(rule)}"
        share = "relative " if rule.relative else ""
        unit = "" if rule.relative else _unit(rule)
        return f"the largest {share}error of {of}{rule.method} against {against} is at most {rule.at_most:g}{unit}"
    if isinstance(rule, Exact):
        return f"{of}{rule.method} and {rule.reference} are equal in exact arithmetic everywhere"
    if isinstance(rule, Test):
        return f"the paper's {rule.test} test of {of}{rule.method} against {rule.baseline} gives p at most {rule.p:g}"
    bound = f"{_RELATIONS[rule.relation]} {rule.bound:g}{_unit(rule)}"
    if isinstance(rule, NoCounterexample):
        along = f", along {rule.axis}" if rule.axis else ""
        return f"{of}{rule.method} is {bound} in each of at least {rule.tried} instances{along}"
    return f"{of}{rule.method} is {bound} in some instance, confirmed exactly by {rule.confirmed_by}"


def _region(rule: Region) -> str:
    of = f"{rule.quantity} of {rule.method}"
    against = getattr(rule, "baseline", "")
    if isinstance(rule, Mean):
        what, unit = f"the mean of {of}", _unit(rule)
    elif isinstance(rule, Slope):
        what, unit = f"the {_SCALES[rule.scale]} of {of} along {rule.axis}, settled within {rule.settle:g},", ""
    elif isinstance(rule, Limit):
        what, unit = f"{of} at the end of {rule.axis}, settled within {rule.settle:g}{_unit(rule)},", _unit(rule)
    elif isinstance(rule, Ratio):
        what, unit = f"the mean of {of} over that of {against}, paired,", ""
    else:
        what, unit = f"the mean of {of} minus {against}, paired,", _unit(rule)
    return f"{what} with its {100 * rule.level:g} % interval is {_bounds(rule, unit)}"


def _bounds(rule: Region, unit: str) -> str:
    if rule.low is not None and rule.high is not None:
        return f"between {rule.low:g} and {rule.high:g}{unit}"
    return f"at least {rule.low:g}{unit}" if rule.low is not None else f"at most {rule.high:g}{unit}"


def _unit(rule: BaseRule) -> str:
    return f" {rule.unit}" if rule.unit else ""
