"""Runs the checks of a verification on any repository, in a sandbox, and turns them into parts of the score."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentsys.core.artifacts import Plan
from agentsys.core.events import EventLog
from agentsys.core.tree import is_test_path
from agentsys.plan import conda
from agentsys.plan.distributions import is_stdlib
from agentsys.plan.repo_facts import RepoFacts
from agentsys.plan.requirements import FILES, read_requirements
from agentsys.plan.symbols import parse
from agentsys.report.evaluate.execution import Refuses
from agentsys.report.evaluate.observed import observed_plan
from agentsys.report.evaluate.parts import WEIGHTS, Measured, Part, PartName
from agentsys.report.evaluate.stubs import Function, functions
from agentsys.report.evaluate.subject import Subject, method_files, text_of
from agentsys.verify.checks.base import Bench, Found, Infrastructure, Job, Screened
from agentsys.verify.checks.imports import check_imports
from agentsys.verify.checks.install import check_install
from agentsys.verify.checks.pyright import check_types
from agentsys.verify.checks.pytests import check_pytest
from agentsys.verify.fidelity.evidence import TestRecord, gather, read_tests
from agentsys.verify.fidelity.mutation import sample_faults
from agentsys.verify.fidelity.mutation_report import FILE
from agentsys.verify.logs.pyright_report import parse_pyright
from agentsys_sandbox.base import Sandbox, SandboxError
from agentsys_sandbox.spec import Description

OWN = "requirements-test.txt"
"""Added to the copy under test where the repository does not ask for pytest itself."""
BARE = "bare"
"""Name of the checks' folder where the requirements did not install."""
NOT_INSTALLED = ("setup.py", "environment.yml", "environment.yaml", "conda.yaml", "Pipfile", "Dockerfile")
"""Other files in which a repository may say what it needs."""
_NO_CODE = "there is no code in this repository"


@dataclass
class _Work:
    subject: Subject
    plan: Plan
    ledger: bool
    """Whether the plan names what must be covered."""
    out: Path
    timeout: float
    mutants: int
    events: EventLog
    functions: list[Function]
    refuses: Refuses


async def measure(
    subject: Subject,
    factory: Callable[[], Sandbox] | None,
    *,
    out: Path,
    timeout: float = 1200.0,
    mutants: int = 20,
    events: EventLog | None = None,
    refuses: Refuses = lambda _: "",
) -> Measured:
    """Measure every part that can be measured.

    Args:
        factory: makes the sandbox; None leaves out what must be run.
        out: folder of the logs.
        timeout: seconds for each command.
        mutants: most faults that are planted; 0 leaves the part out.
        refuses: see `execution.Refuses`.

    Raises: SandboxError if no sandbox could be opened. One that fails later is said in the parts.
    """
    plan, ledger = (subject.plan, True) if subject.plan else observed_plan(subject.files)
    log = events or EventLog(None, "evaluate")
    work = _Work(subject, plan, ledger, out, timeout, mutants, log, functions(subject.files), refuses)
    parts: dict[PartName, Part] = {"code": _code(subject), "stubs": _stubs(work)}
    place: Description | None = None
    if subject.kind != "code":
        parts |= _rest(parts, _NO_CODE, value=0.0)
    elif not any(path.endswith(".py") for path in method_files(subject.files)):
        parts |= _rest(parts, "only Python can be measured")
    elif factory is None:
        parts |= _rest(parts, "nothing was run, as asked for")
    else:
        async with factory() as sandbox:
            place = sandbox.describe()
            await _run(work, sandbox, parts)
        parts |= _rest(parts, "the sandbox failed")
    return Measured(tuple(parts[name] for name in WEIGHTS), place.backend if place else "", bool(place and place.weak))


def _rest(parts: Mapping[PartName, Part], because: str, value: float | None = None) -> dict[PartName, Part]:
    """Return the parts that are not there yet: measured as nothing, or not measured."""
    note, why = (because, "") if value is not None else ("", because)
    return {name: Part(name, value, note, why) for name in WEIGHTS if name not in parts}


# -- without running ---------------------------------------------------------------------------------------------------


