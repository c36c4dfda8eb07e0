"""All diagnostics of a round: without repetitions, root causes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentsys.core.artifacts import Diagnostic, DiagnosticKind
from agentsys.core.errors import UnsafePath
from agentsys.core.paths import clean_name
from agentsys.core.text import clean_text, cut
from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.logs.classify import diagnose
from agentsys.verify.logs.tracebacks import Fault, parse_faults

ORDER: tuple[DiagnosticKind, ...] = (
    "syntax",
    "missing_file",
    "missing_dependency",
    "bad_pin",
    "wrong_import",
    "install",
    "import",
    "type",
    "oom",
    "timeout",
    "runtime",
    "test",
    "no_test",
    "output",
    "result",
    "health",
    "audit",
    "fidelity",
)
"""Kinds by how likely they are the cause of the others."""
MAX_DIAGNOSTICS = 100
"""More of them than this say no more."""
MAX_PLACES = 20
"""Places of one fault that its message names; a repair has to reach all of them."""


def order_and_merge(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Merge what is the same fault, and sort by root cause.

    Of several sightings the one with the most frames is kept; its message ends with all their places:
    `[3 times: pyright a.py:4, pyright a.py:9, smoke]`.

    Args:
        found: in the order in which the checks ran.
    """
    groups: dict[str, list[Diagnostic]] = {}
    checks: dict[str, int] = {}
    for item in map(_harmless, found):
        groups.setdefault(item.fingerprint, []).append(item)
        checks.setdefault(item.check, len(checks))
    merged = [_merge(items) for items in groups.values()]
    merged.sort(key=lambda item: (ORDER.index(item.kind), checks[item.check], item.path, item.line or 0))
    return tuple(merged[:MAX_DIAGNOSTICS])


def _harmless(item: Diagnostic) -> Diagnostic:
    """Programs under test wrote parts of it: no control sequences, and no path that leads out of the repository."""
    try:
        path = clean_name(item.path) if item.path else ""
    except UnsafePath:
        path = ""
    cleaned = {name: clean_text(getattr(item, name)) for name in ("message", "symbol", "detail")}
    return item.model_copy(update={**cleaned, "path": path, "frames": tuple(map(clean_text, item.frames))})


def _merge(items: Sequence[Diagnostic]) -> Diagnostic:
    best = max(items, key=lambda item: (len(item.frames), bool(item.path)))  # the earliest check of equals
    if len(items) == 1:
        return best
    where = dict.fromkeys(_sighting(item) for item in items)
    names = ", ".join(list(where)[:MAX_PLACES]) + (", ..." if len(where) > MAX_PLACES else "")
    names = names.replace("[", "(").replace("]", ")")
    return best.model_copy(update={"message": f"{best.message} [{len(items)} times: {names}]"})


def _sighting(item: Diagnostic) -> str:
    test = item.detail.partition("\n")[0] if item.check == "pytest" else ""
    line = f":{item.line}" if item.line else ""
    return test[:100] or (f"{item.check} {item.path}{line}" if item.path else item.check)


def from_output(text: str, check: str, default: DiagnosticKind, facts: RepoFacts) -> Diagnostic | None:
    """Return the diagnostic of a program that ended with a traceback, or None where its output holds none."""
    faults = parse_faults(text, facts.root)
    if not faults:
        return None
    found = diagnose(_telling(faults), check, default, facts)
    return found.model_copy(update={"detail": cut(text.strip(), 4000)})


def _telling(faults: Sequence[Fault]) -> Fault:
    """Return the last fault, but where it only says that a child process failed, the one that the child printed."""
    chosen = faults[-1]
    for earlier in reversed(faults[:-1]):
        if chosen.error != "CalledProcessError" or not earlier.own:
            break
        chosen = earlier
    return chosen
