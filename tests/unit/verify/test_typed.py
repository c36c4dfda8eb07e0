"""Pyright looks again at what a change can reach, and at all where that cannot be told. The sandbox is scripted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agentsys.core.artifacts import Check, Verdict
from agentsys.verify.checks.base import Found, Job
from agentsys.verify.checks.reach import unreached_types
from agentsys.verify.checks.typed import FILE
from agentsys.verify.run import verify
from agentsys_sandbox.fake import Call, Files
from agentsys_sandbox.spec import ExecResult, Outcome
from unit.verify.scripted import scripted
from unit.verify.tiny import GREEN, MODEL, RUN, TEST, job, write_repo

pytestmark = pytest.mark.usefixtures("no_waiting")
AUDIT = Found(Check(name="audit", state="passed", note="0 findings"))
ALL = {path for path in GREEN if path.endswith(".py")}
TESTED = {"tests/test_model.py": TEST.replace("2.0", "4.0 / 2.0")}


class Bed:
    """The rounds of one run, and the files that pyright was told to look at in the last of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seen: set[str] | None = None
        self.errors: tuple[str, ...] = ()
        self.short = 0
        self.code: int | None = None

    def job(self, number: int, changed: dict[str, str], without: str = "") -> Job:
        files = {path: text for path, text in {**GREEN, **changed}.items() if path != without}
        repo = write_repo(self.root / f"repo-{number}", files)
        return replace(job(repo, self.root / f"rounds/{number:02d}"), round=number)

    def _pyright(self, call: Call, files: Files) -> ExecResult:
        place = call.argv[call.argv.index("--project") + 1]
        config = json.loads(files[f"{place}/pyrightconfig.json"])
        copies = {name.removeprefix(f"{place}/repo/") for name in files if name.startswith(f"{place}/repo/")}
        named = {item.removeprefix("repo/") for item in config["include"]}
        self.seen = copies if named == {"repo"} else named
        assert self.seen <= copies, "what is looked at lies there"
        told = [path for path in self.errors if path in self.seen]
        rows = [
            {"file": f"{place}/repo/{path}", "severity": "error", "message": "wrong", "rule": "reportX"}
            for path in told
        ]
        summary = {"filesAnalyzed": len(self.seen) - self.short, "errorCount": len(rows)}
        said = {"version": "1", "generalDiagnostics": rows, "summary": summary}
        code = self.code if self.code is not None else 1 if rows else 0
        outcome = Outcome.NONZERO if code else Outcome.OK
        return ExecResult(outcome, code, json.dumps(said).encode(), b"", 1.0)

    async def verify(self, wanted: Job) -> Verdict:
        self.seen = None
        return await verify(wanted, lambda: scripted({"pyright": self._pyright}), AUDIT)


def check(verdict: Verdict) -> Check:
    return next(item for item in verdict.checks if item.name == "pyright")


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        (TESTED, {"tests/test_model.py"}),
        ({"tiny/run.py": RUN + "\nX = 1\n"}, {"tiny/run.py"}),
        ({"tiny/model.py": MODEL + "\nX = 1\n"}, {"tiny/model.py", "tiny/run.py", "tests/test_model.py"}),
        ({"tiny/__init__.py": "X = 1\n"}, ALL - {"tiny/model.py"}),
        ({"tiny/model.py": MODEL + "\nX = 1\n", "tiny/__init__.py": "X = 1\n"}, ALL),
    ],
)
async def test_what_a_change_reaches_is_looked_at_again_and_nothing_else(
    bed: Bed, changed: dict[str, str], again: set[str]
) -> None:
    assert (await bed.verify(bed.job(1, {}))).passed and bed.seen == ALL
    second = await bed.verify(bed.job(2, changed))
    assert second.passed and bed.seen == again
    assert ("as in round 1" in check(second).note) == (again != ALL)
    assert check(second).counts["files"] + check(second).counts["taken_over"] == len(ALL)