def _code(subject: Subject) -> Part:
    if subject.kind != "code":
        return Part("code", 0.0, _NO_CODE)
    texts = {path: text_of(data) for path, data in subject.files.items() if path.endswith(".py")}
    if not texts:
        return Part("code", 1.0, f"{len(method_files(subject.files))} files of code, none in Python")
    good = sum(1 for text in texts.values() if text is not None and parse(text) is not None)
    return Part("code", good / len(texts), f"{good} of {len(texts)} Python files can be parsed")


def _stubs(work: _Work) -> Part:
    found = work.functions
    if not found:
        return _no_functions(work.subject)
    stubs = [item for item in found if item.stub]
    named = ", ".join(f"{item.path}:{item.line} {item.name} ({item.stub})" for item in stubs[:5])
    more = f" and {len(stubs) - 5} more" if len(stubs) > 5 else ""
    note = f"{len(stubs)} of {len(found)} functions are stubs" + (f": {named}{more}" if stubs else "")
    return Part("stubs", 1 - len(stubs) / len(found), note)


def _no_functions(subject: Subject) -> Part:
    """Scripts without functions hold no stubs either; what cannot be parsed holds nothing."""
    if subject.kind != "code":
        return Part("stubs", 0.0, _NO_CODE)
    python = [path for path in method_files(subject.files) if path.endswith(".py")]
    if not python:
        return Part("stubs", None, because="only Python can be measured")
    good = any(parse(text_of(subject.files[path]) or "(") is not None for path in python)
    return Part("stubs", float(good), "scripts without functions" if good else "no Python file can be parsed")


# -- in the sandbox ----------------------------------------------------------------------------------------------------


async def _run(work: _Work, sandbox: Sandbox, parts: dict[PartName, Part]) -> None:
    """Add the parts that are run, one by one; where the sandbox fails, the rest is left to be said."""
    try:
        bench = await _installed(work, sandbox, parts)
        found = await check_imports(bench)
        parts["imports"] = _bare(bench, _imports(found))
        await check_types(bench)
        parts["types"] = _bare(bench, _types(bench))
        found = await check_pytest(bench)
        stored = bench.job.out / "tests.json"
        tests = read_tests(stored.read_bytes()) if stored.is_file() else None
        parts["tests"] = _bare(bench, _tests(found))
        parts["coverage"] = _coverage(work, tests)
        parts["mutation"] = await _mutation(work, bench, parts["tests"], tests)
    except (Infrastructure, SandboxError) as error:
        parts |= _rest(parts, f"the sandbox failed: {error}")


async def _installed(work: _Work, sandbox: Sandbox, parts: dict[PartName, Part]) -> Bench:
    """Install what the repository asks for, and pytest; where that fails, pytest alone: the rest can be seen then."""
    files = dict(work.subject.files)
    facts = RepoFacts(files=frozenset(files), plan=work.plan)
    wanted = read_requirements(files, facts)
    named = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in wanted.lines}
    translated = wanted.source in conda.FILES and not wanted.faults
    if translated:  # beside a requirements file of ours it would not be read
        files[FILES[0]] = "".join(f"{line}\n" for line in wanted.lines).encode()
    if "pytest" not in named and OWN not in files:
        files[OWN] = b"pytest\n"
    bench = _bench(work, sandbox, files, "installed")
    await bench.place_repo()
    found = await check_install(bench)
    missing = [] if wanted.source else _third_party(work.subject.files, facts)
    taken = wanted.source if translated else ""
    others = [name for name in NOT_INSTALLED if name in work.subject.files and name != taken]
    parts["installs"] = _installs(found, wanted.source, missing, others)
    if found.check.state == "passed":
        return bench
    bare = {path: data for path, data in files.items() if path not in (*FILES, "pyproject.toml")}
    bench = _bench(work, sandbox, bare | {OWN: b"pytest\n"}, BARE)
    await bench.place_repo()
    if (await check_install(bench)).check.state != "passed":
        raise Infrastructure("pytest could not be installed")
    return bench


def _bench(work: _Work, sandbox: Sandbox, files: Mapping[str, bytes], name: str) -> Bench:
    async def screen(bench: Bench) -> Screened:
        why = work.refuses(bench.packages)
        return Screened(note=why, refused=bool(why), may_run=not why)

    job = Job(files=files, out=work.out / name, plan=work.plan, events=work.events, timeout=work.timeout, screen=screen)
    return Bench(sandbox, job)


