"""What the rows of `health` must show before a run counts, and what a wrong row is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.artifacts import Diagnostic, Experiment, FileSpec, Plan
from agentsys.verify.health import Health, judge_health
from agentsys.verify.logs.diagnostics import ORDER
from agentsys.verify.results_file import parse_results
from agentsys_sandbox.fake import Call, Files, passed
from agentsys_sandbox.spec import ExecResult
from unit.verify.scripted import RESULTS, Twist
from unit.verify.test_run import Bed
from unit.verify.tiny import PLAN

LOSS = {"experiment": "mean", "quantity": "training loss", "start": 0.7, "end": 0.3, "better": "lower"}
ACCURACY = {"experiment": "mean", "quantity": "accuracy", "value": 0.8, "above": 0.5, "note": "chance"}
GAP = {"experiment": "mean", "quantity": "gap", "values": [0.5, 0.6, 0.2], "better": "lower"}
ASKING = PLAN.model_copy(
    update={"experiments": (Experiment(name="mean", what="a mean", full="f", smoke="s", health="the loss falls"),)}
)


def judged(rows: object, plan: Plan = PLAN, **more: object) -> Health:
    raw = json.dumps({"mean": 1.5, "not_attempted": {"large": "no data"}, "health": rows, **more})
    return judge_health(parse_results(raw.encode()), plan)


@pytest.mark.parametrize(
    "row",
    [
        LOSS,
        LOSS | {"start": 0.1, "end": 0.9, "better": "higher"},
        LOSS | {"start": 0, "end": 1e-12, "better": "higher"},
        ACCURACY,
        ACCURACY | {"above": 0.1, "below": 0.9},
        ACCURACY | {"value": -2, "above": -3},
        GAP,
        GAP | {"values": [1, 2], "better": "higher", "unit": "nats"},
    ],
)
def test_a_row_that_moved_or_beats_its_bound_holds(row: dict[str, object]) -> None:
    health = judged([row], ASKING)
    assert len(health.signs) == 1 and health.faults == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (LOSS | {"end": 0.7}, "mean: training loss from 0.7 to 0.7: it did not move"),
        (LOSS | {"end": 0.7 * (1 - 1e-7)}, "mean: training loss from 0.7 to 0.7: it did not move beyond rounding"),
        (LOSS | {"end": 0.9}, "mean: training loss from 0.7 to 0.9: it got worse, lower is better"),
        (LOSS | {"better": "higher"}, "mean: training loss from 0.7 to 0.3: it got worse, higher is better"),
        (LOSS | {"end": float("nan")}, "mean: training loss from 0.7 to NaN: not finite"),
        (LOSS | {"start": float("inf")}, "mean: training loss from Infinity to 0.3: not finite"),
        (ACCURACY | {"value": 0.5}, "mean: accuracy is 0.5, must lie above 0.5 (chance): not better than chance"),
        (ACCURACY | {"below": 0.7}, "mean: accuracy is 0.8, must lie above 0.5 and below 0.7"),
        (ACCURACY | {"value": float("nan")}, "mean: accuracy is NaN"),
        (ACCURACY | {"above": float("-inf")}, "not finite"),
        (GAP | {"values": [0.5, 0.5, 0.5]}, "mean: gap over 3 values from 0.5 to 0.5: constant"),
        (GAP | {"values": [0.5, 0.2, 0.5]}, "mean: gap over 3 values from 0.5 to 0.5: it did not move"),
        (GAP | {"values": [0.5, 0.2, 0.6]}, "mean: gap over 3 values from 0.5 to 0.6: it got worse"),
        (GAP | {"values": [0.5, float("nan"), 0.1]}, "value 2 is NaN, not finite"),
    ],
)
def test_a_row_that_stalled_is_no_better_than_chance_or_is_not_finite_is_a_fault(
    row: dict[str, object], said: str
) -> None:
    (fault,) = judged([row]).faults
    assert said in fault.fault and "a row is" not in fault.fault


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"experiment": "mean"}, "`health` is no list"),
        (["better"], "`health[0]` is no object"),
        ([LOSS | {"experiment": "men"}], "names no experiment of the plan; they are `mean`"),
        ([LOSS | {"quantity": " "}], "names no `quantity`"),
        ([{"experiment": "mean", "quantity": "q"}], "neither `start`, `value` nor `values`"),
        ([LOSS | {"value": 1}], "has `start` and `value`"),
        ([LOSS | {"end": None}], "`end` is None, no number"),
        ([LOSS | {"start": "0.7"}], "`start` is '0.7', no number"),
        ([LOSS | {"end": True}], "`end` is True, no number"),
        ([{key: LOSS[key] for key in LOSS if key != "end"}], "`end` is missing"),
        ([LOSS | {"better": "less"}], "`better` is not `lower` or `higher`"),
        ([LOSS | {"better": ["lower"]}], "`better` is not `lower` or `higher`"),
        ([{key: ACCURACY[key] for key in ACCURACY if key != "above"}], "needs a bound, `above` or `below`"),
        ([GAP | {"values": [1]}], "no list of 2 to"),
        ([GAP | {"values": 3}], "no list of 2 to"),
        ([GAP | {"values": [1, [2]]}], "`values` is [2], no number"),
    ],
)
def test_a_row_of_another_form_is_told_the_right_one(rows: object, said: str) -> None:
    (fault,) = judged(rows).faults
    assert said in fault.fault
    assert "they are `mean`" in said or '"better": "lower" or "higher"' in fault.fault


def test_a_flood_of_rows_is_a_fault_and_not_read_to_its_end() -> None:
    health = judged([LOSS] * 600)
    assert len(health.signs) == 501 and "at most 500" in health.faults[0].fault


def test_an_experiment_without_a_row_is_a_fault_where_the_plan_asks_for_health() -> None:
    (fault,) = judged([], ASKING).faults
    assert "experiment `mean` shows no sign of health" in fault.fault and '"start": NUMBER' in fault.fault
    assert judged([]).faults == [], "plans made before health was asked for"


def test_a_row_for_one_experiment_is_none_for_another() -> None:
    other = Experiment(name="other", what="w", full="f", smoke="s")
    plan = ASKING.model_copy(update={"experiments": (*ASKING.experiments, other)})
    assert [fault.experiment for fault in judged([LOSS], plan).faults] == ["other"]
    assert judged([LOSS], plan, not_attempted={"large": "no data", "other": "needs a GPU"}).faults == []


def test_an_experiment_that_was_not_attempted_at_all_needs_no_row() -> None:
    reasons = {"mean": "no data", "large": "no data"}
    raw = json.dumps({"not_attempted": reasons, "details": {"x": 1}}).encode()
    assert judge_health(parse_results(raw), ASKING).missing == ()
    half = json.dumps({"mean": 1.5, "not_attempted": {"large": "no data"}}).encode()
    assert judge_health(parse_results(half), ASKING).missing == ("mean",)


def test_results_that_agree_in_every_digit_are_noted_but_no_fault() -> None:
    raw = json.dumps({"mean": 1.5, "large": 1.5}).encode()
    health = judge_health(parse_results(raw), PLAN)
    assert health.faults == [] and health.notes == ("mean: `large`, `mean` are equal in every digit (1.5)",)
    assert judge_health(parse_results(b'{"mean": 1.5, "large": 1.50001}'), PLAN).notes == ()


def test_numbers_of_health_count_as_no_measured_result() -> None:
    assert parse_results(json.dumps({"health": [LOSS, GAP]}).encode()).numbers() == 0


def test_health_has_its_place_among_the_root_causes() -> None:
    assert ORDER.index("result") < ORDER.index("health") < ORDER.index("audit")
    assert "fidelity" in ORDER


# -- in the check ------------------------------------------------------------------------------------------------------


def writes(data: dict[str, object]) -> Twist:
    def twist(call: Call, files: Files) -> ExecResult:
        files[RESULTS] = json.dumps({"mean": 1.5, "not_attempted": {"large": "no data"}, **data}).encode()
        return passed()

    return twist


async def test_a_stalled_run_fails_the_results_check_and_leaves_no_results(tmp_path: Path) -> None:
    bed = Bed(tmp_path)
    verdict = await bed.twisted(smoke=writes({"health": [LOSS | {"end": 0.7}, ACCURACY]}))
    check = next(check for check in verdict.checks if check.name == "results")
    (found,) = verdict.diagnostics
    assert check.state == "failed" and "did not move" in check.note
    assert (found.kind, found.check, found.symbol) == ("health", "results", "mean: training loss")
    log = (bed.out / "health.log").read_text()
    assert "FAULT  mean: training loss from 0.7 to 0.7" in log and "holds  mean: accuracy" in log
    assert not (bed.repo / "results").exists()


async def test_a_healthy_run_passes_and_says_what_held(tmp_path: Path) -> None:
    verdict = await Bed(tmp_path).twisted(smoke=writes({"health": [LOSS, ACCURACY, GAP]}))
    check = next(check for check in verdict.checks if check.name == "results")
    assert verdict.passed and "3 health checks hold" in check.note


async def test_a_number_that_is_not_finite_is_named_with_its_place(tmp_path: Path) -> None:
    verdict = await Bed(tmp_path).twisted(smoke=writes({"details": {"loss": [1.0, float("nan")]}}))
    (found,) = verdict.diagnostics
    assert found.kind == "result" and "`details.loss[1]` is NaN" in found.message


async def test_a_fault_of_health_points_at_the_file_that_measures_the_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = FileSpec(path="tiny/run.py", purpose="runs it", symbols={"R1": ("result:mean",)})
    plan = ASKING.model_copy(update={"files": (*PLAN.files, carrier)})
    monkeypatch.setattr("unit.verify.tiny.PLAN", plan)
    verdict = await Bed(tmp_path).twisted()
    found: Diagnostic = verdict.diagnostics[0]
    assert (found.kind, found.path) == ("health", "tiny/run.py") and "`mean` shows no sign" in found.message
