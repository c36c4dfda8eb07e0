"""Tiny repositories and their plan, for the tests of verification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentsys.core.artifacts import ExpectedResult, Experiment, FileSpec, PaperPlace, Plan, Requirement
from agentsys.core.events import EventLog
from agentsys.core.tree import read_tree
from agentsys.verify.checks.base import Job

PLACE = PaperPlace(section="1")
PLAN = Plan(
    package="tiny",
    summary="The mean of numbers.",
    architecture="One module.",
    requirements=(Requirement(id="R1", what="The mean is computed.", place=PLACE, owner="tiny/model.py"),),
    files=(
        FileSpec(path="tiny/model.py", purpose="the mean", interface="def mean(x: list[float]) -> float"),
        FileSpec(path="reproduce.sh", kind="script", purpose="runs it", requirements=("R1",)),
    ),
    config_full={},
    config_smoke={},
    experiments=(Experiment(name="mean", what="a mean", full="all", smoke="two numbers"),),
    expected=(
        ExpectedResult(id="E1", experiment="mean", metric="mean", value=1.5, place=PLACE, result_key="mean"),
        ExpectedResult(id="E2", experiment="mean", metric="large", value=3.0, place=PLACE, result_key="large"),
    ),
)
MODEL = "def mean(x: list[float]) -> float:\n    return sum(x) / len(x)\n"
RUN = """\
import json
from pathlib import Path

from tiny.model import mean


def main() -> None:
    Path("results").mkdir(exist_ok=True)
    data = {"mean": mean([1.0, 2.0]), "not_attempted": {"large": "needs the full data"}}
    Path("results/results.json").write_text(json.dumps(data))


if __name__ == "__main__":
    main()
"""
TEST = "from tiny.model import mean\n\n\ndef test_mean() -> None:\n    assert mean([1.0, 3.0]) == 2.0\n"
GREEN = {
    "requirements.txt": "pytest==8.3.4\n",
    "tiny/__init__.py": "",
    "tiny/model.py": MODEL,
    "tiny/run.py": RUN,
    "tests/test_model.py": TEST,
    "reproduce.sh": "set -eu\npython -m tiny.run\n",
}
BROKEN_IMPORT = {**GREEN, "tiny/model.py": "from tiny.utils import nothing\n\n\n" + MODEL}
FAILING_TEST = {**GREEN, "tiny/model.py": MODEL.replace("len(x)", "(len(x) + 1)")}
HOLLOW_TEST = {**GREEN, "tests/test_model.py": "def test_nothing() -> None:\n    assert 1 + 1 == 2\n"}


def write_repo(root: Path, files: dict[str, str]) -> Path:
    """Write a repository and return its folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def job(repo: Path, out: Path, **changes: Any) -> Job:
    """The verification of the files that lie in `repo`."""
    fields: dict[str, Any] = {"plan": PLAN, "events": EventLog(None, "test"), "timeout": 60, "round": 1}
    return Job(files=read_tree(repo), out=out, keep_in=repo, **{**fields, **changes})
