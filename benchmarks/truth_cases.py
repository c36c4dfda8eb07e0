"""Repositories that are faithful to their paper, and what a pressed model makes of them: the cases of `truth.py`.

`tests/truth/honest/NAME` holds a paper, a plan as the planner answers it, and the files. `tests/truth/variations.yaml`
holds honest changes of these, `tests/truth/cheats/*.yaml` cheats; a folder with `gen.py` and `cheats.py` in the form of
../shared/data/truth is taken too.
"""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / "tests" / "truth"
SHARED = ROOT.parent / "shared" / "data" / "truth"
Plan = dict[str, Any]
"""The planner's four answers: `requirements`, `evaluation`, `design`, `config`."""
_KINDS = {".py": "source", ".sh": "script", ".md": "doc"}


@dataclass(frozen=True)
class Case:
    """One repository with its plan and paper, and what must become of it."""

    name: str
    kind: str
    honest: bool
    what: str
    paper: Path
    plan: Plan = field(repr=False)
    files: dict[str, str] = field(repr=False)
    pins: str = field(repr=False, default="")
    """Versions as in requirements.txt, so that a later release changes no figure."""


class Change(BaseModel):
    """A cheat, or an honest repository of another make, as its file tells it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["results", "method", "tests", "types", "instruments", "shell", "plan", "honest"]
    base: str
    what: str
    write: dict[str, str] = {}
    """Path -> whole text; a path that the plan lacks is planned."""
    replace: dict[str, list[tuple[str, str]]] = {}
    """Path -> pairs of old and new text; the old text stands there at least once."""
    remove: tuple[str, ...] = ()
    config: dict[str, Any] = {}
    """Further settings of both profiles."""
    specs: dict[str, dict[str, Any]] = {}
    """Path -> fields of its planned file that differ."""
    requirements: dict[str, dict[str, Any]] = {}
    """Id -> fields of its row in the ledger that differ."""
    expected: dict[str, dict[str, Any]] = {}
    """Id -> fields of its row of expected results that differ."""
    drop: tuple[str, ...] = ()
    """Ids that are left out of ledger and expected results."""


def all_cases(shared: Path = SHARED) -> list[Case]:
    """Return every case: honest ones first, then our cheats, then those of the other folder where it is there."""
    good = {case.name: case for case in honest_cases()}
    found = [*good.values(), *own_cheats(good)]
    return [*found, *shared_cases(shared)] if (shared / "cheats.py").is_file() else found


def honest_cases(folder: Path = OWN) -> list[Case]:
    """Read the faithful repositories, those that are changes of others last."""
    found = [_honest(path, (folder / "environment.txt").read_text()) for path in sorted((folder / "honest").iterdir())]
    good = {case.name: case for case in found}
    return [*found, *_changed(folder / "variations.yaml", "honest", good)]


def _honest(path: Path, pins: str) -> Case:
    plan = cast("Plan", yaml.safe_load((path / "plan.yaml").read_text(encoding="utf-8")))
    title = str(plan["requirements"]["title"])
    return Case(path.name, "honest", True, title, path / "paper.md", plan, read_files(path / "repo"), pins)


def read_files(repo: Path) -> dict[str, str]:
    """Return the files of a repository folder, without what Python left there."""
    files = (path for path in sorted(repo.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(repo).as_posix(): path.read_text(encoding="utf-8") for path in files}


def own_cheats(good: Mapping[str, Case], folder: Path = OWN) -> Iterator[Case]:
    """Read the cheats and make a repository of each.

    Raises: ValueError where a change does not fit its base any more.
    """
    for file in sorted((folder / "cheats").glob("*.yaml")):
        yield from _changed(file, "cheats", good)


def _changed(file: Path, key: str, good: Mapping[str, Case]) -> Iterator[Case]:
    for row in yaml.safe_load(file.read_text(encoding="utf-8"))[key]:
        change = Change.model_validate(row)
        yield apply(change, good[change.base])


def apply(change: Change, base: Case) -> Case:
    """Return the case that a change makes of an honest one.

    Raises: ValueError where the text to be replaced is not there.
    """
    files, plan = dict(base.files), copy.deepcopy(base.plan)
    for path in change.remove:
        del files[path]
        plan["design"]["files"] = [spec for spec in plan["design"]["files"] if spec["path"] != path]
    for path, pairs in change.replace.items():
        for old, new in pairs:
            if old not in files[path]:
                raise ValueError(f"{change.name}: `{path}` of `{base.name}` does not hold {old!r}")
            files[path] = files[path].replace(old, new)
    files |= change.write
    _replan(plan, files, change)
    return Case(change.name, change.kind, change.kind == "honest", change.what, base.paper, plan, files, base.pins)


def _replan(plan: Plan, files: Mapping[str, str], change: Change) -> None:
    specs = {spec["path"]: spec for spec in plan["design"]["files"]}
    for path in files:
        if path not in specs:
            specs[path] = _spec(path)
            plan["design"]["files"].append(specs[path])
    for path, fields in change.specs.items():
        specs[path].update(fields)
    for part, name, differ in (
        ("requirements", "requirements", change.requirements),
        ("evaluation", "expected", change.expected),
    ):
        kept = [row for row in plan[part][name] if row["id"] not in change.drop]
        plan[part][name] = [{**row, **differ.get(row["id"], {})} for row in kept]
    for name in ("config_full", "config_smoke"):
        plan["config"][name] = {**plan["config"][name], **change.config}


def _spec(path: str) -> dict[str, Any]:
    pure = PurePosixPath(path)
    test = pure.parts[0] == "tests" or pure.name == "conftest.py"
    kind = "test" if test and pure.suffix == ".py" else _KINDS.get(pure.suffix, "config")
    return {"path": path, "kind": kind, "purpose": "support", "interface": "", "depends_on": [], "requirements": {}}


def shared_cases(folder: Path) -> Iterator[Case]:
    """Make the cases of a folder with `gen.py` (`honest()`, `ENV`) and `cheats.py` (`CH`)."""
    sys.path.insert(0, str(folder))
    try:
        gen, cheats = importlib.import_module("gen"), importlib.import_module("cheats")
    finally:
        sys.path.remove(str(folder))
    make = cast("Callable[[], tuple[dict[str, str], Plan]]", gen.honest)
    paper, pins = folder / "paper.md", str(gen.ENV)
    yield Case(
        "shared_honest", "honest", True, "the faithful repository of the shared folder", paper, *_swapped(make()), pins
    )
    changes = cast("dict[str, Callable[[dict[str, str], Plan], None]]", cheats.CH)
    for name, change in changes.items():
        files, plan = make()
        change(files, plan)
        yield Case(name, "shared", False, (change.__doc__ or "").strip(), paper, plan, files, pins)


def _swapped(made: tuple[dict[str, str], Plan]) -> tuple[Plan, dict[str, str]]:
    return made[1], made[0]
