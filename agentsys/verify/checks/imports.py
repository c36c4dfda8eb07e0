"""The check `imports`: every module of the repository imports."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import dirname

from pydantic import BaseModel, ConfigDict

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import parse
from agentsys.verify.checks.base import Bench, CheckSpec, Found, log_text, outcome_diagnostic, read_lines
from agentsys.verify.checks.executed import unseen_code
from agentsys.verify.logs.classify import diagnose
from agentsys.verify.logs.diagnostics import from_output
from agentsys.verify.logs.tracebacks import Fault
from agentsys_sandbox.base import REPO
from agentsys_sandbox.spec import ExecResult

_SCRIPT = "agentsys_imports.py"


@dataclass(frozen=True)
class Module:
    """One module to import."""

    name: str
    path: str
    """Path in the repository."""
    folder: str = ""
    """Folder that goes first on the module search path, as pytest does for test files; empty for the root."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")
    start: int = -1
    done: int = -1
    ok: bool = False
    error: str = ""
    crash: int | None = None


async def check_imports(bench: Bench) -> Found:
    """Import each module in one process; a module that ends the process is named and the rest goes on."""
    modules, skipped = modules_of(bench)
    if not any(module.path.startswith(_package_roots(bench)) for module in modules):
        return _no_package(bench)
    out = f"{bench.inside}/imports.jsonl"
    job = {
        "out": out,
        "repo": REPO,
        "checked": bench.checked(),
        "path": [REPO, f"{REPO}/src"] if f"src/{bench.job.plan.package}" in _folders(bench) else [REPO],
        "modules": [{"name": item.name, "file": f"{REPO}/{item.path}", "folder": item.folder} for item in modules],
    }
    await bench.place_repo()
    result = await bench.run_probe("imports", _SCRIPT, job)
    data = await bench.sandbox.read_file(out, max_bytes=16 << 20)
    found = _judge(bench, modules, skipped, read_lines(data, _Line), result)
    unseen = unseen_code("imports", data)
    check = found.check.model_copy(update={"state": "failed"}) if unseen else found.check
    return Found(check, (*found.diagnostics, *unseen))


def modules_of(bench: Bench) -> tuple[list[Module], int]:
    """Return what to import, the package first, and how many scripts are left out because importing would run them."""
    package: list[Module] = []
    others: list[Module] = []
    skipped = 0
    for path in sorted(bench.job.files):
        if not path.endswith(".py"):
            continue
        root = next((item for item in _package_roots(bench) if path.startswith(item)), "")
        if path.endswith("__main__.py") or path == "setup.py" or (not root and _runs_on_import(path, bench)):
            skipped += 1
        elif root:
            package.append(Module(_dotted(path.removeprefix("src/")), path))
        else:
            base = _base_folder(path, bench)
            name = _dotted(path[len(base) :].lstrip("/"))
            others.append(Module(name, path, f"{REPO}/{base}".rstrip("/") if base else ""))
    return package + others, skipped


def _package_roots(bench: Bench) -> tuple[str, ...]:
    return (f"{bench.job.plan.package}/", f"src/{bench.job.plan.package}/", f"{bench.job.plan.package}.py")


def _folders(bench: Bench) -> set[str]:
    return {dirname(path) for path in bench.job.files}


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _base_folder(path: str, bench: Bench) -> str:
    """Pytest's rule: the first folder upwards that is no package."""
    folder = dirname(path)
    while folder and f"{folder}/__init__.py" in bench.job.files:
        folder = dirname(folder)
    return folder


def _runs_on_import(path: str, bench: Bench) -> bool:
    """True for scripts that work at module level without asking for `__main__`: importing one would run it."""
    if is_test_path(path):
        return False
    text = bench.text(path)
    tree = parse(text)
    if tree is None:
        return False
    calls = any(isinstance(item, ast.Expr) and isinstance(item.value, ast.Call) for item in tree.body)
    loops = any(isinstance(item, ast.For | ast.While | ast.With) for item in tree.body)
    return (calls or loops) and "__name__" not in text


def _judge(bench: Bench, modules: Sequence[Module], skipped: int, lines: Sequence[_Line], result: ExecResult) -> Found:
    done = {line.done: line for line in lines if 0 <= line.done < len(modules)}
    failed = {number: line for number, line in done.items() if not line.ok}
    found = [_diagnostic(bench, modules[number], line) for number, line in sorted(failed.items())]
    limit = outcome_diagnostic("imports", result, _under_way(modules, lines), path=_path_under_way(modules, lines))
    if limit:
        found.append(limit)
    missing = len(modules) - len(done)
    if missing and not found:
        found.append(_unfinished(bench, missing, result))
    good = len(done) - len(failed)
    note = f"{good} of {len(modules)} modules import" + (f"; {skipped} scripts not imported" if skipped else "")
    log = bench.log("imports.log", _log(modules, done, result))
    state = "passed" if good == len(modules) and result.ok and not found else "failed"
    counts = {"imported": good, "modules": len(modules)}
    return Found(bench.check("imports", state, note, result=result, log=log, counts=counts), tuple(found))


def _diagnostic(bench: Bench, module: Module, line: _Line) -> Diagnostic:
    if line.crash is not None:
        fault = Fault("SystemExit", f"importing `{module.name}` ended the process ({line.crash})", ())
    else:
        parsed = from_output(line.error, "imports", "import", bench.facts)
        if parsed is not None:
            return parsed.model_copy(update={"path": parsed.path or module.path})
        fault = Fault("ImportError", (line.error.strip().splitlines() or ["unknown"])[-1], ())
    found = diagnose(fault, "imports", "import", bench.facts)
    return found.model_copy(update={"path": module.path, "symbol": module.name})


def _path_under_way(modules: Sequence[Module], lines: Sequence[_Line]) -> str:
    last = max((line.start for line in lines), default=-1)
    return modules[last].path if 0 <= last < len(modules) else ""


def _under_way(modules: Sequence[Module], lines: Sequence[_Line]) -> str:
    path = _path_under_way(modules, lines)
    return f"importing `{path}`" if path else "importing"


def _unfinished(bench: Bench, missing: int, result: ExecResult) -> Diagnostic:
    message = f"{missing} modules were not reached: an import ended the run"
    return Diagnostic(kind="import", check="imports", message=message, detail=cut(result.text(), 3000))


def _no_package(bench: Bench) -> Found:
    name = bench.job.plan.package
    message = f"the package `{name}` has no module: expected `{name}/` or `src/{name}/`"
    found = Diagnostic(kind="missing_file", check="imports", message=message, symbol=name, path=f"{name}/__init__.py")
    return bench.failed(found)


def _log(modules: Sequence[Module], done: dict[int, _Line], result: ExecResult) -> str:
    rows: list[str] = []
    for number, module in enumerate(modules):
        line = done.get(number)
        word = "not reached" if line is None else "ok" if line.ok else "failed"
        rows.append(f"{word:12} {module.name}  ({module.path})\n{line.error if line and not line.ok else ''}")
    return "".join(rows) + "\n" + log_text(result)


CHECK = CheckSpec("imports", check_imports, needs=("install",))
