"""Results come from the method: which functions carry it, and what the runs of its variants say about each number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import Diagnostic, ExpectedResult, FileSpec, Plan, Requirement
from agentsys.plan.answers import EvaluationAnswer
from agentsys.plan.rules import evaluation_problems
from agentsys.verify.dependence.functions import measuring, method_functions
from agentsys.verify.dependence.report import FILE, Dependence
from agentsys.verify.dependence.scale import is_paper_scale, is_time, missed
from agentsys.verify.run import verify
from agentsys_sandbox.base import REPO
from agentsys_sandbox.fake import Call, Files, failed, passed
from agentsys_sandbox.spec import ExecResult
from unit.verify.scripted import RESULTS, Twist, scripted
from unit.verify.test_run import AUDIT
from unit.verify.tiny import GREEN, PLACE, PLAN, job, write_repo

CORE = """\
class Model:
    def __init__(self): self.w = 0.0
    def forward(self, x): return self.w * x
    def fit(self, x): self.w = x
    def again(self): return self
def loss(a, b): return a - b
def accuracy(a): return {"accuracy": a}
def unused(): pass
def load(path): return yaml.safe_load(path)
"""
RUN = "def build(c):\n    return {'accuracy': 1.0, 'health': []}\ndef sweep(m): return [m]\ndef main(): pass\n"
FILES = {"pkg/core.py": CORE.encode(), "pkg/run.py": RUN.encode(), "tests/test_core.py": b"def test(): pass\n"}


def plan_of(core: dict[str, tuple[str, ...]], run: dict[str, tuple[str, ...]], **more: Any) -> Plan:
    rows = [Requirement(id=rid, what="w", place=PLACE, owner="pkg/core.py") for rid in (*core, *run)]
    specs = (
        FileSpec(path="pkg/core.py", purpose="p", requirements=tuple(core), symbols=core),
        FileSpec(path="pkg/run.py", purpose="p", requirements=tuple(run), symbols=run, depends_on=("pkg/core.py",)),
        FileSpec(path="tests/test_core.py", kind="test", purpose="p", symbols={"R1": ("test",)}),
    )
    expected = (ExpectedResult(id="E1", experiment="mean", metric="m", value=1, place=PLACE, result_key="accuracy"),)
    return PLAN.model_copy(update={"requirements": tuple(rows), "files": specs, "expected": expected, **more})


def test_functions_are_those_that_requirements_name_without_what_reads_settings_or_writes_results() -> None:
    plan = plan_of(
        {"R1": ("Model", "loss", "config:d"), "R2": ("load", "accuracy", "unused")}, {"R3": ("build", "sweep", "main")}
    )
    found = method_functions(plan, FILES)
    assert {(item.name, item.alters) for item in found.base} == {
        ("Model.forward", False),
        ("Model.fit", True),
        ("Model.again", True),
        ("loss", False),
    }
    assert [item.name for item in found.upper] == ["sweep"]
    assert "Model.__init__" in [item.name for item in found.others]


def test_where_nothing_is_named_the_owners_public_functions_count() -> None:
    names = {item.name for item in method_functions(plan_of({"R1": ()}, {}), FILES).named}
    assert names == {"Model.forward", "Model.fit", "Model.again", "loss"}


def test_where_only_what_writes_results_is_named_the_public_functions_of_the_method_count() -> None:
    found = method_functions(plan_of({"R1": ("accuracy",)}, {"R2": ("build",)}), FILES)
    assert "loss" in {item.name for item in found.named} and "build" not in {item.name for item in found.named}


def test_what_the_plan_names_for_a_result_is_known_whatever_kind_its_requirement_is_of() -> None:
    plan = plan_of({"R1": ("Model", "loss"), "R2": ("loss",)}, {"R2": ("sweep", "result:accuracy"), "R3": ("build",)})
    named = method_functions(plan, FILES).named
    assert [item.name for item in measuring(plan, FILES, named, ["accuracy"])] == ["loss", "sweep"]
    assert measuring(plan, FILES, named, ["other"]) == ()


def writes(
    raise_: object = None,
    perturb: object = None,
    seed: object = None,
    arguments: object = None,
    scaled: Mapping[int, object] | None = None,
    watched: object = None,
    longer: object = None,
) -> Twist:
    """Results of each variant; an exit code stands for a run that fails with it."""
    scale = scaled or {}

    def twist(call: Call, files: Files) -> ExecResult | None:
        text = files.get(f"{REPO}/tiny/model.py", b"") + files.get(f"{REPO}/tiny/run.py", b"")
        marks = (
            ("'raise', ", raise_),
            ("'perturb', ", perturb),
            ("'arguments', ", arguments or perturb),
            ("_agentsys_seed(3", seed),
            ("'watch', ", watched),
            ("'scale', 1000000.0", scale.get(1)),
            ("'scale', -1000000.0", scale.get(-1)),
            ("'scale', 0.0", scale.get(0)),
        )
        for mark, answer in marks:
            if mark.encode() in text and answer is not None:
                files.pop(RESULTS, None)
                if isinstance(answer, int):
                    return failed(b"Traceback", answer)
                files[RESULTS] = json.dumps(answer).encode()
                return passed(b"done")
        if longer is not None and b"_agentsys_" in text and b"@_agentsys_wrap(" not in text:
            return failed(b"Traceback") if isinstance(longer, int) else _write(files, longer)
        return None

    return twist


def _write(files: Files, data: object) -> ExecResult:
    files[RESULTS] = json.dumps(data).encode()
    return passed(b"done")


def told(mean: float, **more: object) -> dict[str, object]:
    return {"mean": mean, "not_attempted": {"large": "needs the full data"}, **more}


async def judged(
    root: Path, twist: Twist, files: dict[str, str] | None = None, **changes: Any
) -> tuple[list[Diagnostic], Dependence]:
    repo, out = write_repo(root / "repo", {**GREEN, **(files or {})}), root / "rounds/01"
    verdict = await verify(job(repo, out, **changes), lambda: scripted({"variant": twist}), AUDIT)
    check = next(check for check in verdict.checks if check.name == "dependence")
    assert (check.state == "passed") is verdict.passed is (not verdict.diagnostics)
    return list(verdict.diagnostics), Dependence.model_validate_json((out / FILE).read_bytes())


async def test_a_number_that_fails_and_moves_with_the_method_is_computed(tmp_path: Path) -> None:
    found, report = await judged(tmp_path, writes(1, told(1.6)))
    assert not found and [(row.key, row.state) for row in report.keys] == [("mean", "computed")]
    assert [run.ended for run in report.runs] == ["nonzero", "ok", "ok"]


async def test_a_number_that_stays_when_the_method_changes_is_not_computed_by_it(tmp_path: Path) -> None:
    (fault,), report = await judged(tmp_path, writes(1, told(1.5)))
    assert (fault.kind, fault.check, fault.symbol) == ("result", "dependence", "mean")
    assert "`mean` = 1.5 is not computed by the method" in fault.message and "compute it in the run" in fault.message
    assert report.keys[0].state == "not_computed"


def perturbed(answers: Mapping[str, object]) -> Twist:
    """Results by what stands in the changed files; an exit code stands for a run that fails."""

    def twist(call: Call, files: Files) -> ExecResult | None:
        text = (files.get(f"{REPO}/tiny/model.py", b"") + files.get(f"{REPO}/tiny/run.py", b"")).decode()
        for mark, answer in answers.items():
            if mark in text:
                files.pop(RESULTS, None)
                return failed(b"Traceback", answer) if isinstance(answer, int) else _write(files, answer)
        return None

    return twist


async def test_where_a_changed_method_ends_the_run_a_fainter_change_shows_what_moves_with_it(tmp_path: Path) -> None:
    faint = {"'raise', ": 1, "'perturb', 0.03": 1, "'perturb', 0.3": 1, "'perturb', 0.001": told(1.6)}
    found, report = await judged(tmp_path, perturbed(faint))
    assert not found and report.keys[0].moved_by == ("all, faintly",)


async def test_a_trace_of_the_method_in_a_faint_change_does_not_make_a_number_its_own(tmp_path: Path) -> None:
    faint = {"'raise', ": 1, "'perturb', 0.03": 1, "'perturb', 0.3": 1, "'perturb', 0.001": told(1.5 * 1.0001)}
    (fault,), _ = await judged(tmp_path, perturbed(faint | {"'arguments', ": told(1.5)}))
    assert "`mean` = 1.5 hardly moves with the method" in fault.message


async def test_what_stays_the_same_in_a_faint_change_of_all_is_not_computed_by_the_method(tmp_path: Path) -> None:
    faint = {"'raise', ": 1, "'perturb', 0.03": 1, "'perturb', 0.3": 1, "'perturb', 0.001": told(1.5)}
    faint |= {"'arguments', ": told(1.5)}
    (fault,), _ = await judged(tmp_path, perturbed(faint))
    assert "is not computed by the method: it stays the same" in fault.message
    assert fault.detail.splitlines()[1].startswith("all, slightly (3 %): nonzero, ")


async def test_a_number_that_moves_with_arguments_alone_counts_unless_it_is_a_copy_of_a_setting(tmp_path: Path) -> None:
    found, report = await judged(tmp_path / "a", writes(1, told(1.5), arguments=told(1.6)))
    assert not found and report.keys[0].moved_by == ("all arguments, strongly",)
    copied = PLAN.model_copy(update={"config_smoke": {"table": {"mean": 1.5}}})
    (fault,), _ = await judged(tmp_path / "b", writes(1, told(1.5), arguments=told(1.6)), plan=copied)
    assert "`mean` = 1.5 is not computed by the method" in fault.message


async def test_a_run_that_writes_the_same_though_everything_fails_has_swallowed_it(tmp_path: Path) -> None:
    (fault,), report = await judged(tmp_path, writes(told(1.5), told(1.6)))
    assert "ends well and writes the same `mean` though all functions of the method fail" in fault.message
    assert len(report.runs) == 1


async def test_a_run_that_says_what_failed_may_end_well(tmp_path: Path) -> None:
    lost = {"not_attempted": {"mean": "failed", "large": "no"}, "other": 1}
    found, _ = await judged(tmp_path, writes(lost, told(1.6)))
    assert not found


async def test_health_that_holds_where_everything_fails_cannot_fail(tmp_path: Path) -> None:
    row = {"experiment": "mean", "quantity": "loss", "start": 2.0, "end": 1.0, "better": "lower"}
    (fault,), _ = await judged(tmp_path, writes(told(0.0, health=[row]), told(1.6)))
    assert fault.kind == "health" and "cannot fail" in fault.message


async def test_a_number_counts_where_every_change_ends_the_run_and_the_method_was_called(tmp_path: Path) -> None:
    def twist(call: Call, files: Files) -> ExecResult | None:
        text = files.get(f"{REPO}/tiny/model.py", b"").decode()
        if "@_agentsys_wrap(" not in text:
            return None
        log = text.partition("@_agentsys_wrap(")[2].partition(")")[0].split(", ")[3].strip("'")
        files[log] = b"tiny/model.py:mean\n"
        return failed(b"Traceback")

    found, report = await judged(tmp_path / "a", twist)
    assert not found and report.keys[0].state == "fails" and report.called == ("tiny/model.py:mean",)
    found, report = await judged(tmp_path / "b", writes(1, 1))
    assert [item.symbol for item in found] == ["mean"] and report.called == ()


def spread(value: float, *, above: float = -1.0) -> dict[str, object]:
    return told(1.6, health=[{"experiment": "mean", "quantity": "spread", "value": value, "above": above}])


async def signs(root: Path, above: float, scaled: dict[int, object]) -> list[Diagnostic]:
    measured = {RESULTS: json.dumps({**spread(0.2, above=above), "mean": 1.5}).encode()}
    twist = writes(1, spread(0.21, above=above), scaled=scaled)

    def first(call: Call, files: Files) -> ExecResult:
        return twist(call, files) or (files.update(measured), passed())[1]

    found, _ = await judged(root, first)
    return found


async def test_a_bound_that_holds_whatever_the_method_returns_is_no_sign_of_health(tmp_path: Path) -> None:
    (fault,) = await signs(tmp_path / "a", -1.0, {1: spread(2e5), -1: spread(2e5), 0: spread(0.0)})
    assert fault.kind == "health" and "`mean: spread is 0.2, must lie above -1` holds whatever" in fault.message
    assert fault.detail == "tiny/model.py:mean: not called by the run", "it says whose values were changed"
    below = spread(-2e5, above=0.1)
    assert await signs(tmp_path / "b", 0.1, {1: spread(2e5, above=0.1), -1: below}) == []


async def test_a_bound_is_not_judged_by_runs_that_end_early(tmp_path: Path) -> None:
    assert await signs(tmp_path, -1.0, {1: spread(2e5), -1: 1, 0: 1}) == []


async def test_a_number_that_moves_with_the_text_of_the_code_is_not_the_methods(tmp_path: Path) -> None:
    (fault,), report = await judged(tmp_path, writes(1, told(1.6), watched=told(1.7)))
    assert "`mean`: other numbers where the files of the method hold further lines that do nothing" in fault.message
    assert report.keys[0].state == "computed" and set(report.runs[-1].functions.values()) == {"watch"}


async def test_a_run_that_ends_where_its_text_is_another_asks_for_it(tmp_path: Path) -> None:
    twist = writes(1, 1, watched=1, longer=1)
    found, _ = await judged(tmp_path / "a", twist)
    assert "does not end well (nonzero) where the files of the method hold further lines" in found[0].message
    found, report = await judged(tmp_path / "b", writes(1, told(1.6), watched=1))
    assert not found and [set(run.functions.values()) for run in report.runs[2:4]] == [{"watch"}, {"text"}]
    (fault,), _ = await judged(tmp_path / "c", writes(1, told(1.6), watched=1, longer=told(1.7)))
    assert fault.symbol == "text"


SEEDED = {"tiny/run.py": "import random\nrandom.seed(3)\n" + GREEN["tiny/run.py"]}


async def test_another_seed_must_measure_the_same_things(tmp_path: Path) -> None:
    found, report = await judged(tmp_path / "a", writes(1, told(1.6), told(1.7)), SEEDED)
    assert not found and report.keys[0].random and report.keys[0].other_seed == 1.7
    lost = {"not_attempted": {"mean": "why", "large": "no"}, "other": 1}
    (fault,), _ = await judged(tmp_path / "b", writes(1, told(1.6), lost), SEEDED)
    assert "with another seed the run does not give `mean`" in fault.message
    (fault,), _ = await judged(tmp_path / "c", writes(1, told(1.6), 1), SEEDED)
    assert "with another seed `reproduce.sh` does not end well" in fault.message


CONFIGURED = {**SEEDED, "configs/smoke.yaml": "seed: 1\n"}


async def test_random_numbers_that_the_configured_seed_does_not_move_are_seeded_elsewhere(tmp_path: Path) -> None:
    (fault,), _ = await judged(tmp_path / "a", writes(1, told(1.6), told(1.7)), CONFIGURED)
    assert "`mean` rest on random numbers, and no number moves with the seed of the configuration" in fault.message
    found, report = await judged(tmp_path / "b", writes(1, told(1.6), told(1.5)), CONFIGURED)
    assert not found and not report.keys[0].random

    def moves(call: Call, files: Files) -> ExecResult | None:
        if b"7920" not in files.get(f"{REPO}/configs/smoke.yaml", b""):
            return writes(1, told(1.6), 1)(call, files)
        files[RESULTS] = json.dumps(told(1.7)).encode()
        return passed()

    found, report = await judged(tmp_path / "c", moves, CONFIGURED)
    assert not found and report.keys[0].random and report.keys[0].other_seed == 1.7


SCALE = PLAN.model_copy(update={"config_full": {"d": 4, "scale": "x"}, "config_smoke": {"d": 4, "scale": "y"}})
OFF = SCALE.model_copy(update={"expected": (SCALE.expected[0].model_copy(update={"value": 1.6}), SCALE.expected[1])})


async def test_at_the_papers_scale_a_number_without_chance_is_the_papers(tmp_path: Path) -> None:
    found, report = await judged(tmp_path / "a", writes(1, told(1.8)), plan=SCALE)
    assert not found and report.paper_scale
    (fault,), _ = await judged(tmp_path / "b", writes(1, told(1.8)), plan=OFF)
    assert "`mean` is 1.5 and the paper says 1.6" in fault.message and "step by step" in fault.message
    found, _ = await judged(tmp_path / "c", writes(1, told(1.8), told(1.4)), SEEDED, plan=OFF)
    assert not found
    smaller = OFF.model_copy(update={"config_smoke": {"d": 2, "scale": "y"}})
    found, _ = await judged(tmp_path / "d", writes(1, told(1.8)), plan=smaller)
    assert not found


def row(value: float, **changes: Any) -> ExpectedResult:
    return PLAN.expected[0].model_copy(update={"value": value, **changes})


@pytest.mark.parametrize(
    ("item", "measured", "apart"),
    [
        (row(100.0), 101.9, 0.019),
        (row(100.0), 103.0, 0.03),
        (row(62), 66, 0.0645),
        (row(0.2305), 0.23054, 0.0),
        (row(-3.848, unit="log10"), -3.8484, 0.0),
        (row(-9.412, unit="log10"), -9.44, 0.0624),
        (row(-9.412, metric="final log10 objective"), -9.0, 1.582),
        (row(-0.9, unit="log10"), -0.86, 0.0),
        (row(1.2e-5), 1.24e-5, 0.0),
        (row(0.0), 0.4, 0.0),
        (row(0.0), 0.6, 0.6),
    ],
)
def test_what_rounding_hides_is_no_difference_and_logarithms_are_taken_on_the_quantity(
    item: ExpectedResult, measured: float, apart: float
) -> None:
    assert missed(item, measured) == pytest.approx(apart, abs=1e-3)


def test_settings_in_the_repository_decide_on_the_scale_and_words_do_not() -> None:
    assert is_paper_scale(SCALE, {}, "smoke") and not is_paper_scale(PLAN, {}, "smoke")
    assert not is_paper_scale(SCALE, {"configs/smoke.yaml": b"d: 2\nscale: x\n"}, "smoke")
    assert is_paper_scale(SCALE, {"configs/smoke.yaml": b"d: [1\n"}, "smoke")


@pytest.mark.parametrize(("unit", "clock"), [("s", True), ("images/s", True), ("ms", True), ("%", False), ("", False)])
def test_what_a_clock_measured_is_known_by_its_unit(unit: str, clock: bool) -> None:
    assert is_time(row(1.0, unit=unit)) is clock


async def replayed(root: Path, first: dict[str, object], again: dict[str, object]) -> list[Diagnostic]:
    repo, earlier = write_repo(root / "repo", GREEN), root / "rounds/01"
    earlier.mkdir(parents=True)
    (earlier / "results.json").write_text(json.dumps(first))
    (earlier / FILE).write_text(Dependence(functions=()).model_dump_json())

    def twist(call: Call, files: Files) -> ExecResult:
        assert call.cwd != REPO and call.env["HOME"] != "/tmp" and f"{call.cwd}/reproduce.sh" in files
        files[f"{call.cwd}/results/results.json"] = json.dumps(again).encode()
        return passed()

    work = job(repo, root / "rounds/replay", earlier=earlier)
    verdict = await verify(work, lambda: scripted({"smoke": twist}), AUDIT)
    assert verdict.passed is (not verdict.diagnostics)
    return list(verdict.diagnostics)


async def test_a_replay_must_give_the_numbers_of_the_run_before_it(tmp_path: Path) -> None:
    assert await replayed(tmp_path / "a", told(1.5), told(1.5 + 1e-9)) == []
    (fault,) = await replayed(tmp_path / "b", told(1.5), told(1.5001))
    assert "`mean` is 1.5001 in the replay and was 1.5 before" in fault.message
    (fault,) = await replayed(tmp_path / "c", told(1.5), {"not_attempted": {"mean": "x", "large": "y"}, "other": 1})
    assert "`mean` is absent in the replay" in fault.message


@pytest.mark.parametrize(
    ("health", "accepted"),
    [
        ("the loss falls", True),
        ("accuracy above 50 %", True),
        ("best G_20 lies below that of L-SVRG", True),
        ("", True),
        ("the run ends", False),
        ("all numbers are finite", False),
        ("the objective lies between -1e9 and 1e9", False),
    ],
)
def test_a_plan_whose_health_could_not_fail_is_refused(health: str, accepted: bool) -> None:
    experiment = PLAN.experiments[0].model_copy(update={"health": health})
    answer = EvaluationAnswer(summary="s", experiments=(experiment,), expected=PLAN.expected)
    assert (evaluation_problems(answer) == []) is accepted
