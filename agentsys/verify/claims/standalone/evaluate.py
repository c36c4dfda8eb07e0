"""A contract and raw rows to evidence and verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .frame import CONTROL, DEGENERATE, MAIN, Conversions, Document, Sample, converted, of_case
from .outcome import HOLDS, Outcome
from .rows import Ints, Rows
from .rules import evaluate_rule, statistics_of
from .statistics import Undecided
from .verdict import Decision, Evidence, decide

SEEDS = "seeds"
COUNTED = "counted"
PADDING = "padding"
_BASELINE_SHARE = 0.05
_BASELINE_SPREADS = 3.0
_OF_SIZE = frozenset({"horizon_short", "seeds_missing", "below_scale", "grid_incomplete"})


@dataclass(frozen=True)
class Judged:
    """A claim's verdict and all that led to it."""

    claim: str
    decision: Decision
    outcomes: dict[str, Outcome]
    scale: dict[str, float]

    def document(self) -> dict[str, Any]:
        """Return plain JSON, the same for the same rows."""
        return {
            "claim": self.claim,
            "verdict": self.decision.verdict,
            "reasons": list(self.decision.reasons),
            "outcomes": {name: each.document() for name, each in self.outcomes.items()},
            "scale": dict(sorted(self.scale.items())),
        }


def judge(contract: Document, rows: Rows, findings: Mapping[str, Any], conversions: Conversions) -> Judged:
    """Return the verdict of a claim.

    Args:
        contract: the contract as plain JSON.
        findings: `checker` (agrees, disagrees, absent), `reviewer` (clean, finding, absent) and `contradicted`; what is
            not there is absent.
        conversions: unit of a rule -> unit of rows -> factor and offset.
    """
    claim, accept, falsify = contract["claim"], contract["accept"], contract["falsify"]
    main = of_case(rows, rows.of_claim(claim), MAIN, {})
    has_rules = accept is not None and falsify is not None
    outcomes = _outcomes(contract, rows, conversions) if has_rules and len(main) else {}
    scale = _scale(contract, rows, main) if outcomes else {}
    open_codes = [code for name in ("accept", "falsify") if name in outcomes for code in outcomes[name].reasons]
    evidence = Evidence(
        accept=_state(outcomes, "accept"),
        falsify=_state(outcomes, "falsify"),
        control=_state(outcomes, "control"),
        degenerate=_state(outcomes, "degenerate"),
        needs_degenerate=contract["degenerate"] is not None,
        has_rules=has_rules,
        has_rows=bool(len(main)),
        flaws=_beside(outcomes, contract, _flaws(contract, rows, main, scale, conversions)) if outcomes else (),
        undecided=tuple(dict.fromkeys(open_codes)),
        small=_beside(outcomes, contract, _small(contract, rows, main, scale)) if outcomes else (),
        checker=str(findings.get("checker", "absent")),
        reviewer=str(findings.get("reviewer", "absent")),
        contradicted=bool(findings.get("contradicted", False)),
        silent=bool(contract["silent"]),
        missing=bool(contract["missing"]) or bool(findings.get("data_absent", False)),
    )
    return Judged(claim, decide(evidence), outcomes, scale)


def _beside(outcomes: Mapping[str, Outcome], contract: Document, codes: Iterator[str]) -> tuple[str, ...]:
    """What spoils the rows; a counterexample that was confirmed exactly needs neither more rows nor a larger scale."""
    found = contract["falsify"]["type"] == "witness" and _state(outcomes, "falsify") == HOLDS
    return tuple(code for code in codes if not found or code not in _OF_SIZE)


def _state(outcomes: Mapping[str, Outcome], name: str) -> str:
    return outcomes[name].state if name in outcomes else "absent"


def _outcomes(contract: Document, rows: Rows, conversions: Conversions) -> dict[str, Outcome]:
    rules = {
        "accept": (MAIN, contract["accept"]),
        "falsify": (MAIN, contract["falsify"]),
        "control": (CONTROL, contract["accept"]),
    }
    if contract["degenerate"] is not None:
        rules["degenerate"] = (DEGENERATE, contract["degenerate"]["rule"])
    target = contract["target"]
    found: dict[str, Outcome] = {}
    for name, (case, rule) in rules.items():
        if case != MAIN and not len(of_case(rows, rows.of_claim(contract["claim"]), case, {})):
            continue
        sample = Sample(
            rows=rows,
            claim=contract["claim"],
            case=case,
            deterministic=bool(contract["deterministic"]) or case == DEGENERATE,
            conversions=conversions,
            target=(target["value"], target["unit"]) if target is not None and case == MAIN else None,
        )
        found[name] = evaluate_rule(sample, rule)
    return found


