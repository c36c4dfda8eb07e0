"""The plan on disk: parts that a person can read and edit, and `plan.json`, composed from them.

The parts are the truth. A part edited by hand counts at the next `resume`; what depends on it is done again.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from pydantic import ValidationError

from agentsys.core.artifacts import Plan
from agentsys.core.errors import UsageError
from agentsys.core.files import write_atomic, write_json
from agentsys.plan.rules import plan_problems

LEDGER = ("requirements", "contributions", "central", "left_out", "questions", "dependencies")
PARTS = ("overview.md", "architecture.md", "requirements.json", "files.json", "config.yaml", "expected.json")


def save_plan(folder: Path, plan: Plan) -> None:
    """Write all parts, the readable list of open questions, and plan.json last: without it there is no plan."""
    (folder / "plan.json").unlink(missing_ok=True)
    data = plan.model_dump(mode="json")
    write_atomic(folder / "overview.md", plan.summary.strip() + "\n")
    write_atomic(folder / "architecture.md", plan.architecture.strip() + "\n")
    write_json(folder / "requirements.json", {key: data[key] for key in LEDGER})
    write_json(folder / "files.json", {"package": plan.package, "files": data["files"]})
    config = {"full": data["config_full"], "smoke": data["config_smoke"]}
    write_atomic(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    write_json(folder / "expected.json", {k: data[k] for k in ("experiments", "expected", "data")})
    write_atomic(folder / "questions.md", _questions(plan))
    write_json(folder / "plan.json", plan)


def load_plan(folder: Path) -> Plan | None:
    """Compose the plan from its parts; None where it is not complete.

    Raises: UsageError if a part was edited into something that is not a plan.
    """
    if not (folder / "plan.json").is_file() or any(not (folder / part).is_file() for part in PARTS):
        return None
    try:
        plan = _compose(folder)
    except (ValidationError, yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"the plan in `{folder}` is damaged: {str(error)[:300]}", "correct the file or remove the folder `plan`"
        ) from error
    problems = plan_problems(plan)
    if problems:
        raise UsageError(
            f"the plan in `{folder}` does not hold: {problems[0]}", "correct the file or remove the folder `plan`"
        )
    if (folder / "plan.json").read_text(encoding="utf-8") != plan.model_dump_json(indent=1) + "\n":
        write_json(folder / "plan.json", plan)
    return plan


def _compose(folder: Path) -> Plan:
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    return Plan.model_validate(
        {
            "summary": (folder / "overview.md").read_text(encoding="utf-8").strip(),
            "architecture": (folder / "architecture.md").read_text(encoding="utf-8").strip(),
            **_read_json(folder / "requirements.json"),
            **_read_json(folder / "files.json"),
            **_read_json(folder / "expected.json"),
            "config_full": config["full"],
            "config_smoke": config["smoke"],
        }
    )


def _questions(plan: Plan) -> str:
    lines = ["# Open questions of the paper, and what is assumed", ""]
    for row in plan.questions:
        affects = f" (affects {', '.join(row.affects)})" if row.affects else ""
        lines += [f"- **{row.question}**{affects}  ", f"  Assumed: {row.assumption}"]
    if not plan.questions:
        lines.append("None.")
    return "\n".join(lines) + "\n"


def _read_json(path: Path) -> dict[str, object]:
    return json.loads(path.read_text(encoding="utf-8"))
