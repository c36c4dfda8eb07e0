"""Rules as data: the typed statistics by which a claim is accepted or falsified.

A rule holds, fails or stays undecided on raw rows; `agentsys.verify.claims` evaluates it. Bounds are in `unit`, the
unit of the quantity; slopes and ratios have none. `TIGHTER` says of each number of a rule in which direction it asks
for more (+1 larger, -1 smaller): what is not named there may not change once results were seen.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from agentsys.core.artifacts import Artifact

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.+-]{0,63}$")]
"""A method, a quantity or a key of a setting, as it stands in the raw rows."""


def _printed(value: object) -> object:
    """A number is taken as it is printed."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


SettingValue = Annotated[str, BeforeValidator(_printed), Field(pattern=r"^[A-Za-z0-9_.+-]{1,64}$")]
TREND_POINTS = 5
"""Points of an axis below which no trend is decided."""
Interval = Literal["t", "bootstrap"]
Relation = Literal["at_most", "at_least", "below", "above"]


class BaseRule(Artifact):
    """What every rule says: which rows it looks at."""

    TIGHTER: ClassVar[dict[str, int]] = {}

    quantity: Name
    unit: str = Field(default="", max_length=80, description="unit of the quantity, to which rows are converted")
    where: dict[Name, SettingValue] = Field(default={}, description="only rows whose setting has these values")


class Region(BaseRule):
    """A statistic with an interval: holds where the interval lies within [low, high], fails where it lies outside."""

    TIGHTER: ClassVar[dict[str, int]] = {"low": 1, "high": -1, "level": 1}

    method: Name
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    level: float = Field(default=0.95, ge=0.8, le=0.9999)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("give `low`, `high` or both: without a bound the rule holds for every result")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"`low` ({self.low:g}) is above `high` ({self.high:g}): exchange them")
        return self


def _settles(rule: Region, settle: float) -> None:
    width = math.inf if rule.low is None or rule.high is None else rule.high - rule.low
    if settle > width:
        raise ValueError(
            f"`settle` ({settle:g}) is wider than [low, high]: a value that still drifts through would pass"
        )


class Mean(Region):
    """Mean over seeds of a method's quantity."""

    type: Literal["mean"] = "mean"
    interval: Interval = "t"


class _Paired(Region):
    baseline: Name
    interval: Interval = "t"

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.method == self.baseline:
            raise ValueError(f"`method` and `baseline` are both {self.method!r}: name two methods")
        return self


class Difference(_Paired):
    """Mean of method minus baseline, paired by seed and setting."""

    type: Literal["difference"] = "difference"


class Ratio(_Paired):
    """Mean of the method over mean of the baseline, paired by seed and setting; bounds have no unit."""

    type: Literal["ratio"] = "ratio"


class Slope(Region):
    """Slope of the quantity over an axis, fitted on the tail (the upper half of the axis), with a drift test.

    `loglog`: ln value over ln axis, a rate or an exponent; `semilog`: value over ln axis; `linear`: value over axis.
    Undecided where the two halves of the tail differ by more than `settle`.
    """

    TIGHTER: ClassVar[dict[str, int]] = {**Region.TIGHTER, "settle": -1}

    type: Literal["slope"] = "slope"
    axis: Name
    scale: Literal["loglog", "semilog", "linear"] = "loglog"
    settle: float = Field(gt=0, allow_inf_nan=False, description="largest difference of slopes inside the tail")

    @model_validator(mode="after")
    def _settled(self) -> Self:
        _settles(self, self.settle)
        return self


class Limit(Region):
    """Value at which the quantity settles along an axis; undecided where doubling the axis moves it beyond `settle`."""

    TIGHTER: ClassVar[dict[str, int]] = {**Region.TIGHTER, "settle": -1}

    type: Literal["limit"] = "limit"
    axis: Name
    settle: float = Field(gt=0, allow_inf_nan=False, description="largest change when the axis doubles, in `unit`")

    @model_validator(mode="after")
    def _settled(self) -> Self:
        _settles(self, self.settle)
        return self


class Ordering(BaseRule):
    """Methods in the stated order on at least `at_least` of `of` cells; a cell is a setting with its seeds."""

    TIGHTER: ClassVar[dict[str, int]] = {"at_least": 1, "level": 1}

    type: Literal["ordering"] = "ordering"
    methods: tuple[Name, ...] = Field(min_length=2, description="best first")
    better: Literal["higher", "lower"]
    at_least: int = Field(ge=1)
    of: int = Field(ge=1, description="number of cells of the paper's grid")
    level: float = Field(default=0.95, ge=0.8, le=0.9999)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.at_least > self.of:
            raise ValueError(f"`at_least` ({self.at_least}) is more than the {self.of} cells of `of`")
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("a method stands twice in `methods`")
        return self


