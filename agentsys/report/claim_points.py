"""What a plot of a claim shows: raw rows by setting, the statistic beside the paper's value. Rows to plain numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TypeVar

from agentsys.core.rundir import RunDir
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.contract import Baseline, Contract
from agentsys.plan.claims.rule import (
    Difference,
    Limit,
    MaxError,
    Mean,
    NoCounterexample,
    Ordering,
    Region,
    Slope,
    StatisticRule,
    Test,
    Trend,
    Witness,
    axis_of,
    methods_of,
    parts,
)
from agentsys.report.claim_parts import belongs, leading
from agentsys.report.reading import Problems
from agentsys.verify.claims.record import unit_tables
from agentsys.verify.claims.standalone.frame import CONTROL, MAIN, Conversions, Frame, Sample, converted, frame, of_case
from agentsys.verify.claims.standalone.rows import CASE, Rows, RowsError, read_rows, setting_text
from agentsys.verify.claims.standalone.statistics import Undecided

T = TypeVar("T")
CONTROLLED = " (control)"
MOST_NAMED = 12
"""Settings that are shown by name; where there are more, their values are shown in order of size."""
MOST_POINTS = 200
MOST_CURVES = 8
_STATISTICS = {
    "limit": "value at the end",
    "trend": "Kendall's tau",
    "ordering": "cells in order",
    "max_error": "largest error",
    "test": "p value",
    "no_counterexample": "worst value",
    "witness": "best value",
    "exact": "cells that differ",
}
_LARGEST = 1e150
"""Larger values are left out of plots: sums and squares of them overflow."""


@dataclass(frozen=True)
class Series:
    """One method in one case: mean over seeds at each place, with the smallest and the largest value."""

    label: str
    control: bool
    x: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Dot:
    """The statistic on one case, with its interval."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Points:
    """All that one plot shows; `names` are the settings along x where it is no axis of numbers."""

    claim: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    names: tuple[str, ...] = ()
    log_x: bool = False
    log_y: bool = False
    line: float | None = None
    line_label: str = ""
    guide: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    """The paper's rate, as a curve through the last measured mean."""
    dots: tuple[Dot, ...] = ()
    dots_label: str = ""
    low: float | None = None
    high: float | None = None
    """What the acceptance rule asks of the statistic."""
    paper: float | None = None
    """The paper's value of the statistic."""
    notes: tuple[str, ...] = field(default=())


def read_rows_of(
    run: RunDir, contracts: Contracts, problems: Problems
) -> tuple[Rows, Mapping[str, Conversions]] | None:
    """Return the raw rows that a run's claims were judged by, and the conversions of their units; None without any."""
    try:
        rows = read_rows(sorted((run.claims / "rows").glob("*.csv")))
    except (RowsError, OSError) as error:
        problems.append(f"claims/rows: {error}")
        return None
    return (rows, unit_tables(contracts, rows)) if len(rows) else None


def points(contract: Contract, rows: Rows, conversions: Conversions, dots: Iterable[Dot]) -> Points | None:
    """Return what a plot of a claim shows; None where there is no rule, or no row that compares with it.

    Args:
        conversions: of the units of this claim's rows to those of its rules.
        dots: the statistic of the acceptance rule, as it was judged; of several that with the paper's number.
    """
    if contract.accept is None:
        return None
    rule = parts(contract.accept)[leading(contract)]
    cases: dict[str, list[Frame]] = {}
    for case in (MAIN, CONTROL):
        cases[case] = list(_frames(contract, rows, conversions, case, rule))
    if not cases[MAIN]:
        return None
    axis = axis_of(rule) or _swept(cases[MAIN])
    series, names, notes = _by_axis(cases, rule, axis) if axis else _by_setting(cases, rule)
    dots = tuple(dots)
    low, high = _region(rule) if dots else (None, None)
    paper = _paper(contract, rule) if belongs(contract, leading(contract)) else None
    line, line_label = _line(rule, paper)
    log = isinstance(rule, Slope) and rule.scale == "loglog"
    unit = f" [{rule.unit}]" if rule.unit else ""
    return Points(
        claim=contract.claim,
        x_label=axis or ("setting" if names else "instances, in order of their value"),
        y_label=f"{rule.quantity}{unit}",
        series=series,
        names=names,
        log_x=bool(axis) and (log or (isinstance(rule, Slope) and rule.scale == "semilog") or _wide(series)),
        log_y=log,
        line=line,
        line_label=line_label,
        guide=_guide(rule, paper, series),
        dots=tuple(dot for dot in dots if max(abs(dot.low), abs(dot.high)) <= _LARGEST),
        dots_label=_statistic(rule),
        low=low,
        high=high,
        paper=paper,
        notes=notes,
    )


