"""From an exception to a diagnostic: what kind of fault it is, and where in our own code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentsys.core.artifacts import Diagnostic, DiagnosticKind
from agentsys.core.tree import is_test_path
from agentsys.plan.distributions import distribution_of, is_stdlib
from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.logs.tracebacks import Fault, Frame

_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_SHARED_OBJECT = re.compile(r"(\S+\.so[\w.]*): cannot open shared object file")
_NO_FILE = re.compile(r"No such file or directory: '([^']+)'")
_DID_YOU_MEAN = re.compile(r"\. Did you mean: '(\w+)'\?")
_SYNTAX = ("SyntaxError", "IndentationError", "TabError")
_OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError", "_ArrayMemoryError")


@dataclass(frozen=True)
class Finding:
    """What an error text comes down to. `path` None means: where the deepest own frame is."""

    kind: DiagnosticKind
    message: str
    symbol: str = ""
    path: str | None = None


def diagnose(fault: Fault, check: str, default: DiagnosticKind, facts: RepoFacts, *, test: str = "") -> Diagnostic:
    """Turn one exception into a diagnostic.

    Args:
        default: kind where nothing more telling is found (`test`, `import`, `runtime`).
        test: id of the test in which it happened, if it was one.
    """
    place = _place(fault)
    finding = _finding(fault, default, facts)
    path = finding.path if finding.path is not None else (place.path if place else "")
    symbol = finding.symbol or _symbol(place, test)
    return Diagnostic(
        kind=finding.kind,
        check=check,
        message=finding.message,
        path=path,
        line=place.line if place and place.path == path else None,
        symbol=symbol,
        frames=tuple(str(frame) for frame in fault.own[-12:]),
    )


def _place(fault: Fault) -> Frame | None:
    own = fault.own
    if fault.error in _SYNTAX and fault.frames and not fault.frames[-1].own:
        return None
    return own[-1] if own else None


def _symbol(place: Frame | None, test: str) -> str:
    function = place.function if place and place.function != "<module>" else ""
    return test or function if place is None or is_test_path(place.path) else function


def _finding(fault: Fault, default: DiagnosticKind, facts: RepoFacts) -> Finding:
    text = f"{fault.error}: {fault.message}" if fault.message else fault.error
    if fault.error in _SYNTAX and fault.frames and fault.frames[-1].own:
        return Finding("syntax", text)
    if fault.error in ("ModuleNotFoundError", "ImportError"):
        return _import_finding(fault, text, facts)
    attribute = _NO_ATTRIBUTE.search(fault.message)
    if fault.error == "AttributeError" and attribute:
        return Finding("wrong_import", text, f"{attribute[1]}.{attribute[2]}")
    if fault.error in _OUT_OF_MEMORY:
        return Finding("oom", text)
    missing = _NO_FILE.search(fault.message)
    if fault.error == "FileNotFoundError" and missing:
        return _missing_file(missing[1], text, default, facts)
    return Finding(default, text)


def _import_finding(fault: Fault, text: str, facts: RepoFacts) -> Finding:
    module = _NO_MODULE.search(fault.message)
    if module:
        return missing_module(module[1], facts)
    name = _NO_NAME.search(fault.message)
    if name:
        circular = " (circular import)" if "circular import" in fault.message else ""
        meant = _DID_YOU_MEAN.search(fault.message)
        why = f"; did you mean `{meant[1]}`?" if meant else circular
        return Finding("wrong_import", f"cannot import `{name[1]}` from `{name[2]}`{why}", f"{name[2]}.{name[1]}")
    library = _SHARED_OBJECT.search(fault.message)
    if library:
        return Finding(
            "import",
            f"the system library `{library[1]}` is missing; use a distribution that does not need it",
            library[1],
        )
    return Finding("import", text)


def missing_module(module: str, facts: RepoFacts) -> Finding:
    """Tell an uninstalled distribution from a wrong name."""
    if facts.is_own(module):
        near = facts.closest_module(module)
        hint = f"; the repository has `{near}`" if near and near != module else ""
        return Finding("wrong_import", f"the repository has no module `{module}`{hint}", module)
    if is_stdlib(module):
        return Finding("wrong_import", f"Python's standard library has no module `{module}`", module)
    distribution = distribution_of(module)
    if facts.is_installed(distribution):
        return Finding("wrong_import", f"`{distribution}` is installed but has no module `{module}`", module)
    near = facts.closest_module(module.partition(".")[0])
    if near and "." not in near:
        return Finding("wrong_import", f"there is no module `{module}`; the repository has `{near}`", module)
    message = f"`{module}` is not installed: add `{distribution}` to the requirements"
    return Finding("missing_dependency", message, distribution)


def _missing_file(name: str, text: str, default: DiagnosticKind, facts: RepoFacts) -> Finding:
    inside = name.removeprefix(facts.root.rstrip("/") + "/")
    planned = facts.plan is not None and any(spec.path == inside for spec in facts.plan.files)
    if inside.startswith(("/", "..", "results/")) or not (planned or inside.startswith(("configs/", "data/"))):
        return Finding(default, text)
    return Finding("missing_file", f"`{inside}` does not exist", inside)
