"""Results that come from the method, and results that do not, told apart in a real sandbox. Nothing is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.artifacts import Plan
from agentsys.verify.checks.base import Bench
from agentsys.verify.checks.table import run_checks
from agentsys.verify.dependence.report import FILE, Dependence
from live.sandboxes import Place
from unit.verify.tiny import GREEN, PLAN, job, write_repo

ONLY = ("install", "smoke", "results", "dependence")
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
IGNORED = {**REPO, "tiny/run.py": GREEN["tiny/run.py"].replace("mean([1.0, 2.0])", "0 * mean([1.0, 2.0]) + 1.5")}
LINKED = {**REPO, "reproduce.sh": GREEN["reproduce.sh"] + "ln -s / results/all\n"}


async def seen(place: Place, root: Path, files: dict[str, str], plan: Plan = PLAN) -> tuple[dict[str, str], str]:
    async with place.open() as sandbox:
        bench = Bench(sandbox, job(write_repo(root / "repo", files), root / "rounds/01", plan=plan))
        checks = (await run_checks(bench, only=ONLY)).found
    said = "\n".join(item.message for found in checks.values() for item in found.diagnostics)
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
        (LINKED, "results", "`results/all`, a link"),
    ],
    ids=["constant", "shell", "swallowed", "ignored", "links"],
)
async def test_numbers_from_elsewhere_are_told(
    place: Place, tmp_path: Path, files: dict[str, str], check: str, why: str
) -> None:
    states, said = await seen(place, tmp_path, files)
    assert states[check] == "failed" and why in said, said