async def test_where_no_code_changed_pyright_is_not_run_and_the_check_says_of_which_round_it_speaks(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    second = await bed.verify(bed.job(2, {"configs/smoke.yaml": "a: 1\n"}))
    assert bed.seen is None and check(second).state == "passed" and "as in round 1" in check(second).note
    report = (bed.root / "rounds/02/pyright.json").read_bytes()
    assert report == (bed.root / "rounds/01/pyright.json").read_bytes()
    await bed.verify(bed.job(3, TESTED))
    assert bed.seen == {"tests/test_model.py"}


async def test_a_file_with_an_error_is_looked_at_until_it_has_none(bed: Bed) -> None:
    bed.errors = ("tiny/run.py",)
    assert check(await bed.verify(bed.job(1, {}))).state == "failed"
    second = await bed.verify(bed.job(2, TESTED))
    assert bed.seen == {"tiny/run.py", "tests/test_model.py"} and check(second).state == "failed"
    bed.errors = ()
    third = await bed.verify(bed.job(3, {**TESTED, "tiny/run.py": RUN + "\nX = 1\n"}))
    assert bed.seen == {"tiny/run.py"} and third.passed


@pytest.mark.parametrize("which", ["packages", "a file more", "a file less", "a run that saw too little", "no record"])
async def test_where_anything_else_differs_all_is_looked_at(bed: Bed, which: str) -> None:
    bed.short = 1 if which == "a run that saw too little" else 0
    await bed.verify(bed.job(1, {}))
    bed.short = 0
    changed = {"a file more": {**TESTED, "tiny/more.py": ""}}.get(which, TESTED)
    if which == "packages":
        stored = bed.root / "rounds/01" / FILE
        row = json.loads(stored.read_text())
        stored.write_text(json.dumps({**row, "environment": "another"}))
    if which == "no record":
        (bed.root / "rounds/01" / FILE).write_text("[]")
    await bed.verify(bed.job(2, changed, without="tiny/run.py" if which == "a file less" else ""))
    assert bed.seen is not None and bed.seen >= ALL - {"tiny/run.py"} and "tiny/model.py" in bed.seen


@pytest.mark.parametrize("code", [2, 3])
async def test_a_run_whose_exit_code_and_report_disagree_is_not_taken_over(bed: Bed, code: int) -> None:
    bed.code = code
    assert check(await bed.verify(bed.job(1, {}))).state == "failed"
    bed.code = None
    await bed.verify(bed.job(2, {"configs/smoke.yaml": "a: 1\n"}))
    assert bed.seen == ALL


async def test_after_a_replay_that_failed_all_is_looked_at(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    (bed.root / "rounds/replay").mkdir()
    await bed.verify(bed.job(2, TESTED))
    assert bed.seen == ALL


async def test_another_build_of_the_project_takes_over_nothing(bed: Bed) -> None:
    await bed.verify(bed.job(1, {}))
    await bed.verify(bed.job(2, {"setup.cfg": "[options]\npackage_dir = = lib\n"}))
    assert bed.seen == ALL


async def test_a_replay_looks_at_all(bed: Bed) -> None:
    first = bed.job(1, {})
    await bed.verify(first)
    again = replace(bed.job(2, {}), stage="replay", out=bed.root / "rounds/replay", earlier=first.out)
    await bed.verify(again)
    assert bed.seen == ALL


CODE = {
    "pkg/__init__.py": "",
    "pkg/a.py": "from pkg.b import f\n",
    "pkg/b.py": "def f() -> int:\n    return 1\n",
    "pkg/c.py": "import importlib\n",
    "tests/helper.py": "from pkg.c import g\n",
    "tests/test_a.py": "if True:\n    import pkg.a as it\n",
    "tests/test_c.py": "import helper\n",
}


NOTHING: dict[str, str] = {}
HELPED = ("pkg/c.py", "tests/helper.py", "tests/test_c.py")


@pytest.mark.parametrize(
    ("extra", "changed", "apart"),
    [
        (NOTHING, "pkg/b.py", {"pkg/__init__.py", "pkg/c.py", "tests/helper.py", "tests/test_c.py"}),
        (NOTHING, "pkg/c.py", {"pkg/__init__.py", "pkg/a.py", "pkg/b.py", "tests/test_a.py"}),
        (NOTHING, "tests/helper.py", set(CODE) - {"tests/helper.py", "tests/test_c.py"}),
        (NOTHING, "pkg/__init__.py", {"pkg/b.py", "pkg/c.py"}),
        ({"pkg/c.py": "from . import b\n"}, "tests/test_a.py", {"pkg/__init__.py", "pkg/a.py", "pkg/b.py"}),
        ({"pkg/c.py": "def (\n"}, "tests/test_a.py", {"pkg/__init__.py", "pkg/a.py", "pkg/b.py"}),
        ({"src/pkg/b.py": ""}, "src/pkg/b.py", {"pkg/__init__.py", "pkg/b.py", *HELPED}),
        ({"pkg/d.py": "from.b import f\n"}, "pkg/b.py", {"pkg/__init__.py", *HELPED}),
        ({"pkg/d.py": "try:\n    pass\nfinally: from .b import f\n"}, "pkg/b.py", {"pkg/__init__.py", *HELPED}),
        (
            {"pkg/d.py": "from pkg import *\n"},
            "pkg/c.py",
            {"pkg/__init__.py", "pkg/a.py", "pkg/b.py", "tests/test_a.py"},
        ),
        (
            {"tests/unit/test_d.py": "import helper\n"},
            "tests/helper.py",
            set(CODE) - {"tests/helper.py", "tests/test_c.py"},
        ),
        ({"src/pkg/e.py": "", "tests/test_e.py": "import src.pkg.e\n"}, "src/pkg/e.py", set(CODE)),
    ],
)
def test_types_rest_on_what_is_imported_and_what_cannot_be_told_is_looked_at(
    extra: dict[str, str], changed: str, apart: set[str]
) -> None:
    files = {path: text.encode() for path, text in {**CODE, **extra}.items()}
    assert unreached_types(files, [changed]) == apart
