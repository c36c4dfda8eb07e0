"""The contract of a claim: what would show it and what would refute it, fixed before any code is written."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Annotated, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from agentsys.core.artifacts import Artifact, PaperPlace
from agentsys.plan.claims.claim import ClaimKind
from agentsys.plan.claims.rule import (
    AllOf,
    BaseRule,
    Difference,
    Fails,
    Limit,
    Mean,
    Name,
    NoCounterexample,
    Ratio,
    Region,
    Rule,
    SettingValue,
    Slope,
    Test,
    parts,
)

ClaimId = Annotated[str, Field(pattern=r"^C\d{1,3}$")]

SHOWN_BY: dict[ClaimKind, tuple[str, ...]] = {
    "comparison": ("difference", "ratio", "ordering", "test"),
    "trend": ("trend", "slope"),
    "rate": ("slope",),
    "identity": ("exact", "max_error"),
    "existence": ("witness",),
}
"""What `accept` of a kind needs one of; other kinds take any statistic."""
CASE = "case"
"""Key of a setting that marks rows which are no evidence for the claim: `case=control`, `case=degenerate`."""
_LESS = re.compile(
    r"(?i)\b(?:less|lower\w*|fewer|below|smaller|shorter|cheaper|faster|reduc\w+|decreas\w+|drops?|falls?)\b"
)
SEEDS = "seeds"
"""Key of `toy_below` that counts seeds; every other one is a key of the settings."""


Relation = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})? ?\*? ?[A-Za-z_]{1,40}$")]
"""Number and unit."""


class Target(Artifact):
    """What the paper reports."""

    value: float = Field(allow_inf_nan=False)
    unit: str = Field(default="", max_length=80)
    spread: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="standard deviation as reported")
    where: PaperPlace


class Dataset(Artifact):
    """A data set that the claim rests on."""

    name: str = Field(min_length=1, max_length=120)
    size: int | None = Field(default=None, ge=1, description="number of examples, where the paper says it")


class Baseline(Artifact):
    """A baseline of the claim, and the number that the paper reports for it."""

    method: Name
    quantity: Name
    value: float | None = Field(default=None, allow_inf_nan=False, description="None: the paper gives no number")
    unit: str = Field(default="", max_length=80)
    spread: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    where: dict[Name, SettingValue] = Field(default={})


class Horizon(Artifact):
    """How far an axis must be swept at least."""

    axis: Name
    at_least: float = Field(gt=0, allow_inf_nan=False)


class Control(Artifact):
    """A setting or a broken variant on which `accept` must fail; its rows have `case=control` in their setting."""

    what: str = Field(min_length=10, max_length=600)


class Degenerate(Artifact):
    """A case that must hold exactly; its rows have `case=degenerate` in their setting."""

    what: str = Field(min_length=10, max_length=600)
    rule: Rule


class Missing(Artifact):
    """What keeps a claim from being tested at all."""

    kind: Literal["data", "hardware", "detail"]
    what: str = Field(min_length=3, max_length=300)
    estimate: str = Field(default="", max_length=300, description="what it would take")


class Cost(Artifact):
    """Estimate of what the claim's full experiment takes."""

    cpu_hours: float = Field(ge=0, allow_inf_nan=False)
    memory_gb: float = Field(default=1.0, ge=0, allow_inf_nan=False)


