"""Outcomes of an earlier round stand where a change can have had no part in them, and only there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys.core.artifacts import Check, Verdict
from agentsys.verify.checks.base import Found
from agentsys.verify.checks.outcomes import FILE
from agentsys.verify.checks.reach import unreached
from agentsys.verify.run import verify
from agentsys_sandbox.fake import Call, Files, passed
from agentsys_sandbox.spec import ExecResult
from unit.verify.scripted import put_tests, put_trials, pyright, scripted
from unit.verify.tiny import GREEN, MODEL, TEST, job, write_repo

AUDIT = Found(Check(name="audit", state="passed", note="0 findings"))
MEAN, OTHER = "tests/test_model.py::test_mean", "tests/test_other.py::test_mean"
BOTH = {**GREEN, "tests/test_other.py": TEST.replace("3.0", "5.0").replace("2.0", "3.0")}
CODE = {
    "pkg/__init__.py": "",
    "pkg/a.py": "from pkg.b import f\n",
    "pkg/b.py": "def f() -> int:\n    return 1\n",
    "pkg/c.py": "def g() -> int:\n    return 1\n",
    "tests/helper.py": "from pkg.c import g\n",
    "tests/test_a.py": "from pkg.a import f\n",
    "tests/test_c.py": "from helper import g\n",
    "tests/test_run.py": "import subprocess\n",
    "data/x.csv": "1\n",
}


def tree(changes: dict[str, str] | None = None) -> dict[str, bytes]:
    return {path: text.encode() for path, text in {**CODE, **(changes or {})}.items()}


@pytest.mark.parametrize(
    ("changed", "apart"),
    [
        (["pkg/b.py"], {"tests/test_c.py", "tests/helper.py"}),
        (["pkg/c.py"], {"tests/test_a.py"}),
        (["tests/helper.py"], {"tests/test_a.py"}),
        (["tests/test_a.py"], {"tests/test_c.py", "tests/helper.py"}),
        (["pkg/__init__.py"], set()),
        (["tests/conftest.py"], set()),
        (["data/x.csv"], set()),
        (["pkg/b.py", "configs/smoke.yaml"], set()),
    ],
)
def test_a_change_reaches_what_imports_it_and_what_may_read_anything(changed: list[str], apart: set[str]) -> None:
    assert unreached(tree(), changed) == apart


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\n",
        "from . import helper\n",
        "exec(open('x').read())\n",
        "from pathlib import Path\nPath('pkg/b.py').read_text()\n",
        "from pkg import a\n",
    ],
)
def test_a_test_that_may_load_more_than_it_imports_is_always_reached(text: str) -> None:
    assert "tests/test_c.py" not in unreached(tree({"tests/test_c.py": text}), ["pkg/b.py"])


class Bed:
    """The rounds of one run, whose tests notice every planted fault."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tried: set[str] = set()
        self.plain: set[str] = set()

    def _pytest(self, call: Call, files: Files) -> ExecResult:
        put_tests(call, files, {MEAN: "passed", OTHER: "passed"})
        return passed(b"2 passed\n")

    def _pyright(self, call: Call, files: Files) -> ExecResult:
        return passed(pyright(sum(name.startswith("/work/repo/") and name.endswith(".py") for name in files)))

    def _faults(self, call: Call, files: Files) -> ExecResult:
        put_trials(call, files)
        for row in json.loads(call.stdin)["trials"]:
            (self.tried if row["path"] else self.plain).update(row["tests"])
        return passed()

    async def verify(self, number: int, changed: dict[str, str]) -> Verdict:
        self.tried, self.plain = set(), set()
        repo = write_repo(self.root / f"repo-{number}", {**BOTH, **changed})
        wanted = replace(job(repo, self.root / f"rounds/{number:02d}"), round=number)
        twists = {"pytest": self._pytest, "pyright": self._pyright, "faults": self._faults}
        return await verify(wanted, lambda: scripted(twists), AUDIT)

    def faults(self, number: int) -> dict[str, int]:
        data = (self.root / f"rounds/{number:02d}/verdict.json").read_bytes()
        return next(check.counts for check in Verdict.model_validate_json(data).checks if check.name == "faults")


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


CHANGED = {"tests/test_model.py": TEST.replace("2.0", "4.0 / 2.0")}


async def test_after_a_changed_test_faults_are_tried_on_it_alone_and_the_counts_are_the_same(bed: Bed) -> None:
    assert (await bed.verify(1, {})).passed and bed.tried == {MEAN, OTHER}
    assert (await bed.verify(2, CHANGED)).passed
    assert bed.tried == bed.plain == {MEAN}
    assert bed.faults(2) == bed.faults(1) and bed.faults(1)["noticed"] > 0


@pytest.mark.parametrize(
    "changed",
    [{"tiny/model.py": MODEL + "\n\nONE = 1\n"}, {"requirements.txt": "pytest>=8\n"}, {"tests/conftest.py": ""}],
)
async def test_where_a_change_reaches_every_test_all_is_tried_again(bed: Bed, changed: dict[str, str]) -> None:
    await bed.verify(1, {})
    await bed.verify(2, changed)
    assert bed.tried == {MEAN, OTHER}


async def test_where_nothing_changed_no_fault_is_tried_again_and_the_verdict_is_the_same(bed: Bed) -> None:
    await bed.verify(1, {})
    assert (await bed.verify(2, {})).passed and not bed.tried and bed.faults(2) == bed.faults(1)


async def test_a_record_that_cannot_be_read_is_none(bed: Bed) -> None:
    await bed.verify(1, {})
    (bed.root / f"rounds/01/{FILE}").write_text("{")
    assert (await bed.verify(2, CHANGED)).passed and bed.tried == {MEAN, OTHER}
