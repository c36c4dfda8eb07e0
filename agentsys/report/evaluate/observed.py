"""A repository without a plan, described so that the checks of a verification can be run on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pydantic import ValidationError

from agentsys.core.artifacts import Experiment, FileSpec, PaperPlace, Plan, Requirement
from agentsys.report.evaluate.subject import method_files
from agentsys.verify.fidelity.papermap import PaperMap

MAP = "paper_map.json"


def observed_plan(files: Mapping[str, bytes]) -> tuple[Plan, bool]:
    """Return a plan made from what lies there, and whether it holds a ledger (that of paper_map.json)."""
    package = package_of(files)
    mapped = _from_map(files, package)
    if mapped is not None:
        return mapped, True
    owner = next(iter(method_files(files)), "none.py")
    place = PaperPlace(section="-")
    row = Requirement(id="R1", what="-", place=place, owner=owner)
    return _plan(package, (row,), (FileSpec(path=owner, purpose="-", requirements=("R1",)),)), False


def package_of(files: Mapping[str, bytes]) -> str:
    """Return the package or module at the root (or below `src`) that holds most of the method."""
    size: Counter[str] = Counter()
    for path in method_files(files):
        if path.endswith(".py"):
            parts = path.removeprefix("src/").split("/")
            # A module at the root counts little: a package beside it is what the repository is about.
            name = parts[0] if len(parts) > 1 else parts[0].removesuffix(".py")
            size[name] += len(files[path]) * (10 if len(parts) > 1 else 1)
    return size.most_common(1)[0][0] if size else "package"


def _from_map(files: Mapping[str, bytes], package: str) -> Plan | None:
    if MAP not in files:
        return None
    try:
        rows = PaperMap.model_validate_json(files[MAP]).requirements
        requirements = tuple(
            Requirement.model_validate(
                {"id": row.id, "what": row.what, "kind": row.kind, "place": row.place, "owner": row.owner or "-"}
            )
            for row in rows
        )
    except ValidationError:
        return None
    symbols: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for item in row.symbols:
            if item.kind in ("function", "class"):
                symbols.setdefault(item.path, {}).setdefault(row.id, []).append(item.symbol)
    if not symbols:
        return None
    specs = tuple(
        FileSpec(path=path, purpose="-", requirements=tuple(named), symbols={key: tuple(v) for key, v in named.items()})
        for path, named in symbols.items()
    )
    return _plan(package, requirements, specs)


def _plan(package: str, requirements: tuple[Requirement, ...], files: tuple[FileSpec, ...]) -> Plan:
    experiment = Experiment(name="-", what="-", full="-", smoke="-")
    made = Plan(
        package="package",
        summary="-",
        architecture="-",
        requirements=requirements,
        files=files,
        config_full={},
        config_smoke={},
        experiments=(experiment,),
    )
    return made.model_copy(update={"package": package})  # a foreign name need not keep our rules