class Trend(BaseRule):
    """Monotone trend along an axis: Kendall's tau of each seed, its mean with a t interval, is at least `min_tau`."""

    TIGHTER: ClassVar[dict[str, int]] = {"min_tau": 1, "level": 1}

    type: Literal["trend"] = "trend"
    method: Name
    axis: Name
    direction: Literal["increasing", "decreasing"]
    min_tau: float = Field(gt=0, le=1)
    level: float = Field(default=0.95, ge=0.8, le=0.9999)


class MaxError(BaseRule):
    """Largest error over all cells against another method's rows or a constant is at most `at_most`."""

    TIGHTER: ClassVar[dict[str, int]] = {"at_most": -1}

    type: Literal["max_error"] = "max_error"
    method: Name
    reference: Name | None = None
    value: float | None = Field(default=None, allow_inf_nan=False)
    relative: bool = False
    at_most: float = Field(ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_reference(self) -> Self:
        if (self.reference is None) == (self.value is None):
            raise ValueError("give either `reference` (a method) or `value` (a constant)")
        if self.relative and self.value == 0:
            raise ValueError("no error is relative to 0: set `relative` to false")
        return self


class NoCounterexample(BaseRule):
    """Every row keeps `relation` to `bound`, in a search of at least `tried` instances of the domain.

    With an `axis` (steps, size) it is undecided where the margin still shrinks towards the bound at the axis's end.
    """

    TIGHTER: ClassVar[dict[str, int]] = {"tried": 1}

    type: Literal["no_counterexample"] = "no_counterexample"
    method: Name
    relation: Relation
    bound: float = Field(allow_inf_nan=False)
    tried: int = Field(ge=1)
    axis: Name | None = None


class Witness(BaseRule):
    """Some row keeps `relation` to `bound`, and the rows of method `confirmed_by` confirm it in exact arithmetic.

    It shows that something exists; as a falsification it is a confirmed counterexample. Confirming rows have the same
    seed and setting and are written as integers or fractions (`-3/7`). It fails after `tried` instances without one.
    """

    TIGHTER: ClassVar[dict[str, int]] = {"tried": 1}

    type: Literal["witness"] = "witness"
    method: Name
    relation: Relation
    bound: float = Field(allow_inf_nan=False)
    tried: int = Field(ge=1)
    confirmed_by: Name = "exact"


class Exact(BaseRule):
    """Both methods give the same integer or fraction in every cell, in exact arithmetic."""

    type: Literal["exact"] = "exact"
    method: Name
    reference: Name


class Test(BaseRule):
    """A significance test that the paper itself names; holds where its p value is at most `p`."""

    __test__: ClassVar[bool] = False
    TIGHTER: ClassVar[dict[str, int]] = {"p": -1}

    type: Literal["test"] = "test"
    test: Literal["paired t", "welch", "wilcoxon", "mann-whitney"]
    method: Name
    baseline: Name
    alternative: Literal["two-sided", "greater", "less"]
    p: float = Field(gt=0, le=0.1)
    quote: str = Field(min_length=8, description="the paper's words that name this test")

    @model_validator(mode="after")
    def _named(self) -> Self:
        word = {"paired t": "t", "welch": "welch", "wilcoxon": "wilcoxon", "mann-whitney": "mann"}[self.test]
        if not any(part.startswith(word) for part in self.quote.casefold().replace("-", " ").split()):
            raise ValueError(
                f"`quote` does not name the {self.test} test: use a test that the paper names, or an interval"
            )
        return self


Statistic = (
    Mean | Difference | Ratio | Slope | Limit | Ordering | Trend | MaxError | NoCounterexample | Witness | Exact | Test
)
StatisticRule = Annotated[Statistic, Field(discriminator="type")]


class Fails(Artifact):
    """Holds where the rule inside fails: a decided failure, never one that is undecided."""

    type: Literal["fails"] = "fails"
    rule: StatisticRule


class AllOf(Artifact):
    """Holds where every rule inside holds, and fails where one fails."""

    type: Literal["all_of"] = "all_of"
    rules: tuple[StatisticRule, ...] = Field(min_length=2, max_length=8)


Rule = Annotated[Statistic | Fails | AllOf, Field(discriminator="type")]


def parts(rule: Rule) -> tuple[StatisticRule, ...]:
    """Return the statistics that a rule is made of."""
    if isinstance(rule, AllOf):
        return rule.rules
    return (rule.rule,) if isinstance(rule, Fails) else (rule,)


def axis_of(rule: StatisticRule) -> str:
    """Return the key of the settings that a rule sweeps, or an empty text."""
    return getattr(rule, "axis", None) or ""


def methods_of(rule: StatisticRule) -> tuple[str, ...]:
    """Return the methods whose rows a rule needs, in order; without those that only confirm."""
    named = (getattr(rule, name, None) for name in ("method", "baseline", "reference"))
    return tuple(name for name in (*named, *getattr(rule, "methods", ())) if name)
