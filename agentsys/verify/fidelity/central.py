"""The paper's own method: whether what it consists of is there. One rule, for the check and for the report."""

from __future__ import annotations

from collections.abc import Mapping

from agentsys.core.artifacts import CENTRAL, Artifact, Diagnostic, Plan, Requirement
from agentsys.verify.fidelity.evidence import Evidence, gather


class Missing(Artifact):
    """A requirement of the method that is not fulfilled, and why that is known."""

    requirement: str
    what: str
    owner: str
    why: str


def central_missing(plan: Plan, files: Mapping[str, bytes]) -> tuple[Missing, ...]:
    """Return what is missing of the method.

    That is contributions that the ledger leaves out, and requirements that are declared unresolved or that no function
    carries.

    Args:
        files: the repository, POSIX path to content.
    """
    seen = gather(plan, files)
    found = [Missing(requirement="", what=words, owner="", why="is in no requirement") for words in plan.left_out]
    for row in plan.requirements:
        why = _why(row, seen) if row.kind in CENTRAL or row.id in plan.central else ""
        if why:
            found.append(Missing(requirement=row.id, what=row.what, owner=row.owner, why=why))
    return tuple(found)


def central_diagnostics(plan: Plan, files: Mapping[str, bytes], check: str) -> list[Diagnostic]:
    """Return a diagnostic of `check` for each of them, with what has to be done."""
    return [_diagnostic(row, check) for row in central_missing(plan, files)]


def _diagnostic(row: Missing, check: str) -> Diagnostic:
    if not row.requirement:
        message = (
            f"the paper's own contribution is in no requirement of the plan, so nothing here shows it: `{row.what}`"
        )
        return Diagnostic(kind="result", check=check, symbol="contribution", message=message)
    return Diagnostic(
        kind="result",
        check=check,
        path=row.owner,
        symbol=row.requirement,
        message=f"{row.requirement} belongs to the paper's own method and {row.why}: write it as a function, test "
        "it and let the run use it; where the paper is silent take the usual reading, with the status `inferred` "
        f"and an open question: {row.what}",
        requirements=(row.requirement,),
    )


def _why(row: Requirement, seen: Evidence) -> str:
    if row.status == "unresolved":
        return "is declared unresolved"
    evidence = seen.of(row.id)
    code = [item for item in evidence.symbols if item.kind not in ("config", "result")] if evidence else []
    if code and not any(item.found for item in code):
        return f"is not there ({', '.join(f'`{item.symbol}`' for item in code)})"
    # A size or a switch of a model may be a setting and nothing else; the steps of a procedure may not.
    if not code and row.kind == "algorithm":
        return "is carried by no function"
    return ""
