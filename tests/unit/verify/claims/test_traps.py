"""Every known way in which a verdict goes wrong, and the mechanism that keeps it from doing so."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentsys.plan.claims.amendment import freeze
from agentsys.plan.claims.contract import Contract
from agentsys.verify.claims.record import Findings, judge_claims
from agentsys.verify.claims.standalone.evaluate import Judged
from agentsys.verify.claims.standalone.rows import HEADER, read_rows
from unit.verify.claims.judging import Line, compared, contract, outcome, rows_of

SURE = Findings(checker="agrees", reviewer="clean")


def judged(folder: Path, agreed: Contract, lines: list[Line], found: Findings = SURE, *, unit: str = "") -> Judged:
    (one,) = judge_claims(freeze((agreed,)), rows_of(folder, lines, unit=unit), {"C1": found})
    return one


def along(of: Any, last: int, *, seed: int = 0, noise: float = 0.0) -> list[Line]:
    chance = np.random.default_rng(seed)
    points = [2**k for k in range(1, round(math.log2(last)) + 1)]
    return [(seed, f"n={n}", "a", float(of(n)) * (1 + noise * float(chance.normal()))) for n in points]


def test_without_any_trap_the_claim_is_verified(tmp_path: Path) -> None:
    found = judged(tmp_path, contract(), compared())
    assert (found.decision.verdict, found.decision.reasons) == ("verified", ("supports",))


def test_without_any_trap_the_opposite_is_falsified(tmp_path: Path) -> None:
    found = judged(tmp_path, contract(), compared(-1.0))
    assert (found.decision.verdict, found.decision.reasons) == ("falsified", ("contradicts",))


# -- finite horizon ----------------------------------------------------------------------------------------------------

BOUND = {"type": "no_counterexample", "method": "a", "relation": "at_most", "bound": 1.0, "tried": 50, "axis": "n"}


def steps(of: Any, last: int) -> list[Line]:
    return [(0, f"n={n}", "a", float(of(n))) for n in range(1, last + 1)]


def test_a_bound_that_first_breaks_at_step_5000_is_not_settled_at_step_1000(tmp_path: Path) -> None:
    def creeps(n: int) -> float:
        return n / 4999

    assert outcome(tmp_path, BOUND, steps(creeps, 1000), sure=True).reasons == ("drift",)
    assert outcome(tmp_path, BOUND, steps(creeps, 5000), sure=True).state == "fails"


def test_a_margin_that_shrinks_ever_slower_is_no_drift(tmp_path: Path) -> None:
    assert outcome(tmp_path, BOUND, steps(lambda n: 1 - 1 / n, 1000), sure=True).state == "holds"


DYING = {"geometric": lambda n: 1 - 0.075 * 0.5**n, "with a slower start": lambda n: 1 - (0.08 - 0.01 / n) * 0.6**n}
RUNNING_OUT = {
    "evenly": lambda n: n / 64.5,
    "like a root": lambda n: math.sqrt(n / 64.5),
    "like a logarithm": lambda n: math.log(n) / math.log(64.2),
}


@pytest.mark.parametrize("kind", DYING)
def test_a_margin_that_dies_away_with_the_bound_itself_is_no_drift(tmp_path: Path, kind: str) -> None:
    assert outcome(tmp_path, {**BOUND, "tried": 8}, steps(DYING[kind], 8), sure=True).state == "holds"


@pytest.mark.parametrize("kind", RUNNING_OUT)
def test_a_margin_that_runs_out_just_beyond_what_was_seen_is_drift(tmp_path: Path, kind: str) -> None:
    assert outcome(tmp_path, {**BOUND, "tried": 8}, steps(RUNNING_OUT[kind], 50), sure=True).reasons == ("drift",)


def test_growth_like_a_logarithm_is_drift_though_each_step_is_small(tmp_path: Path) -> None:
    rule = {"type": "limit", "method": "a", "axis": "n", "low": 0.0, "high": 5.0, "settle": 0.3}
    grows = along(lambda n: 0.38 * math.log(n), 1024)
    assert outcome(tmp_path, rule, grows, sure=True).reasons == ("drift",)
    slope = {"type": "slope", "scale": "semilog", "method": "a", "axis": "n", "low": 0.3, "settle": 0.05}
    assert outcome(tmp_path, slope, grows, sure=True).state == "holds"


def test_a_horizon_shorter_than_the_contract_asks_settles_nothing(tmp_path: Path) -> None:
    agreed = contract(horizon={"axis": "n", "at_least": 1000})
    assert judged(tmp_path, agreed, compared(n=999)).decision.reasons == ("horizon_short",)
    assert judged(tmp_path, agreed, compared(n=1000)).decision.verdict == "verified"


# -- not asymptotic yet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "state"), [(256, "undecided"), (2**18, "holds")])
def test_a_rate_is_read_off_a_tail_that_no_longer_bends(tmp_path: Path, last: int, state: str) -> None:
    rule = {"type": "slope", "method": "a", "axis": "n", "low": -1.25, "high": -0.75, "settle": 0.1}
    found = outcome(tmp_path, rule, along(lambda n: 1 / n + 40 / n**2, last), sure=True)
    assert found.state == state
    assert found.reasons == (() if state == "holds" else ("drift",))


@pytest.mark.parametrize(("low", "high"), [(-1.35, -1.15), (-1.15, -0.85)])
def test_a_slope_that_creeps_on_neither_shows_nor_refutes(tmp_path: Path, low: float, high: float) -> None:
    # The rate is -1, seen at about -1.2 and moving slowly: within `settle`, yet not there.
    rule = {"type": "slope", "method": "a", "axis": "n", "low": low, "high": high, "settle": 0.15}
    found = outcome(tmp_path, rule, along(lambda n: (1 + 20 * n**-0.5) / n, 4096), sure=True)
    assert (found.state, found.reasons) == ("undecided", ("drift",))


def noisy(repeats: int, shift: float = 0.0) -> list[Line]:
    """A rate of -1 with noise, whose log-log curve bends by `shift` a factor of e; each of 20 seeds averages."""
    chance = np.random.default_rng(1)
    points = [2**k for k in range(6, 13)]
    bent = {n: n ** (-1 + shift * math.log(n / 64)) for n in points}
    noise = {n: 0.4 / math.sqrt(repeats) for n in points}
    return [(s, f"n={n}", "a", bent[n] * math.exp(noise[n] * chance.normal())) for s in range(20) for n in points]


@pytest.mark.parametrize(
    ("repeats", "shift", "reasons"), [(600, 0.0, ()), (10, 0.0, ("no_power",)), (100_000, 0.006, ("drift",))]
)
def test_a_slope_with_chance_in_it_holds_where_its_noise_could_hide_no_drift_that_matters(
    tmp_path: Path, repeats: int, shift: float, reasons: tuple[str, ...]
) -> None:
    rule = {"type": "slope", "method": "a", "axis": "n", "low": -1.1, "high": -0.9, "settle": 0.1}
    found = outcome(tmp_path, rule, noisy(repeats, shift))
    assert found.reasons == reasons and (found.state == "holds") is not bool(reasons)


@pytest.mark.parametrize(("first", "state"), [(64, "fails"), (128, "undecided")])
def test_a_rate_on_six_points_of_a_paper_is_read_off_the_last_four(tmp_path: Path, first: int, state: str) -> None:
    rule = {"type": "slope", "method": "a", "axis": "n", "low": -2.1, "high": -1.9, "settle": 0.1}
    lines: list[Line] = [(0, f"n={first * 2**k}", "a", 1 / (first * 2**k)) for k in range(6 if first == 64 else 5)]
    assert outcome(tmp_path, rule, lines, sure=True).state == state


def test_a_rate_needs_three_doublings(tmp_path: Path) -> None:
    rule = {"type": "slope", "method": "a", "axis": "n", "low": -1.1, "high": -0.9, "settle": 0.1}
    lines: list[Line] = [(0, f"n={n}", "a", 1 / n) for n in range(100, 140)]
    assert outcome(tmp_path, rule, lines, sure=True).reasons == ("horizon_short",)


# -- counterexamples ---------------------------------------------------------------------------------------------------

WITNESS = {"type": "witness", "method": "a", "relation": "above", "bound": 1.0, "tried": 3}


def test_a_counterexample_counts_only_where_exact_arithmetic_confirms_it(tmp_path: Path) -> None:
    lines: list[Line] = [(0, f"n={n}", "a", value) for n, value in enumerate([0.5, 1.5, 0.9])]
    assert outcome(tmp_path, WITNESS, lines, sure=True).reasons == ("unconfirmed",)
    assert outcome(tmp_path, WITNESS, [*lines, (0, "n=1", "exact", "1/2")], sure=True).reasons == ("unconfirmed",)
    assert outcome(tmp_path, WITNESS, [*lines, (0, "n=2", "exact", "3/2")], sure=True).reasons == ("unconfirmed",)
    assert outcome(tmp_path, WITNESS, [*lines, (0, "n=1", "exact", "3/2")], sure=True).state == "holds"


def test_a_confirmed_counterexample_needs_neither_the_whole_horizon_nor_the_real_scale(tmp_path: Path) -> None:
    agreed = contract(
        kind="bound",
        domain="for all n",
        deterministic=True,
        seeds=1,
        accept={**BOUND, "quantity": "v", "tried": 3},
        falsify={**WITNESS, "quantity": "v"},
        baselines=[],
        toy_below={"n": 64},
        horizon={"axis": "n", "at_least": 64},
    )
    kept: list[Line] = [(0, f"n={n}", "a", "1/2") for n in (1, 2, 4, 8)]
    broken: list[Line] = [(0, "case=control;n=1", "a", "5/2"), (0, "n=16", "a", "3/2"), (0, "n=16", "exact", "3/2")]
    found = judged(tmp_path, agreed, [*kept, *broken]).decision
    assert (found.verdict, found.reasons) == ("falsified", ("contradicts",))
    assert "horizon_short" in judged(tmp_path, agreed, [*kept, broken[0]]).decision.reasons


def test_a_bound_that_floats_break_by_rounding_is_not_broken(tmp_path: Path) -> None:
    lines = steps(lambda n: 0.1 + 0.2 + 0.7 if n == 2 else 0.5, 60)
    lines[1] = (0, "n=2", "a", 1 + 2**-52)
    assert outcome(tmp_path, {**BOUND, "axis": None}, lines, sure=True).reasons == ("rounding",)
    assert outcome(tmp_path, WITNESS, lines, sure=True).reasons == ("unconfirmed",)


def test_a_short_search_shows_neither_absence_nor_presence(tmp_path: Path) -> None:
    lines = steps(lambda n: 0.5, 2)
    assert outcome(tmp_path, {**BOUND, "axis": None}, lines, sure=True).reasons == ("search_short",)
    assert outcome(tmp_path, WITNESS, lines, sure=True).reasons == ("search_short",)


def test_a_sign_is_decided_by_fractions_and_not_by_floats(tmp_path: Path) -> None:
    rule = {"type": "exact", "method": "a", "reference": "b"}
    big = 2**70
    lines: list[Line] = [(0, "", "a", str(big)), (0, "", "b", str(big + 1))]
    assert float(big) == float(big + 1)
    assert outcome(tmp_path, rule, lines, sure=True).state == "fails"
    assert outcome(tmp_path, rule, [(0, "", "a", "1/3"), (0, "", "b", "2/6")], sure=True).state == "holds"
    assert outcome(tmp_path, rule, [(0, "", "a", "0.5"), (0, "", "b", "1/2")], sure=True).reasons == ("not_exact",)


# -- satisfied by construction, rules without power --------------------------------------------------------------------


def test_a_rule_that_also_holds_on_the_control_shows_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path, contract(), compared(control=1.0)).decision.reasons == ("control_holds",)


def test_a_bound_that_every_instance_attains_is_not_tested(tmp_path: Path) -> None:
    rule = {**BOUND, "axis": None}
    assert outcome(tmp_path, rule, steps(lambda n: 1, 60), sure=True).reasons == ("on_the_bound",)
    assert outcome(tmp_path, rule, steps(lambda n: 1 if n == 5 else 0.5, 60), sure=True).state == "holds"


def test_a_claim_without_its_control_is_not_settled(tmp_path: Path) -> None:
    lines = [line for line in compared() if "control" not in line[1]]
    assert judged(tmp_path, contract(), lines).decision.reasons == ("control_missing",)


def test_an_interval_wider_than_the_effect_has_no_power(tmp_path: Path) -> None:
    rule = {"type": "difference", "method": "a", "baseline": "b", "low": 0.0}
    lines: list[Line] = [(s, "", "a", 1.0 + 0.5 * s) for s in range(5)] + [(s, "", "b", 0.0) for s in range(5)]
    assert outcome(tmp_path, rule, lines).state == "holds"
    assert outcome(tmp_path, rule, lines, target=(1.0, "")).reasons == ("no_power",)


def test_seeds_that_change_nothing_are_no_sample(tmp_path: Path) -> None:
    lines: list[Line] = [(seed, "", "a", 0.8125) for seed in range(5)]
    assert outcome(tmp_path, {"type": "mean", "method": "a", "low": 0.5}, lines).reasons == ("seeds_identical",)


def test_seeds_that_should_change_nothing_and_do_are_noticed(tmp_path: Path) -> None:
    lines: list[Line] = [(seed, "", "a", 0.8 + seed / 100) for seed in range(5)]
    found = outcome(tmp_path, {"type": "mean", "method": "a", "low": 0.5}, lines, sure=True)
    assert found.reasons == ("not_deterministic",)


def test_the_degenerate_case_must_hold_exactly(tmp_path: Path) -> None:
    rule = {"type": "exact", "quantity": "v", "method": "a", "reference": "b"}
    agreed = contract(degenerate={"what": "with strength 0 both are the same", "rule": rule})
    assert judged(tmp_path, agreed, compared()).decision.reasons == ("degenerate_missing",)
    same: list[Line] = [(0, "case=degenerate", "a", 3), (0, "case=degenerate", "b", 3)]
    assert judged(tmp_path, agreed, [*compared(), *same]).decision.verdict == "verified"
    other: list[Line] = [(0, "case=degenerate", "a", 3), (0, "case=degenerate", "b", 4)]
    assert judged(tmp_path, agreed, [*compared(), *other]).decision.reasons == ("degenerate_fails",)


# -- units -------------------------------------------------------------------------------------------------------------


def test_a_time_a_trajectory_is_not_compared_with_one_a_batch(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    text = [",".join(HEADER)]
    for seed in range(5):
        for case, slow in (("", 1), ("case=control", 9)):
            text.append(f"C1,{seed},{case},a,v,{slow * (0.4 + seed / 1000)},s/trajectory")
            text.append(f"C1,{seed},{case},b,v,{20 - seed / 10},s/batch")
    file.write_text("\n".join(text) + "\n")
    rule = {"type": "ratio", "quantity": "v", "method": "a", "baseline": "b", "unit": "s/trajectory"}
    parts = {"accept": {**rule, "low": 0.8, "high": 1.2}, "falsify": {**rule, "low": 1.5}, "toy_below": {"seeds": 5}}
    plain, related = contract(**parts), contract(**parts, count_units={"batch": "50 trajectory"})
    verdicts = [judge_claims(freeze((each,)), read_rows([file]), {"C1": SURE})[0].decision for each in (plain, related)]
    assert verdicts[0].reasons[0] == "units_differ"
    assert verdicts[1].verdict == "verified"


# -- baselines, padding, the paper's own test --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "spread", "reasons"),
    [(10.2, None, ("supports",)), (12.0, None, ("baseline_off",)), (12.0, 1.0, ("supports",))],
)
def test_a_baseline_that_misses_the_papers_number_confirms_no_gain(
    tmp_path: Path, reported: float, spread: float | None, reasons: tuple[str, ...]
) -> None:
    baseline = {"method": "b", "quantity": "v", "value": reported, "spread": spread}
    assert judged(tmp_path, contract(baselines=[baseline]), compared()).decision.reasons == reasons


def test_padded_positions_in_the_metric_are_found(tmp_path: Path) -> None:
    agreed = contract(padded=True)
    assert judged(tmp_path, agreed, compared()).decision.reasons == ("padding_unknown",)
    rows_of(tmp_path, compared())
    for padding, reasons in ((0, ("supports",)), (66, ("padding_counted",))):
        more = [
            f"C1,{seed},n=100,{method},{quantity},{value},"
            for seed in range(5)
            for method in "ab"
            for quantity, value in (("counted", 100), ("padding", padding))
        ]
        file = tmp_path / "more.csv"
        file.write_text("\n".join([",".join(HEADER), *more]) + "\n")
        rows = read_rows([tmp_path / "rows.csv", file])
        (one,) = judge_claims(freeze((agreed,)), rows, {"C1": SURE})
        assert one.decision.reasons == reasons


# -- scale -------------------------------------------------------------------------------------------------------------


def test_a_reduced_scale_is_toy_whatever_it_shows(tmp_path: Path) -> None:
    assert judged(tmp_path, contract(), compared(n=99)).decision.reasons == ("supports", "below_scale")
    assert judged(tmp_path, contract(), compared(-1.0, n=99)).decision.reasons == ("contradicts", "below_scale")


def test_one_run_at_full_size_does_not_lift_the_small_ones(tmp_path: Path) -> None:
    lines = [*compared(n=50), *[line for line in compared() if "control" not in line[1]]]
    assert judged(tmp_path, contract(), lines).decision.reasons == ("supports", "below_scale")


def test_rows_that_do_not_say_their_size_are_toy(tmp_path: Path) -> None:
    lines = [(seed, setting.replace("n=100", ""), method, value) for seed, setting, method, value in compared()]
    assert judged(tmp_path, contract(), lines).decision.verdict == "toy"


def test_part_of_the_papers_grid_is_toy(tmp_path: Path) -> None:
    agreed = contract(grid={"n": ("100", "200")})
    assert judged(tmp_path, agreed, compared()).decision.reasons == ("supports", "grid_incomplete")


def test_fewer_seeds_than_agreed_settle_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path, contract(), compared(seeds=4)).decision.reasons == ("seeds_missing",)


def test_seeds_that_were_chosen_settle_nothing(tmp_path: Path) -> None:
    best = [(line[0] + (line[0] > 2) * 7, *line[1:]) for line in compared()]
    assert judged(tmp_path, contract(), best).decision.reasons == ("seeds_chosen",)


def test_rows_of_methods_that_the_rule_does_not_name_change_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path, contract(), [*compared(), (0, "n=1", "c", 3.0)]).decision.reasons == ("supports",)


def test_a_rule_for_one_value_of_the_grid_needs_only_that_value(tmp_path: Path) -> None:
    rule = {"type": "difference", "quantity": "v", "method": "a", "baseline": "b", "low": 0.5, "where": {"n": "100"}}
    agreed = contract(grid={"n": ("100", "200")}, accept=rule)
    lines = [line if "n=" in line[1] else (line[0], f"{line[1]};n=100", *line[2:]) for line in compared()]
    assert judged(tmp_path, agreed, lines).decision.verdict == "verified"


# -- the paper ---------------------------------------------------------------------------------------------------------


def test_where_the_paper_is_silent_nothing_is_falsified(tmp_path: Path) -> None:
    agreed = contract(silent=("the step size of b",))
    assert judged(tmp_path, agreed, compared(-1.0)).decision.verdict == "inconclusive"
    assert judged(tmp_path, agreed, compared()).decision.reasons == ("supports", "paper_silent")


def test_a_paper_that_contradicts_itself_is_contested(tmp_path: Path) -> None:
    found = Findings(checker="agrees", reviewer="clean", contradicted=True)
    assert judged(tmp_path, contract(), compared(), found).decision.verdict == "contested"


def test_two_claims_that_contradict_each_other_are_settled_where_the_rows_refute_just_one(tmp_path: Path) -> None:
    opposite = {"accept": contract().falsify, "falsify": contract().accept}
    pair = (contract(), contract(claim="C2", control={"what": "a and b exchange their places"}, **opposite))
    rows_of(tmp_path, compared(control=2.0))
    (tmp_path / "second.csv").write_text((tmp_path / "rows.csv").read_text().replace("\nC1,", "\nC2,"))
    rows_of(tmp_path, compared())
    rows = read_rows([tmp_path / "rows.csv", tmp_path / "second.csv"])

    def verdicts(first: dict[str, Any] | None = None, **second: Any) -> list[str]:
        base = {"checker": "agrees", "reviewer": "clean", "contradicted": True}
        found = {
            "C1": Findings.model_validate({**base, "against": ["C2"], **(first or {})}),
            "C2": Findings.model_validate({**base, "against": ["C1"], **second}),
        }
        return [row.decision.verdict for row in judge_claims(freeze(pair), rows, found)]

    assert verdicts() == ["verified", "falsified"]
    assert verdicts({"reviewer": "finding"}) == ["contested", "falsified"]
    assert verdicts(reviewer="absent") == ["contested", "contested"]
    assert verdicts(against=[]) == ["contested", "contested"]