def baseline_mean(contract: Contract, row: Baseline, rows: Rows, conversions: Conversions) -> tuple[float, int] | None:
    """Return the measured mean of a baseline in the contract's unit and how many rows it rests on.

    None where there are no rows, or where one of them cannot be averaged.
    """
    index = of_case(rows, rows.of_quantity(contract.claim, row.quantity), MAIN, row.where)
    if row.method not in rows.methods:
        return None
    index = index[rows.method[index] == rows.methods.index(row.method)]
    try:
        values: list[float] = converted(rows, index, row.unit, conversions).tolist()
    except Undecided:
        return None
    return (fmean(values), len(values)) if values and all(abs(value) <= _LARGEST for value in values) else None


def _frames(
    contract: Contract, rows: Rows, conversions: Conversions, case: str, rule: StatisticRule
) -> Iterator[Frame]:
    sample = Sample(rows, contract.claim, case, contract.deterministic, conversions)
    for method in methods_of(rule):
        try:
            yield frame(sample, rule.model_dump(mode="json")).of(method)
        except Undecided:
            continue


def _values(part: Frame) -> Iterator[tuple[dict[str, str], float]]:
    """Setting without its case, and value, of each row that can be drawn."""
    settings = part.sample.rows.settings
    numbers: list[int] = part.setting.tolist()
    for number, value in zip(numbers, part.value.tolist(), strict=True):
        if abs(value) <= _LARGEST:  # False for what is not a number
            yield {key: text for key, text in settings[number].items() if key != CASE}, value


def _method(part: Frame) -> str:
    return part.sample.rows.methods[int(part.sample.rows.method[part.index[0]])]


def _swept(frames: Sequence[Frame]) -> str:
    """The one key of the settings that differs, where its values are numbers; empty where there is none."""
    found: dict[str, set[str]] = {}
    for part in frames:
        for setting, _ in _values(part):
            for key, text in setting.items():
                found.setdefault(key, set()).add(text)
    several = [key for key, texts in found.items() if len(texts) > 1]
    numbers = len(several) == 1 and all(_float(text) is not None for text in found[several[0]])
    return several[0] if numbers and len(found[several[0]]) > 2 else ""


def _by_axis(
    cases: Mapping[str, Sequence[Frame]], rule: StatisticRule, axis: str
) -> tuple[tuple[Series, ...], tuple[str, ...], tuple[str, ...]]:
    """A curve for each case, method and setting of the other keys."""
    curves: dict[tuple[str, str, str], dict[float, list[float]]] = {}
    for case, frames in cases.items():
        for part in frames:
            for setting, value in _values(part):
                x = _float(setting.pop(axis, ""))
                if x is not None:
                    name = (case, _method(part), setting_text(setting))
                    curves.setdefault(name, {}).setdefault(x, []).append(value)
    several = len({rest for _, _, rest in curves}) > 1
    series: list[Series] = []
    for (case, method, rest), found in list(curves.items())[:MOST_CURVES]:
        places = _thinned(sorted(found))
        label = f"{method}{f', {rest}' if rest and several else ''}"
        series.append(_series(label, case, places, [found[x] for x in places]))
    left = len(curves) - len(series)
    return tuple(series), (), (f"{left} more curves are not drawn",) if left else ()


