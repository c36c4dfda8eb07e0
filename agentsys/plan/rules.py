"""What a plan must satisfy beyond its types. Each problem is a sentence that the planner is told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as PackageRequirement

from agentsys.core.artifacts import CENTRAL, DataSource, Dependency, FileSpec, Plan
from agentsys.core.errors import UnsafePath
from agentsys.core.paths import clean_name
from agentsys.core.tree import is_source
from agentsys.plan.answers import GENERATED_BY_TOOLING, DesignAnswer, EvaluationAnswer, Ledger, RequirementsAnswer
from agentsys.plan.data import DATA, data_problems, unshipped
from agentsys.plan.traceability import RESULT, symbol_problems

MAX_FILES = 60
SMOKE_SECONDS = 60
"""What a smoke profile is asked to take at most."""
PARTIAL, PARTS = "results/partial.jsonl", "parts"
"""Where a long run writes what it has finished, a line a part; the configuration's list of parts."""
LONG_MINUTES = 10
"""What a full profile may take without that."""
FAR = 1000.0
"""A bound in a plan that is so many times larger than every number of the paper is one that nothing could violate."""
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_MOVES = re.compile(
    r"fall|drop|decreas|declin|descen|shrink|reduc|increas|ris[ei]|grow|improv|learn|converg|approach|monoton|separat",
    re.IGNORECASE,
)
_COMPARES = re.compile(
    r"below|above|under|over|less|more|greater|lower|higher|smaller|larger|exceed|better|worse|beat|between|within"
    r"|at least|at most|than|close|near|match|agree|equal|same|reach|differ|best|worst|lead|chance|zero|positive|order"
    r"|follow|recover|preserv|consist|[<>\u2264\u2265=\u2248]",
    re.IGNORECASE,
)
WRITTEN_BY_TOOLING = GENERATED_BY_TOOLING | {"requirements.lock", "AUDIT.md", "data.lock.json"}


def requirements_problems(answer: RequirementsAnswer) -> list[str]:
    """Check the ledger: unique ids, and a method."""
    problems = [f"requirement id {name} stands twice" for name in _twice(row.id for row in answer.requirements)]
    if not any(row.kind in CENTRAL for row in answer.requirements):
        problems.append(
            f"no requirement is of the kinds {', '.join(sorted(CENTRAL))}: what does the paper's method do?"
        )
    return problems


def evaluation_problems(answer: EvaluationAnswer) -> list[str]:
    """Check experiments and expected results: known experiments, result keys that are identifiers."""
    problems = [f"experiment name `{name}` stands twice" for name in _twice(row.name for row in answer.experiments)]
    names = {row.name for row in answer.experiments}
    for row in answer.expected:
        if row.experiment not in names:
            problems.append(
                f"expected result {row.id} names the experiment `{row.experiment}`, which is not in the list"
            )
        if not re.fullmatch(r"[A-Za-z_]\w*", row.result_key):
            problems.append(f"result_key `{row.result_key}` of {row.id} is not an identifier")
    problems += [f"result_key `{name}` stands twice" for name in _twice(row.result_key for row in answer.expected)]
    problems += data_problems(answer.data)
    return problems + [
        f"`health` of the experiment `{row.name}` could not fail: name a quantity that must fall, rise or beat a bound "
        "which a broken method would violate"
        for row in answer.experiments
        if row.health.strip() and not _can_fail(row.health, [abs(e.value) for e in answer.expected])
    ]


def _can_fail(health: str, sizes: Sequence[float]) -> bool:
    """False for signs that any run shows: it ends, its numbers are finite, or below a bound that nothing reaches."""
    if _MOVES.search(health):
        return True
    bounds = [abs(float(number)) for number in _NUMBER.findall(health)]
    if bounds:
        return min(bounds) <= FAR * max([1.0, *sizes])
    return _COMPARES.search(health) is not None


def design_problems(design: DesignAnswer, ledger: Ledger) -> list[str]:
    """Check step 2: names, dependencies without cycles, an owner for each requirement, the files that must be there."""
    known = {row.id for row in ledger.requirements}
    owned = {rid for spec in design.files for rid in spec.requirements}
    problems = file_problems(design.files, design.package)
    problems += [
        f"requirement {rid} has no owner: name it in `requirements` of a file" for rid in sorted(known - owned)
    ]
    problems += [f"`requirements` names {rid}, which is not in the ledger" for rid in sorted(owned - known)]
    keys = {row.result_key for row in ledger.expected}
    for spec in design.files:
        problems += symbol_problems(spec, keys)
    problems += dependency_problems(design.dependencies)
    return problems + _data_problems(ledger.data, design.files, design.dependencies)


def _data_problems(
    data: Sequence[DataSource], files: Sequence[FileSpec], dependencies: Sequence[Dependency]
) -> list[str]:
    """No planned file may stand where the data is shown."""
    below = [
        f"file path `{spec.path}` lies where the data is shown" for spec in files if spec.path.startswith(f"{DATA}/")
    ]
    return [*(below if data else ()), *unshipped(data, dependencies)]


