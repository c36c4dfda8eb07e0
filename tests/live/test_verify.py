"""Tiny repositories, verified for real: installed from the index, imported, type-checked, tested, run, replayed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys.core.artifacts import Check, Verdict
from agentsys.core.events import EventLog
from agentsys.core.gitrepo import GitRepo
from agentsys.verify.checks.base import Found
from agentsys.verify.checks.table import demanded
from agentsys.verify.run import replay, verify
from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import Limits, SandboxSpec
from live.sandboxes import Place
from unit.verify.tiny import BROKEN_IMPORT, FAILING_TEST, GREEN, HOLLOW_TEST, job, write_repo

pytestmark = pytest.mark.index
AUDIT = Found(Check(name="audit", state="passed"))


def factory(place: Place) -> Callable[[], Sandbox]:
    spec = SandboxSpec(run=place.run, limits=Limits(memory=2 << 30, ttl=600.0), allow_weak=place.backend == "bwrap")
    return lambda: open_sandbox(spec, place.backend)


async def check(
    place: Place, root: Path, files: dict[str, str], seconds: float = 120.0, events: EventLog | None = None
) -> Verdict:
    repo = write_repo(root / "repo", files)
    work = job(repo, root / "rounds/01", timeout=seconds, events=events or EventLog(None, "t"))
    return await verify(replace(work, two_sandboxes=True), factory(place), AUDIT)


def states(verdict: Verdict) -> dict[str, str]:
    return {item.name: item.state for item in verdict.checks}


async def test_a_green_repository_is_verified_and_replayed_from_git_alone(any_place: Place, tmp_path: Path) -> None:
    verdict = await check(any_place, tmp_path, GREEN)
    assert verdict.passed, verdict
    assert verdict.backend and verdict.weak is (any_place.backend == "bwrap")
    assert json.loads((tmp_path / "repo/results/results.json").read_text())["mean"] == 1.5
    tests = json.loads((tmp_path / "rounds/01/tests.json").read_text())
    assert tests["functions"] == {"tests/test_model.py::test_mean": ["tiny/model.py:mean"]}
    packages = json.loads((tmp_path / "rounds/01/packages.json").read_text())
    assert {"name": "pytest", "version": "8.3.4"}.items() <= next(p for p in packages if p["name"] == "pytest").items()
    git = GitRepo(tmp_path / "repo")
    git.init()
    git.commit("Round 1")
    (tmp_path / "repo/tiny/model.py").unlink()
    repeated = job(tmp_path / "repo", tmp_path / "rounds/replay", timeout=120)
    again = await replay(replace(repeated, two_sandboxes=True), tmp_path / "repo", factory(any_place), AUDIT)
    assert again.passed and again.tree == verdict.tree


async def test_a_broken_import_is_one_fault_in_all_checks(any_place: Place, tmp_path: Path) -> None:
    verdict = await check(any_place, tmp_path, BROKEN_IMPORT)
    assert states(verdict) == dict.fromkeys(demanded(), "failed") | {
        "install": "passed",
        "faults": "not_run",
        "results": "not_run",
        "dependence": "not_run",
        "audit": "passed",
    }
    (found,) = verdict.diagnostics
    assert (found.kind, found.path, found.line, found.requirements) == ("wrong_import", "tiny/model.py", 1, ("R1",))


async def test_a_failing_test_is_named_with_its_assertion(any_place: Place, tmp_path: Path) -> None:
    verdict = await check(any_place, tmp_path, FAILING_TEST)
    assert {name for name, state in states(verdict).items() if state == "failed"} == {"pytest"}
    (found,) = verdict.diagnostics
    assert (found.kind, found.path, found.line) == ("test", "tests/test_model.py", 5)
    assert "== 2.0" in found.message


SHADOW = """
import importlib.util
import pathlib
import pytest

place = pathlib.Path(__file__).parents[1] / "agentsys_probe.py"
spec = importlib.util.spec_from_file_location("real", place)
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)
pytest_configure = getattr(real, "pytest_configure", None)
start = getattr(real, "start", None)

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome, report.longrepr = "passed", None
    return report
"""
ATTACK = f"""
from pathlib import Path

for folder in ("/work/instruments", "/work/agentsys-probe", "/work/repo", "/work/venv/lib/python3.11/site-packages"):
    try:
        Path(folder, "agentsys_probe").mkdir(exist_ok=True)
        Path(folder, "agentsys_probe/__init__.py").write_text({SHADOW!r})
    except OSError:
        pass
