"""Runs that are killed after their first part, and go on or do not, told apart in a real sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.artifacts import Plan
from agentsys.verify.checks.base import Bench, Found
from agentsys.verify.checks.table import run_checks
from live.sandboxes import Place
from unit.verify.tiny import GREEN, PLAN, job, write_repo

pytestmark = pytest.mark.bwrap
RUN = '''\
import hashlib
import json
import time
from pathlib import Path

import yaml_free as config

PARTIAL = Path("results/partial.jsonl")


def finished(mark: str) -> dict[str, float]:
    """Read the parts that an earlier run has finished; a line that was cut off is left out."""
    found: dict[str, float] = {}
    for line in PARTIAL.read_text().splitlines() if PARTIAL.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["config"] == mark:
            found[row["part"]] = row["value"]
    return found


def main() -> None:
    PARTIAL.parent.mkdir(exist_ok=True)
    parts = config.parts()
    mark = hashlib.sha256(b"settings").hexdigest()
    known = finished(mark)
    for number, part in enumerate(parts):
        if part in known:
            continue
        time.sleep(0.3)
        known[part] = number + 1.25
        with PARTIAL.open("a") as file:
            file.write(json.dumps({"config": mark, "part": part, "value": known[part]}) + "\\n")
    data = {"mean": sum(known.values()) / len(known), "not_attempted": {"large": "needs the full data"}}
    Path("results/results.json").write_text(json.dumps(data))
    PARTIAL.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
'''
CONFIG = '''\
from pathlib import Path


def parts() -> list[str]:
    """Read the names below `parts` of the configuration."""
    lines = Path("configs/smoke.yaml").read_text().splitlines()
    return [line.removeprefix("- ") for line in lines if line.startswith("- ")]
'''
HONEST = {
    **GREEN,
    "requirements.txt": "",
    "tiny/run.py": RUN.replace("import yaml_free as config", "from tiny import config"),
    "tiny/config.py": CONFIG,
    "configs/smoke.yaml": "parts:\n- a\n- b\n- c\n- d\n",
}


def changed(old: str, new: str) -> dict[str, str]:
    assert old in HONEST["tiny/run.py"]
    return {**HONEST, "tiny/run.py": HONEST["tiny/run.py"].replace(old, new)}


LONG = PLAN.model_copy(
    update={"experiments": tuple(row.model_copy(update={"minutes": 600.0}) for row in PLAN.experiments)}
)


async def results(root: Path, files: dict[str, str], plan: Plan = PLAN) -> Found:
    async with Place("bwrap").open() as sandbox:
        bench = Bench(sandbox, job(write_repo(root / "repo", files), root / "rounds/01", plan=plan))
        return (await run_checks(bench, only=("install", "smoke", "results"))).found["results"]


async def test_a_run_that_takes_over_its_finished_parts_passes_and_the_note_says_what_was_seen(tmp_path: Path) -> None:
    found = await results(tmp_path, HONEST, LONG)
    assert found.check.state == "passed", found.diagnostics
    assert "parts it goes on to the same numbers, and finished parts not again" in found.check.note, found.check.note


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (changed("    known = finished(mark)\n", "    known = {}\n"), "it did 4 parts again"),
        (
            changed('found[row["part"]] = row["value"]', 'found[row["part"]] = 0.0'),
            "and was 2.75 in a run without a break",
        ),
        pytest.param(
            changed('row["config"] == mark', 'row["config"] == "x"'), "it did 4 parts again", marks=pytest.mark.slow
        ),
        pytest.param(
            changed("            found[row", "            row[row"), "it did 4 parts again", marks=pytest.mark.slow
        ),
        pytest.param(
            changed("        with PARTIAL.open", "        with Path(str(PARTIAL) + 'x').open"),
            "wrote no line of",
            marks=pytest.mark.slow,
        ),
        (changed("    known = finished(mark)\n", "    known = finished(mark)\n    assert not known\n"), "exit code 1"),
    ],
    ids=["ignored", "wrong", "hash", "unread", "elsewhere", "crash"],
)
async def test_a_run_that_loses_or_repeats_what_it_has_finished_is_told(
    tmp_path: Path, files: dict[str, str], why: str
) -> None:
    found = await results(tmp_path, files)
    said = "\n".join(item.message for item in found.diagnostics)
    assert found.check.state == "failed" and why in said, said


@pytest.mark.slow
async def test_a_part_that_is_left_out_leaves_no_key_without_a_number_or_a_reason(tmp_path: Path) -> None:
    files = changed(
        'data = {"mean": sum(known.values()) / len(known), "not', 'data = {"mean": known["a"] + known["d"], "not'
    )
    found = await results(tmp_path, files)
    assert "with `d` taken off `parts` in configs/smoke.yaml, the smoke profile ended with" in found.check.note
    told = {**files, "tiny/run.py": files["tiny/run.py"].replace('known["d"]', 'known.get("d", float("nan"))')}
    assert "`mean` is NaN" in (await results(tmp_path / "nan", told)).check.note


async def test_a_plan_of_hours_asks_for_it_and_one_that_says_nothing_does_not(tmp_path: Path) -> None:
    plain = {**GREEN, "requirements.txt": ""}
    found = await results(tmp_path / "long", plain, LONG)
    assert "takes about 600 minutes by the plan, and no code writes `results/partial.jsonl`" in found.check.note
    assert (await results(tmp_path / "short", plain)).check.state == "passed"