def file_problems(files: Sequence[FileSpec], package: str) -> list[str]:
    """Check the list of files alone."""
    problems: list[str] = []
    paths = [spec.path for spec in files]
    for path in paths:
        try:
            if clean_name(path) != path:
                problems.append(f"file path {path[:80]!r} is not in its shortest form")
            elif path in WRITTEN_BY_TOOLING or not is_source(path) or path.startswith("results/"):
                problems.append(f"file path {path[:80]!r} is written by the tooling or by a run, not by you")
        except UnsafePath as fault:
            problems.append(f"file path {path[:80]!r}: {fault.message}")
    problems += _collisions([*paths, *GENERATED_BY_TOOLING])
    problems += [f"`{name}` stands twice in the list of files" for name in _twice(path.casefold() for path in paths)]
    for spec in files:
        problems += [
            f"`{spec.path}` depends on `{name}`, which is not in the list of files"
            for name in spec.depends_on
            if name not in paths
        ]
    used = {name for spec in files for name in spec.depends_on}
    problems += [
        f"`{spec.path}` has no `interface`, but other files depend on it"
        for spec in files
        if spec.kind == "source" and spec.path in used and not spec.interface.strip()
    ]
    if cycle := find_cycle({spec.path: spec.depends_on for spec in files}):
        problems.append("the dependencies run in a circle: " + " -> ".join(cycle))
    if len(files) > MAX_FILES:
        problems.append(f"{len(files)} files are too many; at most {MAX_FILES}")
    return problems + _must_be_there(files, package)


def _collisions(paths: Sequence[str]) -> list[str]:
    """A path may not be a file and a folder, nor a folder be written in two ways."""
    folders: dict[str, str] = {}
    problems: list[str] = []
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts)):
            folder = "/".join(parts[:end])
            if folders.setdefault(folder.casefold(), folder) != folder:
                problems.append(f"the folders `{folders[folder.casefold()]}` and `{folder}` differ only in case")
    problems += [f"`{path}` is a file and a folder" for path in paths if path.casefold() in folders]
    return list(dict.fromkeys(problems))


def _must_be_there(files: Sequence[FileSpec], package: str) -> list[str]:
    paths = {spec.path for spec in files}
    problems = [
        f"`{name}` is missing from the list of files" for name in ("reproduce.sh", "README.md") if name not in paths
    ]
    inside = (f"{package}/", f"src/{package}/")
    if not any(path.startswith(inside) and path.endswith(".py") for path in paths):
        problems.append(f"no file lies under the package folder `{package}/`")
    if not any(re.fullmatch(r"tests/(.+/)?test_\w+\.py", path) for path in paths):
        problems.append("no test file `tests/test_*.py` is planned")
    return problems


def dependency_problems(dependencies: Iterable[Dependency]) -> list[str]:
    """Check that each dependency is a plain name with a version specifier (no URLs, no options)."""
    problems: list[str] = []
    for row in dependencies:
        line = f"{row.name}{row.specifier}"
        try:
            parsed = PackageRequirement(line)
        except InvalidRequirement:
            problems.append(f"dependency {line[:80]!r} is not `name` plus a version specifier such as `>=2,<3`")
            continue
        if parsed.url is not None:
            problems.append(f"dependency {line[:80]!r} is a direct URL, which is not allowed")
    return problems


def plan_problems(plan: Plan) -> list[str]:
    """Check a whole plan, e.g. one that was edited by hand."""
    problems = file_problems(plan.files, plan.package) + dependency_problems(plan.dependencies)
    problems += data_problems(plan.data) + _data_problems(plan.data, plan.files, plan.dependencies)
    paths = {spec.path for spec in plan.files}
    known = {row.id for row in plan.requirements}
    problems += [f"requirement id {name} stands twice" for name in _twice(row.id for row in plan.requirements)]
    problems += [
        f"requirement {row.id} is owned by `{row.owner}`, which is not in the list of files"
        for row in plan.requirements
        if row.owner not in paths
    ]
    problems += [
        f"`{spec.path}` names requirement {rid}, which is not in the ledger"
        for spec in plan.files
        for rid in spec.requirements
        if rid not in known
    ]
    return problems


def levels(files: Sequence[FileSpec]) -> list[list[FileSpec]]:
    """Split files into levels: each file's dependencies lie in earlier levels. The list must be free of cycles."""
    order = TopologicalSorter({spec.path: spec.depends_on for spec in files})
    order.prepare()
    found: list[list[FileSpec]] = []
    while order.is_active():
        ready = order.get_ready()
        found.append([spec for spec in files if spec.path in ready])
        order.done(*ready)
    return found


def needed_by(files: Sequence[FileSpec], spec: FileSpec) -> list[str]:
    """Return the paths that a file depends on, directly or not, sorted. The list must be free of cycles."""
    by_path = {item.path: item for item in files}
    found: set[str] = set()
    rest = list(spec.depends_on)
    while rest:
        name = rest.pop()
        if name in by_path and name not in found:
            found.add(name)
            rest += by_path[name].depends_on
    return sorted(found)


def needed_interfaces(plan: Plan, spec: FileSpec) -> str:
    """Return the agreed interfaces of the files that a file needs, directly or not; empty where it needs none."""
    names = needed_by(plan.files, spec)
    planned = [other for other in plan.files if other.path in names and other.interface]
    return "\n\n".join(f"# {other.path}\n{other.interface}" for other in planned)


def measures(plan: Plan, spec: FileSpec) -> bool:
    """True for files that have to know the experiments: they carry a result, use what does, or tell of them."""
    measuring = {row.path for row in plan.files if any(RESULT in " ".join(names) for names in row.symbols.values())}
    near = measuring.intersection((spec.path, *spec.depends_on))
    return spec.kind in ("doc", "script") or bool(near) or not measuring


def find_cycle(edges: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one cycle as a list of names that starts and ends alike, or an empty list."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return []


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