"""


async def test_code_that_writes_over_what_observes_it_changes_nothing(place: Place, tmp_path: Path) -> None:
    verdict = await check(place, tmp_path, {**FAILING_TEST, "tiny/__init__.py": ATTACK})
    assert {name for name, state in states(verdict).items() if state == "failed"} == {"pytest"}
    (found,) = verdict.diagnostics
    assert (found.kind, found.path, found.line) == ("test", "tests/test_model.py", 5)


async def test_settings_comments_and_generated_code_silence_no_check(any_place: Place, tmp_path: Path) -> None:
    files = {
        **GREEN,
        "pytest.ini": "[pytest]\naddopts = --ignore=tests/test_more.py\npython_functions = nothing\n",
        "tests/test_more.py": "import pytest\n\n\n@pytest.mark.xfail\ndef test_more() -> None:\n    assert False\n",
        "pyrightconfig.json": '{"include": []}',
        "tiny/types.py": "# pyright: basic\ndef f(x: int) -> str:\n    return x  # type: ignore\n",
        "tiny/made.py": "exec('def g() -> int: return 1')\n",
    }
    verdict = await check(any_place, tmp_path, files)
    found = {(item.check, item.kind, item.path, item.line) for item in verdict.diagnostics}
    assert found == {
        ("imports", "type", "tiny/made.py", 1),
        ("pyright", "type", "tiny/types.py", 3),
        ("pytest", "test", "tests/test_more.py", 5),
    }


async def test_tests_that_never_touch_the_method_do_not_pass(any_place: Place, tmp_path: Path) -> None:
    verdict = await check(any_place, tmp_path, HOLLOW_TEST)
    assert [item.kind for item in verdict.diagnostics] == ["no_test"]


async def test_each_kind_of_fault_is_found_in_one_round(any_place: Place, tmp_path: Path) -> None:
    files = {
        **GREEN,
        "tiny/model.py": "import yaml\nimport tiny.modle\n" + GREEN["tiny/model.py"],
        "tiny/types.py": "def f(x: int) -> str:\n    return x\n",
        "tiny/bad.py": "def f(:\n",
    }
    verdict = await check(any_place, tmp_path, files)
    found = {(item.kind, item.path, item.symbol) for item in verdict.diagnostics}
    assert found == {
        ("syntax", "tiny/bad.py", ""),
        ("missing_dependency", "tiny/model.py", "pyyaml"),
        ("wrong_import", "tiny/model.py", "tiny.modle"),
        ("type", "tiny/types.py", ""),
    }
    assert verdict.diagnostics[0].kind == "syntax"


async def test_a_bad_pin_is_told_from_a_fault_of_the_world(any_place: Place, tmp_path: Path) -> None:
    verdict = await check(any_place, tmp_path, {**GREEN, "requirements.txt": "pytest==8.3.4\nsix==99.0\n"})
    (found,) = verdict.diagnostics
    assert not verdict.infra and (found.kind, found.symbol, found.line) == ("bad_pin", "six", 2)


@pytest.mark.slow
async def test_the_repositorys_own_settings_do_not_silence_a_check(any_place: Place, tmp_path: Path) -> None:
    options = '[tool.pytest.ini_options]\naddopts = "-p no:agentsys_probe -p no:junitxml -q"\n'
    files = {
        **HOLLOW_TEST,
        "pyproject.toml": '[tool.pyright]\nignore = ["**"]\ntypeCheckingMode = "off"\n' + options,
        "pyrightconfig.json": '{"include": []}',
        "tiny/types.py": "def f(x: int) -> str:\n    return x\n",
    }
    verdict = await check(any_place, tmp_path, files)
    assert states(verdict)["pyright"] == "failed" and states(verdict)["pytest"] == "failed"


async def test_a_source_layout_with_its_own_build_is_verified(any_place: Place, tmp_path: Path) -> None:
    files = {name.replace("tiny/", "src/tiny/"): text for name, text in GREEN.items() if name != "requirements.txt"}
    files["pyproject.toml"] = (
        '[build-system]\nrequires = ["setuptools==75.8.0"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "tiny"\nversion = "0.1"\n[project.optional-dependencies]\ntest = ["pytest==8.3.4"]\n'
    )
    verdict = await check(any_place, tmp_path, files)
    assert verdict.passed, verdict


@pytest.mark.slow
async def test_a_test_that_hangs_is_a_time_out_and_the_smoke_run_still_counts(any_place: Place, tmp_path: Path) -> None:
    files = {**GREEN, "tests/test_slow.py": "import time\n\n\ndef test_slow() -> None:\n    time.sleep(600)\n"}
    verdict = await check(any_place, tmp_path, files, seconds=20.0)
    (found,) = verdict.diagnostics
    assert (found.kind, found.path) == ("timeout", "tests/test_slow.py")
    assert states(verdict)["smoke"] == "passed"


async def test_a_cancelled_verification_leaves_nothing_behind(place: Place, tmp_path: Path) -> None:
    files = {**GREEN, "tests/test_slow.py": "import time\n\n\ndef test_slow() -> None:\n    time.sleep(600)\n"}
    events, imported = EventLog(None, "t"), asyncio.Event()
    events.subscribe(lambda event: imported.set() if "'imports'" in str(event) else None)
    task = asyncio.create_task(check(place, tmp_path, files, events=events))
    await asyncio.wait_for(imported.wait(), 120)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (tmp_path / "rounds/01/verdict.json").exists()