def _by_setting(
    cases: Mapping[str, Sequence[Frame]], rule: StatisticRule
) -> tuple[tuple[Series, ...], tuple[str, ...], tuple[str, ...]]:
    """The values of each setting; of many settings all values, in order of their size."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for case, frames in cases.items():
        for part in frames:
            for setting, value in _values(part):
                found.setdefault((case, _method(part)), {}).setdefault(setting_text(setting), []).append(value)
    names = sorted({name for by_name in found.values() for name in by_name})
    series: list[Series] = []
    if len(names) <= MOST_NAMED:
        for number, ((case, method), by_name) in enumerate(found.items()):
            shift = (number - (len(found) - 1) / 2) * 0.6 / len(found)  # beside each other, not on each other
            places = [names.index(name) + shift for name in by_name]
            series.append(_series(method, case, places, list(by_name.values())))
        return tuple(series), tuple(name or "all" for name in names), ()
    for (case, method), by_name in found.items():
        values = sorted(value for each in by_name.values() for value in each)
        places = _thinned(list(range(len(values))))
        series.append(_series(method, case, [float(x) for x in places], [[values[x]] for x in places]))
    return tuple(series), (), ()


def _series(label: str, case: str, places: Sequence[float], values: Sequence[Sequence[float]]) -> Series:
    return Series(
        label=f"{label}{CONTROLLED}" if case == CONTROL else label,
        control=case == CONTROL,
        x=tuple(places),
        mean=tuple(map(fmean, values)),
        low=tuple(map(min, values)),
        high=tuple(map(max, values)),
    )


def _thinned(places: list[T]) -> list[T]:
    """Keep both ends and as many between as a plot can show."""
    if len(places) <= MOST_POINTS:
        return places
    last = len(places) - 1
    return [places[round(number * last / (MOST_POINTS - 1))] for number in range(MOST_POINTS)]


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= _LARGEST else None


def _wide(series: Sequence[Series]) -> bool:
    """True where the axis spans more than a factor of 30, above 0."""
    places = [x for each in series for x in each.x]
    return bool(places) and min(places) > 0 and max(places) > 30 * min(places)


def _paper(contract: Contract, rule: StatisticRule) -> float | None:
    """The paper's value, where it is one of the statistic."""
    target = contract.target
    return target.value if target is not None and isinstance(rule, Region) else None


def _line(rule: StatisticRule, paper: float | None) -> tuple[float | None, str]:
    if isinstance(rule, Mean | Limit):
        return paper, "paper"
    if isinstance(rule, NoCounterexample | Witness):
        return rule.bound, "bound"
    return (rule.value, "reference") if isinstance(rule, MaxError) else (None, "")


def _guide(
    rule: StatisticRule, paper: float | None, series: Sequence[Series]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    main = [each for each in series if not each.control and len(each.x) > 1]
    if not isinstance(rule, Slope) or paper is None or not main:
        return (), ()
    x, end, value = main[0].x, main[0].x[-1], main[0].mean[-1]
    if rule.scale == "linear":
        return x, tuple(value + paper * (place - end) for place in x)
    if min(x) <= 0 or (rule.scale == "loglog" and value <= 0):
        return (), ()
    if rule.scale == "semilog":
        return x, tuple(value + paper * math.log(place / end) for place in x)
    curve = tuple(math.exp(min(math.log(value) + paper * math.log(place / end), 300.0)) for place in x)
    return (x, curve) if min(curve) > 0 else ((), ())


def _region(rule: StatisticRule) -> tuple[float | None, float | None]:
    if isinstance(rule, Region):
        return rule.low, rule.high
    if isinstance(rule, Trend):
        return rule.min_tau, None
    if isinstance(rule, Ordering):
        return float(rule.at_least), None
    if isinstance(rule, MaxError):
        return None, rule.at_most
    if isinstance(rule, Test):
        return None, rule.p
    if isinstance(rule, NoCounterexample | Witness):
        return (rule.bound, None) if rule.relation in ("at_least", "above") else (None, rule.bound)
    return None, None


def _statistic(rule: StatisticRule) -> str:
    unit = f" [{rule.unit}]" if rule.unit and isinstance(rule, Mean | Difference | Limit) else ""
    return _STATISTICS.get(rule.type, rule.type.replace("_", " ")) + unit
