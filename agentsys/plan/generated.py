"""Files of the repository that follow from the plan and need no model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import cast

import yaml

from agentsys.core.artifacts import Plan

GITIGNORE = "__pycache__/\n*.pyc\n.pytest_cache/\n.venv/\nvenv/\n"


def generated_files(plan: Plan) -> dict[str, str]:
    """Return path -> text of configurations, requirements, ignore file and missing `__init__.py` files."""
    files = {
        "configs/full.yaml": yaml_text(plan.config_full),
        "configs/smoke.yaml": yaml_text(plan.config_smoke),
        "requirements.txt": requirements_text(plan),
        ".gitignore": GITIGNORE,
    }
    planned = {spec.path for spec in plan.files}
    for folder in package_folders(plan):
        path = f"{folder}/__init__.py"
        if path not in planned:
            files[path] = ""
    return files


def package_folders(plan: Plan) -> list[str]:
    """Return every folder of the package that holds planned Python files, outermost first."""
    roots = (plan.package, f"src/{plan.package}")
    found: set[str] = set()
    for spec in plan.files:
        path = PurePosixPath(spec.path)
        if path.suffix != ".py":
            continue
        for parent in path.parents:
            if any(str(parent) == root or str(parent).startswith(root + "/") for root in roots):
                found.add(str(parent))
    return sorted(found)


def requirements_text(plan: Plan) -> str:
    """Return requirements.txt as planned: one distribution a line."""
    return "".join(f"{row.name}{row.specifier}\n" for row in plan.dependencies)


def differing(full: Mapping[str, object], smoke: Mapping[str, object]) -> dict[str, object]:
    """Return the values of `smoke` that `full` does not have in the same place."""
    found: dict[str, object] = {}
    for key, value in smoke.items():
        other = full.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            inner = differing(cast("dict[str, object]", other), cast("dict[str, object]", value))
            if inner:
                found[key] = inner
        elif value != other or key not in full:
            found[key] = value
    return found


def yaml_text(config: Mapping[str, object]) -> str:
    """Return a configuration as YAML, keys in their order."""
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=110)
