"""A run directory with a tiny delivered repository that was audited, for the tests of later reproductions."""

from __future__ import annotations

import json
from pathlib import Path

from agentsys.core.artifacts import FileSpec, Plan
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.core.tree import read_tree
from agentsys.plan.files import save_plan
from agentsys.run.reproduce import code_hash
from agentsys_policies.engine import Policy
from unit.verify.tiny import GREEN, PLAN, write_repo

RUN = """\
import json
import os
import sys
from pathlib import Path

from tiny.model import mean


def main() -> None:
    profile = sys.argv[1]
    print(f"running {profile}", flush=True)
    Path("results").mkdir(exist_ok=True)
    data: dict[str, object] = {"mean": 1.25, "scale": "two numbers", "not_attempted": {"large": "needs the full data"}}
    if profile == "full":
        numbers = [float(line) for line in Path("data/numbers.txt").read_text().split()]
        if os.access("data/numbers.txt", os.W_OK):
            raise RuntimeError("the data can be changed")
        print([(path.name, path.stat().st_size) for path in sorted(Path("data").iterdir())])
        data = {"mean": mean(numbers), "large": max(numbers), "scale": f"{len(numbers)} numbers"}
    data["health"] = [{"experiment": "mean", "quantity": "mean", "value": data["mean"], "above": 0}]
    Path("results/results.json").write_text(json.dumps(data))


if __name__ == "__main__":
    main()
"""
FILES = {
    **GREEN,
    "tiny/run.py": RUN,
    "reproduce.sh": 'set -eu\npython -m tiny.run "${1:-smoke}"\n',
    "requirements.lock": "pytest==8.3.4\n",
}
SMOKE = {"mean": 1.25, "scale": "two numbers", "not_attempted": {"large": "needs the full data"}}


WHOLE = PLAN.model_copy(
    update={
        "files": (
            *PLAN.files,
            FileSpec(path="README.md", kind="doc", purpose="what it is"),
            FileSpec(path="tests/test_model.py", kind="test", purpose="the mean of two numbers"),
        )
    }
)


def deliver(folder: Path, files: dict[str, str] | None = None, plan: Plan = WHOLE) -> RunDir:
    """Make the run directory: repository with smoke results, plan, and the audit of this code."""
    run = RunDir(folder / "2026-01-02-tiny-0a1b")
    run.path.mkdir(parents=True)
    run.write(RunRecord(id=run.path.name, status="verified", exit_code=0, title="Tiny"))
    write_repo(run.repo, files or FILES)
    (run.repo / "results").mkdir()
    (run.repo / "results/results.json").write_text(json.dumps(SMOKE))
    save_plan(run.plan, plan)
    audit(run)
    return run


def audit(run: RunDir) -> None:
    """Audit the code as it lies there, as the auditor does."""
    policy = Policy.load("default")
    decisions = (
        policy.audit_code(run.repo),
        policy.check_dependencies(["pytest==8.3.4"]),
        policy.check_command(("bash", "reproduce.sh", "smoke")),
    )
    data = {
        "tree": code_hash(run.repo, read_tree(run.repo)),
        "policy": policy.ref.sha256,
        "decisions": [decision.model_dump(mode="json") for decision in decisions],
    }
    run.audit.mkdir(exist_ok=True)
    (run.audit / "code.json").write_text(json.dumps(data))
