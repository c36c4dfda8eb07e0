"""Results that come from the method, and results that do not, told apart in a real sandbox. Nothing is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.artifacts import FileSpec, Plan, Requirement
from agentsys.verify.checks.base import Bench
from agentsys.verify.checks.dependence import check_dependence
from agentsys.verify.checks.table import run_checks
from agentsys.verify.dependence.report import FILE, Dependence
from live.sandboxes import Place
from unit.verify.tiny import GREEN, PLACE, PLAN, job, write_repo

BEFORE = ("install", "smoke", "results")
ONLY = (*BEFORE, "dependence")
REPO = {**GREEN, "requirements.txt": ""}
CONSTANT = {**REPO, "tiny/run.py": GREEN["tiny/run.py"].replace("mean([1.0, 2.0])", "1.5")}
SHELL = {
    **REPO,
    "numbers.json": '{"mean": 1.5, "not_attempted": {"large": "no"}}',
    "reproduce.sh": "mkdir -p results\ncp numbers.json results/results.json\n",
}
SWALLOWED = {
    **REPO,
    "tiny/run.py": GREEN["tiny/run.py"]
    .replace("mean([1.0, 2.0])", "value")
    .replace(
        "    data =", "    try:\n        value = mean([])\n    except Exception:\n        value = 1.5\n    data ="
    ),
}
OWN_TEXT = {
    **REPO,
    "tiny/run.py": "import hashlib\nfrom tiny import model\n"
    + GREEN["tiny/run.py"]
    .replace("    data =", "    mean([1.0])\n    text = open(model.__file__, 'rb').read()\n    data =")
    .replace("mean([1.0, 2.0])", "int(hashlib.sha256(text).hexdigest()[:4], 16)"),
}
IGNORED = {**REPO, "tiny/run.py": GREEN["tiny/run.py"].replace("mean([1.0, 2.0])", "0 * mean([1.0, 2.0]) + 1.5")}
LINKED = {**REPO, "reproduce.sh": GREEN["reproduce.sh"] + "ln -s / results/all\n"}


async def seen(place: Place, root: Path, files: dict[str, str], plan: Plan = PLAN) -> tuple[dict[str, str], str]:
    async with place.open() as sandbox:
        bench = Bench(sandbox, job(write_repo(root / "repo", files), root / "rounds/01", plan=plan))
        ran = await run_checks(bench, only=BEFORE)
        checks = ran.found
        if ran.passed("results"):
            checks["dependence"] = await check_dependence(bench)
    rows = [item for found in checks.values() for item in found.diagnostics]
    said = "\n".join(f"{item.message}\n{item.detail}" for item in rows)
    return {name: found.check.state for name, found in checks.items()}, said


async def test_numbers_of_the_method_pass_and_the_record_says_what_moved_them(place: Place, tmp_path: Path) -> None:
    states, said = await seen(place, tmp_path, REPO)
    assert states == dict.fromkeys(ONLY, "passed"), said
    report = Dependence.model_validate_json((tmp_path / "rounds/01" / FILE).read_bytes())
    assert report.called == ("tiny/model.py:mean",) and [row.state for row in report.keys] == ["computed"]


@pytest.mark.parametrize(
    ("files", "check", "why"),
    [
        (CONSTANT, "dependence", "the run calls none of them"),
        (SHELL, "dependence", "ends well and writes the same `mean`"),
        (SWALLOWED, "dependence", "1 of them were called"),
        (IGNORED, "dependence", "is not computed by the method"),
        (
            OWN_TEXT,
            "dependence",
            "`mean`: other numbers where the files of the method hold further lines that do nothing",
        ),
        (LINKED, "results", "`results/all`, a link"),
    ],
    ids=["constant", "shell", "swallowed", "ignored", "own text", "links"],
)
async def test_numbers_from_elsewhere_are_told(
    any_place: Place, tmp_path: Path, files: dict[str, str], check: str, why: str
) -> None:
    states, said = await seen(any_place, tmp_path, files)
    assert states[check] == "failed" and why in said, said


TWO = PLAN.model_copy(
    update={
        "requirements": (
            Requirement(id="R1", what="the mean", kind="algorithm", place=PLACE, owner="tiny/model.py"),
            Requirement(id="R2", what="the sample", kind="model", place=PLACE, owner="tiny/model.py"),
        ),
        "files": (
            FileSpec(
                path="tiny/model.py",
                purpose="mean and sample",
                requirements=("R1", "R2"),
                symbols={"R1": ("mean",), "R2": ("sample",)},
            ),
            PLAN.files[1],
        ),
    }
)
SAMPLE = (
    GREEN["tiny/model.py"] + "\n\ndef sample(n: int) -> list[float]:\n    return [1.25 + k / 4 for k in range(n)]\n"
)


def measuring(value: str, health: str = "[]") -> dict[str, str]:
    """A repository whose run draws a sample, takes its mean, and writes `value` and its signs of health."""
    run = GREEN["tiny/run.py"].replace("import mean", "import mean, sample")
    run = run.replace("    data =", "    drawn = sample(2)\n    middle = mean(drawn)\n    data =")
    run = run.replace("mean([1.0, 2.0])", f'{value}, "health": {health}')
    return {**REPO, "tiny/model.py": SAMPLE.replace("1.25 + k / 4", "1.4 + k / 5"), "tiny/run.py": run}


def sign(end: str) -> str:
    words = '"experiment": "mean", "quantity": "size", "better": "lower"'
    return f'[{{{words}, "start": drawn[1], "end": {end}}}]'


@pytest.mark.parametrize(
    ("value", "health", "why"),
    [
        ("middle", sign("middle"), ""),
        ("sum(drawn) / 2", "[]", "nothing that is measured rests on R1 (the mean)"),
        ("1.4985 + 0.001 * middle", "[]", "hardly moves with the method"),
        ("middle", sign("min(middle, drawn[1]) - abs(middle) - 1"), "holds whatever the method returns"),
        ("middle / drawn[1]", sign("drawn[1] - abs(middle) - 1"), "holds whatever the method returns"),
    ],
    ids=["honest", "another way", "a trace", "health by subtraction", "where nothing fails"],
)
async def test_what_is_measured_rests_on_each_part_of_the_method_and_moves_with_it_as_far(
    any_place: Place, tmp_path: Path, value: str, health: str, why: str
) -> None:
    states, said = await seen(any_place, tmp_path, measuring(value, health), TWO)
    assert (states["dependence"] == "passed") is (not why) and why in said, said
    assert "tiny/model.py:mean: changed" in said or not why.startswith(("hardly", "holds")), said
