"""What a reviewer is shown beside the files: where else a repository could be made to look right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentsys.core.artifacts import FileSpec, Plan
from agentsys.core.text import clean_line, cut
from agentsys.core.tree import is_test_path, read_tree
from agentsys.plan.generated import generated_files
from agentsys.plan.symbols import imported_modules
from agentsys.verify.fidelity.mutation_report import MutationReport
from agentsys.verify.fidelity.unproven import unproven
from agentsys.verify.fidelity.wrongvalues import ALL_VALUES

COMMON = ("reproduce.sh", "configs/full.yaml", "configs/smoke.yaml")
MAX_COMMON = 6000
"""Characters of each file that is shown with every file under review."""
MAX_TEST = 9000
"""Characters of each test file."""
MAX_TESTS = 24_000
"""Characters of all test files of one file."""
MAX_NAMED = 60
_CODE = frozenset({"py", "sh", "md", "txt", "toml", "cfg", "ini", "yaml", "yml", "lock", "gitignore", "gitkeep"})


@dataclass(frozen=True)
class Surroundings:
    """Texts by path, and the names of the data files with their sizes."""

    common: Mapping[str, str] = field(default_factory=dict[str, str])
    data: tuple[str, ...] = ()


def around(repo: Path, plan: Plan) -> Surroundings:
    """Return script, configurations and the names of all data files; each cut to a size.

    A configuration that is as planned stands in every question already.
    """
    files = read_tree(repo)
    planned = generated_files(plan)
    configurations = sorted(path for path in files if path.startswith("configs/") and path not in COMMON)
    names = [path for path in (*COMMON, *configurations[:4]) if path in files]
    common = {
        path: _text(files, path, MAX_COMMON) for path in names if planned.get(path) != _text(files, path, 1 << 20)
    }
    return Surroundings(common, _data(files))


def shared_tests(
    repo: Path, plan: Plan, reviewed: Sequence[FileSpec], report: MutationReport | None = None
) -> dict[str, dict[str, str]]:
    """Return for each file under review the test files to show with it: each once, with the file that it is for.

    Args:
        report: what the tests of these very files notice.
    """
    proven = _proven(report)
    files = read_tree(repo)
    tests = {spec.path: list(_tests_of(files, plan, spec)) for spec in reviewed}
    found: dict[str, dict[str, str]] = {spec.path: {} for spec in reviewed}
    for test in dict.fromkeys(name for names in tests.values() for name in names):
        those = [path for path, names in tests.items() if test in names]
        stem = test.rpartition("/")[2].removesuffix(".py").removeprefix("test_")
        home = next((path for path in those if path.rpartition("/")[2].removesuffix(".py") == stem), those[-1])
        text = unproven(_text(files, test, 1 << 20), proven.get(test, ()), MAX_TEST)
        if sum(map(len, found[home].values())) + len(text) <= MAX_TESTS:
            found[home][test] = text
    return found


def _proven(report: MutationReport | None) -> dict[str, list[str]]:
    """Return, by test file, the tests that noticed other values: of a changed line, or of all that a function gives.

    Who does compares something with a value of its own, which an infinite value or another form would not show.
    """
    found: dict[str, dict[str, None]] = {}
    for item in report.mutants if report is not None else ():
        if item.state == "caught" and (item.fault == ALL_VALUES or (item.before.strip() and item.after.strip())):
            for test in item.noticed:
                path, _, name = test.partition("[")[0].partition("::")
                found.setdefault(path, {})[name.replace("::", ".")] = None
    return {path: list(names) for path, names in found.items()}


def _tests_of(files: Mapping[str, bytes], plan: Plan, spec: FileSpec) -> Iterable[str]:
    """Return the test files that the plan gives a file, then those that import it, then what all tests load."""
    planned = [row.path for row in plan.files if row.kind == "test" and spec.path in row.depends_on]
    module = spec.path.removesuffix(".py").removeprefix("src/").replace("/", ".")
    there = sorted(path for path in files if path.endswith(".py") and is_test_path(path))
    importing = [path for path in there if module in imported_modules(_text(files, path, 1 << 20))]
    loaded = [path for path in there if path.endswith("conftest.py")]
    return [path for path in dict.fromkeys([*loaded, *planned, *importing]) if path in files]


def _data(files: Mapping[str, bytes]) -> tuple[str, ...]:
    named = [path for path in sorted(files) if path.rpartition("/")[2].rpartition(".")[2].lower() not in _CODE]
    rows = [f"{clean_line(path, 120)} ({len(files[path])} bytes)" for path in named[:MAX_NAMED]]
    more = len(named) - len(rows)
    return (*rows, f"and {more} more") if more > 0 else tuple(rows)


def _text(files: Mapping[str, bytes], path: str, limit: int) -> str:
    return cut(files[path].decode("utf-8", "replace"), limit)
