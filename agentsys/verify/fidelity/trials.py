"""Trials: each plants one fault in the sandbox and runs tests against it; all of them in one process of ours.

The process forks for each trial, with pytest and the third-party packages imported already, so that a trial costs what
its tests cost. Where tests do not pass in a forked process, each trial is given a Python of its own.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agentsys.core.tree import is_test_path
from agentsys.plan.repo_facts import RepoFacts
from agentsys.plan.symbols import parse
from agentsys.verify.checks.base import Bench, log_text, read_lines
from agentsys.verify.checks.pytests import allowed_plugins, our_options
from agentsys.verify.fidelity.faults import Fault
from agentsys_sandbox.base import REPO

Word = Literal["passed", "asserted", "crashed", "skipped"]
"""How a test ended: `asserted` where it found a difference by itself, `crashed` where the code under it broke."""

PARALLEL = 2
TIMES = 3.0
"""A trial may take this many times the CPU seconds that its tests take without a fault ..."""
SPARE, SPARE_ALONE = 2.0, 20.0
"""... and these for importing the repository's modules, or for a whole Python of its own."""

_PROBE = "agentsys_faults.py"
_OPTIONS = ("-q", "--tb=no", "--assert=plain", "-p", "no:unraisableexception")
"""Nobody reads what a trial prints: no assertion is rewritten for better words, no garbage collected to warn of it."""


@dataclass(frozen=True)
class Trial:
    """One fault, or none, and the tests that are run against it."""

    id: str
    tests: tuple[str, ...]
    path: str = ""
    """File that holds the fault; empty plants none."""
    fault: Fault | None = None
    first: bool = False
    """One test that notices the fault is enough."""


class TestSeen(BaseModel):
    """What one trial saw of one test."""

    __test__ = False
    model_config = ConfigDict(extra="ignore", frozen=True)
    word: Word
    seconds: float = 0.0


class TrialSeen(BaseModel):
    """What came of one trial."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    id: str
    ended: Literal["done", "time", "died"]
    tests: dict[str, TestSeen] = {}
    under_way: str = ""
    collect: bool = False
    """A test file could not be imported."""
    seconds: float = 0.0


@dataclass
class Trials:
    """Runs trials in an open sandbox whose environment is installed."""

    bench: Bench
    fork: bool = True
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """What each test takes without a fault."""
    number: int = 0
    spent: float = 0.0
    """Seconds so far, of processor time where that is counted: a busy machine leaves no fault untried."""

    async def run(self, trials: Sequence[Trial], limit: float) -> dict[str, TrialSeen]:
        """Run trials and return what was seen, by id; those that the time did not allow are missing.

        Args:
            limit: seconds of processor time, on each processor, after which no further trial is started.

        Raises: Infrastructure where the sandbox failed.
        """
        bench, self.number = self.bench, self.number + 1
        await bench.place_repo()
        out = f"{bench.inside}/faults-{self.number}.jsonl"
        longest = max((self._cpu(trial) for trial in trials), default=0.0)
        job = self.job(trials, out, limit)
        said = partial(self._said, len(trials))
        result = await bench.run_probe("faults", _PROBE, job, timeout=limit + 10 * longest + 60, on_output=said)
        counted = result.seconds if result.cpu_seconds is None else result.cpu_seconds / PARALLEL
        self.spent += min(result.seconds, counted)
        bench.log(f"faults-{self.number}.log", log_text(result))
        lines = read_lines(await bench.sandbox.read_file(out, max_bytes=64 << 20), TrialSeen)
        return {line.id: line for line in lines}

    def _said(self, count: int, _stream: str, piece: bytes) -> None:
        """Tell how many trials have ended; their process prints a line for each."""
        ended = re.findall(rb"^ended (\d{1,6})$", piece, re.MULTILINE)
        if ended:
            goes = f" (go {self.number})" if self.number > 1 else ""
            self.bench.progress("faults", f"{int(ended[-1])} of {count} planted faults tried{goes}")

    def job(self, trials: Sequence[Trial], out: str, limit: float) -> dict[str, object]:
        """Return the job of `probes/agentsys_faults.py`."""
        bench = self.bench
        methods = [path for path in bench.job.files if path.endswith(".py") and not is_test_path(path)]
        return {
            "out": out,
            "root": REPO,
            "options": [*our_options(bench), *_OPTIONS],
            "plugins": allowed_plugins(bench),
            "preload": third_party(bench.job.files, bench.facts),
            "methods": {f"{REPO}/{path}": path for path in methods},
            "texts": {path: bench.text(path) for path in {trial.path for trial in trials} if path},
            "fork": self.fork,
            "parallel": PARALLEL,
            "limit": limit,
            "trials": [self._row(trial) for trial in trials],
        }

    def _row(self, trial: Trial) -> dict[str, object]:
        fault = trial.fault
        place = {"start": fault.start, "end": fault.end, "after": fault.after} if fault else {}
        row = {"id": trial.id, "path": trial.path, "tests": trial.tests, "cpu": self._cpu(trial)}
        return {**row, **place, "first": trial.first}

    def _cpu(self, trial: Trial) -> float:
        return TIMES * sum(self.seconds.get(test, 0.0) for test in trial.tests) + (
            SPARE if self.fork and trial.path else SPARE_ALONE
        )


def third_party(files: Mapping[str, bytes], facts: RepoFacts) -> list[str]:
    """Return the dotted names of modules that the code imports and neither Python nor the repository has."""
    found: set[str] = set()
    for path, data in files.items():
        tree = parse(data.decode("utf-8", "replace")) if path.endswith(".py") else None
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module)
    folders = {part for path in files for part in path.split("/")[:-1]}
    stems = {path.rpartition("/")[2].removesuffix(".py") for path in files if path.endswith(".py")}
    own = folders | stems | sys.stdlib_module_names
    return sorted(name for name in found if not facts.is_own(name) and name.partition(".")[0] not in own)