def _third_party(files: Mapping[str, bytes], facts: RepoFacts) -> list[str]:
    """Return the top names of what the code imports and neither Python nor the repository has."""
    found: set[str] = set()
    for path, data in files.items():
        tree = parse(text_of(data) or "") if path.endswith(".py") and not is_test_path(path) else None
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module)
    folders = {part for path in files for part in path.split("/")[:-1]} | {Path(path).stem for path in files}
    tops = {name.partition(".")[0] for name in found if not is_stdlib(name) and not facts.is_own(name)}
    return sorted(tops - folders)


def _bare(bench: Bench, part: Part) -> Part:
    """Say where a part was measured without the repository's own requirements."""
    if bench.job.out.name != BARE:
        return part
    return Part(part.name, part.value, f"{part.note} (in an environment with pytest alone)", part.because)


def _installs(found: Found, source: str, missing: list[str], others: list[str]) -> Part:
    if found.check.state != "passed":
        return Part("installs", 0.0, found.check.note)
    if missing and others:
        why = f"`{others[0]}` says what the code needs; only requirements.txt and pyproject.toml can be installed here"
        return Part("installs", None, because=why)
    if missing:
        return Part("installs", 0.0, f"nothing says that the code needs {', '.join(missing[:8])}")
    if not source:
        return Part("installs", 1.0, "no requirements file; the code imports the standard library alone")
    return Part("installs", 1.0, found.check.note)


def _imports(found: Found) -> Part:
    good, every = found.check.counts.get("imported", 0), found.check.counts.get("modules", 0)
    return Part("imports", good / every if every else 0.0, found.check.note)


def _types(bench: Bench) -> Part:
    raw = (bench.job.out / "pyright.json").read_text(encoding="utf-8")
    report = parse_pyright(raw, bench.facts)
    if report is None:
        return Part("types", None, because="pyright gave no report")
    own = [text_of(data) or "" for path, data in bench.job.files.items() if path.endswith(".py")]
    lines = sum(1 for text in own for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))
    value = 1 / (1 + 100 * report.errors / max(lines, 1))
    return Part("types", value, f"{report.errors} errors of pyright in {lines} lines of code")


def _tests(found: Found) -> Part:
    passed, failed = found.check.counts.get("passed", 0), found.check.counts.get("failed", 0)
    broken = 1 if found.check.state != "passed" and not failed and passed else 0
    every = passed + failed + broken
    note = found.check.note + ("; pytest did not end well" if broken else "")
    return Part("tests", passed / every if every else 0.0, note)


def _coverage(work: _Work, tests: TestRecord | None) -> Part:
    stubs = {(item.path, item.name) for item in work.functions if item.stub}
    if work.ledger:
        evidence = gather(work.plan, work.subject.files, tests)
        rows = [item for row in evidence.requirements for item in row.symbols if item.kind in ("function", "class")]
        wanted = {(item.path, item.symbol): item.found and bool(item.tests) for item in rows}
        what = "functions and classes of the ledger"
    else:
        public = [item for item in work.functions if not item.name.rpartition(".")[2].startswith("_")]
        wanted = {(item.path, item.name): bool(tests and tests.executed(item.path, item.name)) for item in public or ()}
        what = "public functions"
    if not wanted:
        return Part("coverage", None, because="there is no function that tests could execute")
    covered = sum(1 for key, ran in wanted.items() if ran and key not in stubs)
    return Part("coverage", covered / len(wanted), f"passed tests executed {covered} of {len(wanted)} {what}")


async def _mutation(work: _Work, bench: Bench, part: Part, tests: TestRecord | None) -> Part:
    if not work.mutants:
        return Part("mutation", None, because="no faults were planted, as asked for")
    if not part.value or tests is None:
        return Part("mutation", 0.0, "no test passes, so none can notice a fault")
    report = await sample_faults(bench, tests, work.mutants, owned=work.ledger)
    bench.log(FILE, report.model_dump_json(indent=1) + "\n")
    if report.share is None:
        return Part("mutation", None, because=report.note or "no planted fault could be tried")
    tried = report.count("caught") + report.count("survived")
    note = f"{report.count('caught')} of {tried} planted faults made a test fail"
    return Part("mutation", report.share, f"{note}; {report.note}" if report.note else note)
