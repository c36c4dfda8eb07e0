"""A reviewer sees script, configurations, the file's tests and the names of data files, within bounds."""

from __future__ import annotations

from pathlib import Path

from agentsys.core.artifacts import FileSpec
from agentsys.verify.fidelity.mutation_report import MutationReport
from agentsys.verify.fidelity.surroundings import MAX_COMMON, MAX_NAMED, MAX_TESTS, around, shared_tests
from agentsys.verify.fidelity.wrongvalues import ALL_VALUES
from unit.verify.tiny import PLAN

CORE = FileSpec(path="m/core.py", purpose="method")
PLANNED = PLAN.model_copy(
    update={"files": (CORE, FileSpec(path="tests/test_a.py", kind="test", purpose="t", depends_on=("m/core.py",)))}
)


def write(repo: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return repo


def test_tests_of_the_file_are_those_of_the_plan_and_those_that_import_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "tests/test_a.py": "import m.other\n",
            "tests/test_b.py": "from m.core import step\n",
            "tests/test_c.py": "from m import core\n",
            "tests/test_d.py": "import m.other\n",
            "tests/conftest.py": "import pytest\n",
        },
    )
    found = shared_tests(tmp_path, PLANNED, [CORE])[CORE.path]
    assert list(found) == ["tests/conftest.py", "tests/test_a.py", "tests/test_b.py", "tests/test_c.py"]


def test_script_and_configurations_are_shown_and_data_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"reproduce.sh": "set -eu\n", "configs/full.yaml": "a: 1\n", "configs/curve.yaml": "b: 2\n"})
    write(tmp_path, {"data/curve.npz": "12345", "m/core.py": "", "status.json": "{}", "results/results.json": "{}"})
    found = around(tmp_path, PLANNED)
    assert list(found.common) == ["reproduce.sh", "configs/full.yaml", "configs/curve.yaml"]
    assert found.data == ("data/curve.npz (5 bytes)",)


def test_what_is_shown_is_bounded(tmp_path: Path) -> None:
    write(tmp_path, {"reproduce.sh": "x" * 50_000})
    write(tmp_path, {f"tests/test_{n}.py": "from m.core import step\n" + "#" * 50_000 for n in range(9)})
    write(tmp_path, {f"data/{n}.csv": "" for n in range(MAX_NAMED + 5)})
    found, tests = around(tmp_path, PLANNED), shared_tests(tmp_path, PLANNED, [CORE])[CORE.path]
    assert len(found.common["reproduce.sh"]) < MAX_COMMON + 100
    assert 0 < sum(map(len, tests.values())) <= MAX_TESTS
    assert len(found.data) == MAX_NAMED + 1 and found.data[-1] == "and 5 more"


CAUGHT = {"number": 1, "path": "m/core.py", "symbol": "step", "line": 1, "state": "caught"}


def report(*rows: tuple[str, str, str]) -> MutationReport:
    mutants = [
        {
            **CAUGHT,
            "fault": fault,
            "before": changed and "+",
            "after": changed and "-",
            "noticed": [f"tests/test_a.py::{test}"],
        }
        for fault, changed, test in rows
    ]
    return MutationReport.model_validate({"tree": "t", "mutants": mutants})


def test_what_a_test_does_that_noticed_other_values_is_not_shown_again(tmp_path: Path) -> None:
    test = (
        "from m.core import step, other\n\n\ndef test_step() -> None:\n    assert step(1) == 3\n\n\n"
        "def test_all() -> None:\n    assert step(2) == 4\n\n\n"
        "class TestIt:\n    def test_same(self) -> None:\n        assert step(1) == step(1)\n\n"
        "    def test_own(self) -> None:\n        assert step(5) == 7\n"
    )
    write(tmp_path, {"tests/test_a.py": test})
    found = report(
        ("sign", "a < b", "test_step[1]"),
        (ALL_VALUES, "", "test_all"),
        ("all that it returns infinite", "", "TestIt::test_same"),
        ("sign", "a < b", "TestIt::test_own"),
    )
    text = shared_tests(tmp_path, PLANNED, [CORE], found)[CORE.path]["tests/test_a.py"]
    assert "== 3" not in text and "== 4" not in text and "== 7" not in text
    assert "noticed a fault planted in the code: test_step, test_all, TestIt.test_own" in text
    assert "assert step(1) == step(1)" in text and "from m.core import step, other" in text
