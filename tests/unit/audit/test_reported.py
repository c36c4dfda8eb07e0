"""What the audit of a run takes for a result of the paper, and what for a hyper-parameter."""

from __future__ import annotations

from pathlib import Path

from agentsys.audit.reported import reported_numbers
from agentsys.core.artifacts import ExpectedResult, FileSpec, PaperPlace, Plan, Requirement
from agentsys.plan.generated import generated_files
from agentsys_policies.engine import Policy
from unit.verify.tiny import PLACE, PLAN, write_repo

POLICY = Policy.load()
EXPECTED = tuple(
    ExpectedResult(id=f"E{n}", experiment="mean", metric=key, value=value, place=PLACE, result_key=key)
    for n, (key, value) in enumerate({"final": -3.848, "steps_needed": 458.0, "error": 19.14, "share": 0.62}.items(), 1)
)
METHOD = Requirement(
    id="R1",
    what="Mean with decay 0.9971",
    kind="algorithm",
    place=PaperPlace(section="1", quote="at most 458 steps"),
    owner="tiny/model.py",
)
SPEC = FileSpec(
    path="tiny/model.py",
    purpose="mean",
    requirements=("R1",),
    symbols={"R1": ("mean", "config:method", "config:deep.most")},
)


def planned(config: dict[str, object]) -> Plan:
    changed = {"expected": EXPECTED, "config_full": config, "config_smoke": config}
    return PLAN.model_copy(update={**changed, "requirements": (METHOD,), "files": (SPEC,)})


def allowed(tmp_path: Path, config: dict[str, object], **files: str) -> bool:
    plan = planned(config)
    write_repo(tmp_path, {**generated_files(plan), **{name.replace("__", "."): text for name, text in files.items()}})
    return POLICY.audit_code(tmp_path, reported=reported_numbers(plan)).allows


def test_settings_that_the_ledger_names_or_that_the_method_is_described_with_may_equal_a_result(tmp_path: Path) -> None:
    plan = planned({"method": {"most": 458, "rates": [0.5]}, "deep": {"most": 3, "other": 7}, "decay": 0.9971})
    assert reported_numbers(plan).settings == {458.0, 0.5, 3.0, 0.9971}
    assert allowed(tmp_path, {"method": {"most": 458}}, run__py="most = 458\n")


def test_results_in_the_planned_configuration_are_found(tmp_path: Path) -> None:
    assert not allowed(tmp_path, {"calibration": {"a": -3.848}})


def test_a_setting_under_the_key_of_a_result_is_none(tmp_path: Path) -> None:
    assert not allowed(tmp_path, {"method": {"steps_needed": 458}})


def test_two_results_among_the_settings_of_the_ledger_are_no_accident(tmp_path: Path) -> None:
    assert not allowed(tmp_path, {"method": {"most": 458, "decay": 19.14}})


def test_what_a_run_or_agentsys_wrote_is_left_out_and_no_program_reads_it(tmp_path: Path) -> None:
    shown = {"results/results.json": '{"final": -3.848}', "PAPER_MAP.md": "-3.848", "status.json": '{"paper": -3.848}'}
    write_repo(tmp_path, shown)
    assert allowed(tmp_path, {})
    write_repo(tmp_path, {"results/.kept": "-3.848"})
    assert not allowed(tmp_path, {})
