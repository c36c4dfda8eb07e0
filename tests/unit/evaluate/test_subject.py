"""What a repository is before anything runs: empty, without code, promised; and what of it a judge may see."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.errors import UsageError
from agentsys.report.evaluate.blind import blind
from agentsys.report.evaluate.material import choose_files
from agentsys.report.evaluate.measure import measure
from agentsys.report.evaluate.observed import observed_plan, package_of
from agentsys.report.evaluate.parts import WEIGHTS, Measured, Part
from agentsys.report.evaluate.stubs import functions
from agentsys.report.evaluate.subject import kind_of, read_subject
from unit.evaluate.four import CONFIG_ONLY, FOUR, STUB, WORKING, write


def raw(files: dict[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, "empty"),
        ({"a.py": "", "README.md": "\n"}, "empty"),
        (CONFIG_ONLY, "no_code"),
        (
            {"config.py": "LR = 0.1\nDATA = {'a': 1}\n", "setup.py": "from setuptools import setup\nsetup()\n"},
            "no_code",
        ),
        ({"tests/test_a.py": "def test_a():\n    assert True\n", "reproduce.sh": "echo 5"}, "no_code"),
        ({"n.ipynb": '{"cells": [{"cell_type": "markdown", "source": ["x"]}]}'}, "no_code"),
        ({"n.ipynb": '{"cells": [{"cell_type": "code", "source": ["x = 1"]}]}'}, "code"),
        ({"main.jl": "f(x) = x"}, "code"),
        ({"a.py": "def broken(:\n"}, "code"),
        (STUB, "code"),
    ],
)
def test_kind_of_a_repository(files: dict[str, str], kind: str) -> None:
    assert kind_of(raw(files)) == kind


def test_repository_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder"):
        read_subject(tmp_path / "none")


def test_link_out_of_the_repository_is_not_read(tmp_path: Path) -> None:
    repo = write(tmp_path / "repo", WORKING)
    (tmp_path / "secret.py").write_text("def f():\n    return 1\n")
    (repo / "link.py").symlink_to(tmp_path / "secret.py")
    assert "link.py" not in read_subject(repo).files


def test_stubs_are_named_and_what_others_must_fill_is_none() -> None:
    text = '''
from abc import abstractmethod
from typing import Protocol, overload
class P(Protocol):
    def a(self) -> int: ...
class B:
    @abstractmethod
    def b(self): ...
    def c(self):
        """Only words."""
    def d(self):
        raise NotImplementedError("later")
    def e(self):
        # TODO: implement
        return 0
    def f(self, x):
        # TODO: faster
        y = [v * v for v in x]
        z = sum(y) / len(y)
        w = z ** 0.5
        return w
    def g(self):
        if not self:
            raise NotImplementedError
        a = 1
        b = 2
        return a + b
'''
    found = {item.name: item.stub for item in functions({"m.py": text.encode()})}
    assert found == {
        "B.c": "empty body",
        "B.d": "raises NotImplementedError",
        "B.e": "marked as still to do",
        "B.f": "",
        "B.g": "",
    }


async def test_without_a_sandbox_what_is_run_is_not_measured_and_counts_nothing(tmp_path: Path) -> None:
    repo = write(tmp_path / "repo", WORKING)
    found = await measure(read_subject(repo), None, out=tmp_path / "logs")
    parts = {part.name: part for part in found.parts}
    assert [parts[name].value for name in ("code", "stubs")] == [1.0, 1.0]
    assert all(parts[name].value is None and parts[name].because for name in WEIGHTS if name not in ("code", "stubs"))
    assert (found.total, found.weight_measured) == (15.0, 15)


@pytest.mark.parametrize(
    ("files", "total"),
    [
        ({"run.py": "for x in range(3):\n    print(x)\n"}, 15.0),
        ({"run.py": "def f(:\n"}, 0.0),
        ({"main.jl": "f(x) = x"}, 5.0),
        (CONFIG_ONLY, 0.0),
    ],
)
async def test_static_measure_of_what_has_no_functions(tmp_path: Path, files: dict[str, str], total: float) -> None:
    found = await measure(read_subject(write(tmp_path / "repo", files)), None, out=tmp_path / "logs")
    assert found.total == total


def test_total_worked_out_by_hand() -> None:
    assert sum(WEIGHTS.values()) == 100
    parts = (
        Part("code", 1.0), Part("stubs", 0.5), Part("installs", 1.0), Part("imports", 0.5), Part("types", 0.0),
        Part("tests", 0.75), Part("coverage", None, because="no"), Part("mutation", 0.2),
    )  # fmt: skip
    # 5 + 10 * 0.5 + 0.5 * (15 + 15 * 0.5 + 0 + 20 * 0.75 + 15 * 0.2) = 10 + 0.5 * 40.5
    assert Measured(parts).total == pytest.approx(30.25)
    assert Measured(parts).weight_measured == 90


async def test_static_measure_ranks_empty_below_promised_below_implemented(tmp_path: Path) -> None:
    totals = [
        (await measure(read_subject(write(tmp_path / name, FOUR[name])), None, out=tmp_path / "logs")).total
        for name in ("empty", "stub", "working")
    ]
    assert totals == [0.0, 5.0, 15.0]


def test_ledger_of_a_paper_map_is_taken_and_a_damaged_one_left() -> None:
    row = (
        '{"id": "R1", "what": "Eq. 1", "kind": "model", "status": "paper", "place": {"section": "2"}, '
        '"owner": "means/core.py", "files": [], "tests": [], '
        '"symbols": [{"path": "means/core.py", "symbol": "averages", "kind": "function", "found": true}]}'
    )
    files = raw(WORKING) | {"paper_map.json": f'{{"requirements": [{row}]}}'.encode()}
    plan, ledger = observed_plan(files)
    assert ledger
    assert plan.files[0].symbols == {"R1": ("averages",)}
    assert observed_plan(files | {"paper_map.json": b"{}"})[1] is False
    assert observed_plan(raw(WORKING))[1] is False


@pytest.mark.parametrize(
    ("paths", "package"),
    [
        (["means/core.py", "main.py"], "means"),
        (["src/Net/model.py", "train.py"], "Net"),
        (["train.py", "tests/test_train.py"], "train"),
        ([], "package"),
    ],
)
def test_package_is_found(paths: list[str], package: str) -> None:
    assert package_of(dict.fromkeys(paths, b"def f():\n    return 1\n")) == package


def test_judge_sees_no_origin() -> None:
    files = raw(WORKING) | {
        "AUDIT.md": b"agentsys audit", "PAPER_MAP.md": b"map", "paper_map.json": b"{}", "LICENSE": b"MIT, J. Doe",
        "planning_artifacts/plan.txt": b"PaperCoder", ".github/workflows/x.yml": b"on: push", "CLAUDE.md": b"hello",
        "pyproject.toml": b'[project]\nname = "x"\nauthors = [{name = "J. Doe", email = "j@doe.org"}]\n',
        "means/more.py": b"# Generated by PaperCoder\nmodel = 'gpt-4o'  # asked through OpenAI\nx = 1\n",
        "docs/a.md": b"Made with Claude Code. See https://github.com/doe/x or j@doe.org. The method uses b.\n",
    }  # fmt: skip
    seen = blind(files)
    hidden = ("agentsys", "PaperCoder", "Claude", "OpenAI", "Doe", "doe.org", "PAPER_MAP", "AUDIT")
    shown = seen.tree + "".join(seen.texts.values())
    assert [word for word in hidden if word.lower() in shown.lower()] == []
    # Code itself is not rewritten, and what the text is about stays.
    assert "model = 'gpt-4o'" in seen.texts["means/more.py"]
    assert "The method uses b." in seen.texts["docs/a.md"]
    assert seen.texts["means/core.py"] == WORKING["means/core.py"]


def test_binary_and_huge_files_are_in_the_tree_without_content() -> None:
    seen = blind({"a.bin": b"\0\1", "big.py": b"x = 1\n" * 50_000, "b.py": b"y = 1\n"})
    assert list(seen.texts) == ["b.py"]
    assert "big.py (not shown)" in seen.tree


def test_files_nearest_to_the_question_are_chosen() -> None:
    texts = {f"pkg/part{n}.py": f"def part{n}():\n    return {n}\n" + "# filler words here\n" * 50 for n in range(20)}
    texts["pkg/dropout.py"] = "def dropout(x, rate):\n    return x * rate\n" + "# filler words here\n" * 50
    seen = blind(raw(texts))
    files, left = choose_files(seen, "dropout with the rate of the paper", 3000)
    assert "pkg/dropout.py" in files
    assert sum(map(len, files.values())) <= 3000
    assert set(files) | set(left) == set(texts)
