"""Repositories are measured for real: installed from the index, imported, type-checked, tested, planted with faults."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from agentsys.core.events import EventLog
from agentsys.core.settings import Settings
from agentsys.llm.factory import build_model
from agentsys.paper import read_paper
from agentsys.report.evaluate.execution import execute
from agentsys.report.evaluate.measure import measure
from agentsys.report.evaluate.parts import Measured, Part
from agentsys.report.evaluate.rubric import read_rubric
from agentsys.report.evaluate.run import Order, evaluate
from agentsys.report.evaluate.subject import read_subject
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import Limits, SandboxSpec
from integration.judge_endpoint import judging, reader
from live.sandboxes import Place
from unit.evaluate.four import FOUR, MEAN, TESTS, WORKING, write, write_all

pytestmark = [pytest.mark.index, pytest.mark.slow]


def factory(place: Place) -> Callable[[], Sandbox]:
    spec = SandboxSpec(run=place.run, limits=Limits(memory=2 << 30, ttl=600.0), allow_weak=place.backend == "bwrap")
    return lambda: open_sandbox(spec, place.backend)


async def measured(place: Place, root: Path, files: dict[str, str], mutants: int = 0) -> Measured:
    subject = read_subject(write(root / "repo", files))
    return await measure(subject, factory(place), out=root / "logs", timeout=120.0, mutants=mutants)


def part(found: Measured, name: str) -> Part:
    return next(item for item in found.parts if item.name == name)


async def test_measure_ranks_empty_promised_broken_working(place: Place, tmp_path: Path) -> None:
    found = [await measured(place, tmp_path / name, files, mutants=6) for name, files in FOUR.items()]
    totals = [item.total for item in found]
    assert all(low < high for low, high in pairwise(totals)), totals
    stub, broken, working = found[1:]
    # Empty functions install, import and pass a hollow test; none of it counts.
    assert [part(stub, name).value for name in ("stubs", "installs", "imports", "tests")] == [0.0, 1.0, 1.0, 1.0]
    assert part(stub, "coverage").value == 0.0
    assert part(broken, "imports").value == 0.75
    assert part(broken, "tests").value == 0.0
    assert [part(working, name).value for name in ("installs", "imports", "types", "tests")] == [1.0] * 4
    assert part(working, "coverage").value == pytest.approx(2 / 3)
    assert 0 < (part(working, "mutation").value or 0) <= 1
    assert working.weight_measured == 100


async def test_missing_requirements_are_said_and_the_rest_is_measured(place: Place, tmp_path: Path) -> None:
    files = {path: text for path, text in WORKING.items() if path != "requirements.txt"}
    plain = await measured(place, tmp_path / "plain", files)
    assert part(plain, "installs").value == 1.0
    assert "standard library alone" in part(plain, "installs").note
    assert part(plain, "tests").value == 1.0
    needy = await measured(place, tmp_path / "needy", files | {"means/core.py": "import numpy as np\n" + MEAN})
    assert part(needy, "installs").value == 0.0
    assert "numpy" in part(needy, "installs").note
    assert part(needy, "imports").value == pytest.approx(1 / 4)


async def test_requirements_that_do_not_install_leave_the_rest_measurable(place: Place, tmp_path: Path) -> None:
    found = await measured(place, tmp_path, WORKING | {"requirements.txt": "no-such-distribution-agentsys==1.0\n"})
    assert part(found, "installs").value == 0.0
    assert [part(found, name).value for name in ("imports", "tests")] == [1.0, 1.0]


async def test_flat_repository_of_scripts_is_measured(place: Place, tmp_path: Path) -> None:
    files = {"core.py": MEAN, "test_core.py": TESTS.replace("means.core", "core"), "requirements.txt": ""}
    found = await measured(place, tmp_path, files)
    assert [part(found, name).value for name in ("installs", "imports", "types", "tests", "coverage")] == [1.0] * 5


async def test_other_files_of_requirements_are_said_not_to_be_read(place: Place, tmp_path: Path) -> None:
    files = {path: text for path, text in WORKING.items() if path != "requirements.txt"}
    files |= {"environment.yml": "dependencies: [numpy]\n", "means/core.py": "import numpy as np\n" + MEAN}
    found = await measured(place, tmp_path, files)
    assert part(found, "installs").value is None
    assert "environment.yml" in part(found, "installs").because


async def test_full_rubric_counts_what_was_executed_and_measured(place: Place, tmp_path: Path) -> None:
    write_all(tmp_path)
    exact: list[str] = []
    with judging(reader) as judge:
        for name in ("broken", "working"):
            out = tmp_path / f"out-{name}"
            out.mkdir()
            events = EventLog(None, "test")
            settings = Settings(model="scripted", base_url=judge.url)
            model = build_model(settings, out / "llm", events, environ={})
            order = Order(
                read_subject(tmp_path / name), read_paper(tmp_path / "paper.md"), out,
                read_rubric(tmp_path / "rubric.json"), samples=1, mutants=0, timeout=120.0, judged=True,
            )  # fmt: skip
            found = await evaluate(order, factory(place), model, events)
            await model.close()
            assert found.rubric is not None
            exact.append(str(found.rubric.score))
    # The broken one's script fails and writes nothing; the working one meets every leaf.
    assert exact == ["3/10", "1"]


async def test_script_is_run_and_only_what_it_wrote_is_shown(place: Place, tmp_path: Path) -> None:
    files = WORKING | {"results/old.json": '{"claimed": 99}', "notes.json": '{"claimed": 99}'}
    subject = read_subject(write(tmp_path / "repo", files))
    found = await execute(subject.files, factory(place), 120.0)
    assert found.ran
    assert found.log.endswith("[ok, exit code 0]")
    assert '"last": 9' in found.outputs
    assert "claimed" not in found.outputs


async def test_script_that_fails_is_shown_as_failed(place: Place, tmp_path: Path) -> None:
    files = {path: text.encode() for path, text in (WORKING | {"reproduce.sh": "python -m means.none\n"}).items()}
    found = await execute(files, factory(place), 120.0)
    assert "exit code 1" in found.log
    assert found.outputs == ""