class Contract(Artifact):
    """One claim's contract."""

    claim: ClaimId
    text: str = Field(min_length=10, max_length=2000, description="the claim in the paper's words")
    place: PaperPlace
    kind: ClaimKind
    target: Target | None = None
    domain: str = Field(default="", max_length=600, description="for which inputs the paper states it, its own words")
    grid: dict[Name, tuple[SettingValue, ...]] = Field(default={}, description="key of a setting -> the paper's values")
    datasets: tuple[Dataset, ...] = ()
    seeds: int = Field(default=1, ge=1, le=10_000, description="number of seeds; they are 0, 1, 2, ...")
    deterministic: bool = Field(default=False, description="no chance in it: one seed is enough, all seeds must agree")
    horizon: Horizon | None = None
    accept: Rule | None = None
    falsify: Rule | None = None
    control: Control | None = None
    degenerate: Degenerate | None = None
    baselines: tuple[Baseline, ...] = ()
    toy_below: dict[Name, float] = Field(default={}, description="key of a setting, or `seeds` -> least real scale")
    padded: bool = Field(
        default=False, description="the metric runs over padded or masked data: rows `counted` and `padding` are needed"
    )
    count_units: dict[Name, Relation] = Field(
        default={}, description="counting units as the paper relates them, e.g. `batch` -> `50 trajectory`"
    )
    silent: tuple[str, ...] = Field(
        default=(), description="what the experiment needs, the paper does not say, and could turn the result"
    )
    choices: tuple[str, ...] = Field(
        default=(), description="what is fixed here because either way would do: repeats, what a quantity counts"
    )
    missing: tuple[Missing, ...] = ()
    cost: Cost | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if found := problems(self):
            raise ValueError("; ".join(found))
        return self

    @model_serializer(mode="wrap")
    def _with_choices(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Contracts that were frozen before there were choices keep their hash."""
        document: dict[str, object] = handler(self)
        return document if self.choices else {key: value for key, value in document.items() if key != "choices"}

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: what is frozen before the first line of code."""
        return canonical_hash(self.model_dump(mode="json"))


def canonical_hash(document: object) -> str:
    """Return the SHA-256 of a JSON document, whatever the order of its keys; `claims/evaluate.py` has the same."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def problems(contract: Contract) -> tuple[str, ...]:
    """Return what is wrong with a contract, each with its remedy; pydantic raises them as one `ValidationError`."""
    if contract.accept is None or contract.falsify is None:
        return _without_rules(contract)
    found = [*_regions(contract, contract.accept, contract.falsify), *_references(contract), *_falsification(contract)]
    found += _scales(contract)
    shown_by = SHOWN_BY.get(contract.kind, ())
    if shown_by and not any(one.type in shown_by for one in parts(contract.accept)):
        found.append(f"`accept` of a claim of kind {contract.kind} needs one of: {', '.join(shown_by)}")
    if contract.control is None:
        found.append(
            "`control` is missing: name a broken variant or a setting outside the condition where `accept` fails"
        )
    if contract.kind in ("number", "rate") and contract.target is None:
        found.append(f"a claim of kind {contract.kind} needs `target`: the number that the paper reports")
    if contract.kind in ("identity", "bound", "existence") and not contract.domain:
        found.append(f"a claim of kind {contract.kind} needs `domain`: for which inputs the paper states it")
    if not contract.toy_below:
        found.append("`toy_below` is empty: say from which scale on (a key of the settings, or `seeds`) it is no toy")
    if not contract.deterministic and contract.seeds < 3:
        found.append("`seeds` is below 3: no interval can be given; set `deterministic` if there is no chance in it")
    return tuple(found)


def _without_rules(contract: Contract) -> tuple[str, ...]:
    if contract.accept is not None or contract.falsify is not None:
        return ("give both `accept` and `falsify`: a claim that cannot fail is not tested",)
    if contract.kind == "qualitative" or contract.missing:
        return ()
    return ("`accept` and `falsify` are missing: give both, or say under `missing` what keeps the claim from a test",)


def _regions(contract: Contract, accept: Rule, falsify: Rule) -> list[str]:
    found: list[str] = []
    target = contract.target
    for one in parts(accept):
        if not isinstance(one, Mean | Difference | Ratio | Slope | Limit) or isinstance(accept, AllOf):
            continue
        aimed = target is not None and target.unit == (one.unit if isinstance(one, Mean | Difference | Limit) else "")
        own = _own_value(contract, one)
        if target is not None and aimed and not isinstance(accept, Fails) and not _inside(one, own):
            words = f"the paper's own value {own:g} lies outside `accept`: widen it, or correct `target`"
            sign = "; a difference is `method` minus `baseline`" if isinstance(one, Difference) else ""
            found.append(words + sign)
        if isinstance(falsify, Fails):
            inner = falsify.rule
            if isinstance(inner, Region) and _same_statistic(one, inner) and not _covers(inner, one):
                found.append(
                    "`falsify` fails inside of `accept`: the rule under `fails` must cover the bounds of `accept`"
                )
            continue
        for other in parts(falsify):
            if not isinstance(other, Region) or not _same_statistic(one, other):
                continue
            if target is not None and aimed and _inside(other, own):
                found.append(f"the paper's own value {own:g} would meet `falsify`: move its bounds")
            if _overlap(one, other):
                found.append("`accept` and `falsify` overlap: one result could meet both; part their bounds")
    return found


def _own_value(contract: Contract, rule: Region) -> float:
    """Return what the paper reports, with the sign that a rule gives it: `0.5 less` is a difference of -0.5."""
    value = contract.target.value if contract.target is not None else math.nan
    turned = isinstance(rule, Difference) and not _inside(rule, value) and _LESS.search(contract.text) is not None
    return -value if turned and _inside(rule, -value) else value


def _same_statistic(one: BaseRule, other: BaseRule) -> bool:
    """True where two rules differ in nothing but their bounds."""
    ignored = {"low", "high", "level", "settle", "interval"}
    return type(one) is type(other) and one.model_dump(exclude=ignored) == other.model_dump(exclude=ignored)


def _ends(rule: Region) -> tuple[float, float]:
    return (
        float("-inf") if rule.low is None else rule.low,
        float("inf") if rule.high is None else rule.high,
    )


def _inside(rule: Region, value: float) -> bool:
    low, high = _ends(rule)
    return low <= value <= high


def _overlap(one: Region, other: Region) -> bool:
    (low, high), (other_low, other_high) = _ends(one), _ends(other)
    return max(low, other_low) < min(high, other_high)


def _falsification(contract: Contract) -> list[str]:
    """Failures that are too weak to refute a claim."""
    inner = contract.falsify.rule if isinstance(contract.falsify, Fails) else None
    if isinstance(inner, NoCounterexample):
        return [
            "`falsify` needs a counterexample confirmed in exact arithmetic: use a `witness` of the opposite relation"
        ]
    if isinstance(inner, Test):
        return [
            "a test that finds no significance refutes nothing: state under `falsify` an interval, e.g. `difference`"
        ]
    return []


def _covers(wide: Region, narrow: Region) -> bool:
    (low, high), (inner_low, inner_high) = _ends(wide), _ends(narrow)
    return low <= inner_low and inner_high <= high


def _scales(contract: Contract) -> list[str]:
    """Toy scales that the contract's own grid or seeds never reach."""
    found: list[str] = []
    for key, least in contract.toy_below.items():
        reached = [float(contract.seeds)] if key == SEEDS else [_number(value) for value in contract.grid.get(key, ())]
        if reached and max(reached) < least:
            found.append(
                f"`toy_below` asks {key} >= {least:g} and the contract reaches {max(reached):g}: adapt one of them"
            )
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _references(contract: Contract) -> list[str]:
    """What the rules name and the contract does not."""
    found: list[str] = []
    axes = {*contract.grid, contract.horizon.axis if contract.horizon else ""}
    rules = [*parts(contract.accept), *parts(contract.falsify)] if contract.accept and contract.falsify else []
    for rule in rules:
        axis = getattr(rule, "axis", None)
        if axis and axis not in axes:
            found.append(f"axis {axis!r} stands neither in `grid` nor in `horizon`: add the paper's values")
        if CASE in rule.where:
            found.append(f"`where` may not name {CASE!r}: control and degenerate rows are kept apart by themselves")
        if isinstance(rule, Difference | Ratio) and rule.baseline not in {each.method for each in contract.baselines}:
            found.append(
                f"baseline {rule.baseline!r} is not in `baselines`: add it with the paper's number, or value null"
            )
    if CASE in contract.grid:
        found.append(f"`grid` may not hold {CASE!r}: it marks control and degenerate rows")
    return list(dict.fromkeys(found))