def _used(contract: Document, rows: Rows, main: Ints) -> Ints:
    """Main rows that the acceptance rule looks at."""
    wanted = [main[:0]]
    for rule in statistics_of(contract["accept"]):
        index = of_case(rows, rows.of_quantity(contract["claim"], rule["quantity"]), MAIN, rule["where"])
        named = {rule.get(key) for key in ("method", "baseline", "reference")} | set(rule.get("methods", ()))
        codes = [code for code, method in enumerate(rows.methods) if method in named]
        wanted.append(index[np.isin(rows.method[index], codes)])
    return np.unique(np.concatenate(wanted))


def _scale(contract: Document, rows: Rows, main: Ints) -> dict[str, float]:
    """The scale that was reached: of a swept key the largest value, of every other one the smallest that was used."""
    used = _used(contract, rows, main)
    if not len(used):
        return {}
    horizon = [contract["horizon"]["axis"]] if contract["horizon"] else []
    swept = {*contract["grid"], *horizon, *(rule.get("axis") for rule in statistics_of(contract["accept"]))}
    settings = [rows.settings[int(number)] for number in np.unique(rows.setting[used])]
    reached = {SEEDS: float(_seeds(rows, used))}
    for key in {*map(str, contract["toy_below"]), *map(str, horizon)} - {SEEDS}:
        numbers = [_number(each.get(key)) for each in settings]
        # A row that does not say its size counts as the smallest.
        reached[key] = max(numbers) if key in swept else min(numbers)
    return reached


def _seeds(rows: Rows, used: Ints) -> int:
    """Number of seeds of the method that has fewest."""
    methods = rows.method[used]
    return min(len(np.unique(rows.seed[used[methods == code]])) for code in np.unique(methods))


def _number(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        return 0.0
    return value if np.isfinite(value) else 0.0


def _small(contract: Document, rows: Rows, main: Ints, scale: Mapping[str, float]) -> Iterator[str]:
    if any(scale.get(key, 0.0) < least for key, least in contract["toy_below"].items()):
        yield "below_scale"
    settings = [rows.settings[int(number)] for number in np.unique(rows.setting[_used(contract, rows, main)])]
    pinned = {key for rule in statistics_of(contract["accept"]) for key in rule["where"]}
    for key, values in contract["grid"].items():
        if key not in pinned and not set(values) <= {each.get(key) for each in settings}:
            yield "grid_incomplete"
            return


def _flaws(
    contract: Document, rows: Rows, main: Ints, scale: Mapping[str, float], conversions: Conversions
) -> Iterator[str]:
    if scale.get(SEEDS, 0.0) < contract["seeds"]:
        yield "seeds_missing"
    seeds = np.unique(rows.seed[_used(contract, rows, main)])
    if not np.array_equal(seeds, np.arange(len(seeds))):
        yield "seeds_chosen"
    horizon = contract["horizon"]
    if horizon and scale.get(horizon["axis"], 0.0) < horizon["at_least"]:
        yield "horizon_short"
    for baseline in contract["baselines"]:
        yield from _baseline(contract, baseline, rows, conversions)
    if contract["padded"]:
        yield from _padding(contract, rows)


def _baseline(contract: Document, baseline: Document, rows: Rows, conversions: Conversions) -> Iterator[str]:
    """A baseline must reach the paper's own number for it, within 5 % or three reported deviations."""
    if baseline["value"] is None:
        return
    index = of_case(rows, rows.of_quantity(contract["claim"], baseline["quantity"]), MAIN, baseline["where"])
    if baseline["method"] in rows.methods:
        index = index[rows.method[index] == rows.methods.index(baseline["method"])]
    else:
        index = index[:0]
    if not len(index):
        yield "baseline_missing"
        return
    try:
        measured = float(np.mean(converted(rows, index, baseline["unit"], conversions)))
    except Undecided as error:
        yield error.code
        return
    allowed = max(_BASELINE_SHARE * abs(baseline["value"]), _BASELINE_SPREADS * (baseline["spread"] or 0.0))
    if not abs(measured - baseline["value"]) <= allowed:
        yield "baseline_off"


def _padding(contract: Document, rows: Rows) -> Iterator[str]:
    """Each seed and method says how many positions its metric counted and how many of them were padding: none."""
    claim = contract["claim"]
    measured = _runs(rows, _used(contract, rows, rows.of_claim(claim)))
    counted = of_case(rows, rows.of_quantity(claim, COUNTED), MAIN, {})
    padding = of_case(rows, rows.of_quantity(claim, PADDING), MAIN, {})
    if not measured <= _runs(rows, counted) or not measured <= _runs(rows, padding):
        yield "padding_unknown"
    elif not bool(np.all(rows.value[padding] == 0)) or not bool(np.all(rows.value[counted] > 0)):
        yield "padding_counted"


def _runs(rows: Rows, index: Ints) -> set[tuple[int, int, int]]:
    columns = (rows.seed[index].tolist(), rows.setting[index].tolist(), rows.method[index].tolist())
    return set(zip(*columns, strict=True))
