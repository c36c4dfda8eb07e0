"""The claims of a run as reports show them: verdict first, the paper's value beside the measured one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from pydantic import ConfigDict, Field, RootModel, ValidationError

from agentsys.core.artifacts import Artifact
from agentsys.core.rundir import RunDir
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.workspace import CONTRACTS, experiment_inputs
from agentsys.report.reading import Problems, read_bytes, read_model
from agentsys.verify.claims.celllog import FILE, Done
from agentsys.verify.claims.cells import program

HEAD = ("claim", "verdict", "paper", "measured", "interval", "n", "why")
_LARGEST_LOG = 64 << 20
_ORDER = ("verified", "falsified", "toy", "inconclusive", "contested", "blocked")


class ClaimRow(Artifact):
    """One claim with its verdict; `verdict` is empty where none was reached."""

    claim: str
    text: str
    place: str
    kind: str
    contract: str
    """SHA-256 of the contract that counts."""
    amendments: tuple[str, ...] = ()
    """Reason of each."""
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    why: str = ""
    """What kept it from a program, or its cells from going on."""
    paper: str = ""
    measured: str = ""
    interval: str = ""
    n: int = 0
    accept: str = ""
    falsify: str = ""
    control: str = ""
    cells: int = 0
    cpu_seconds: float = 0.0
    command: str = ""
    """Of the last cell."""


class _Outcome(Artifact):
    model_config = ConfigDict(frozen=True, extra="ignore")

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0


class _Verdict(Artifact):
    model_config = ConfigDict(frozen=True, extra="ignore")

    claim: str
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    outcomes: dict[str, _Outcome] = Field(default={})


class _Stored(Artifact):
    model_config = ConfigDict(frozen=True, extra="ignore")

    verdicts: tuple[_Verdict, ...] = ()


class _Texts(RootModel[dict[str, str]]):
    """`inputs.json`: artefact -> hash; `entries.json`: claim -> why it has no program or got no further."""


def read_claims(run: RunDir, problems: Problems) -> tuple[ClaimRow, ...]:
    """Return the claims of a run; none where it has no contracts."""
    contracts = read_model(run.claims / CONTRACTS, Contracts, problems)
    if contracts is None:
        return ()
    marks = read_model(run.path / "inputs.json", _Texts, problems) or _Texts({})
    fresh = marks.root.get("experiments") == experiment_inputs(run)  # of this code, by these contracts
    stored = (read_model(run.claims / "verdicts.json", _Stored, problems) if fresh else None) or _Stored()
    verdicts = {row.claim: row for row in stored.verdicts}
    why = read_model(run.claims / "entries.json", _Texts, problems) or _Texts({})
    cells = _cells(run, problems)
    return tuple(
        _row(contracts, name, verdicts.get(name) or _Verdict(claim=name), why.root.get(name, ""), cells.get(name, []))
        for name in contracts.claims
    )


def scoreboard(rows: Sequence[ClaimRow]) -> str:
    """Return `3 verified, 1 toy`; of claims without verdict how many there are."""
    counts = Counter(row.verdict for row in rows)
    said = [f"{counts[name]} {name}" for name in _ORDER if counts[name]]
    return ", ".join([*said, *([f"{counts['']} not judged"] if counts[""] else [])])


def cells_of(row: ClaimRow) -> tuple[str, ...]:
    """Return the cells of a row under HEAD."""
    why = ", ".join(dict.fromkeys((*row.reasons, *([row.why] if row.why else []))))
    return (row.claim, row.verdict or "not judged", row.paper, row.measured, row.interval, str(row.n or ""), why)


def _row(contracts: Contracts, name: str, verdict: _Verdict, why: str, done: list[Done]) -> ClaimRow:
    own = [" ".join(cell.command) for cell in done if cell.command[1:2] == (program(name),)]
    contract, entries = contracts.current(name), contracts.claims[name]
    accept, target = verdict.outcomes.get("accept", _Outcome()), contract.target
    return ClaimRow(
        claim=name,
        text=contract.text,
        place=contract.place.label or f"section {contract.place.section}",
        kind=contract.kind,
        contract=contract.hash,
        amendments=tuple(entry.reason for entry in entries[1:]),
        verdict=verdict.verdict,
        reasons=verdict.reasons,
        why=why,
        paper=f"{target.value:g} {target.unit}".strip() if target is not None else "",
        measured=_number(accept.value),
        interval="" if accept.low is None else f"{_number(accept.low)} to {_number(accept.high)}",
        n=accept.n,
        accept=_rule(contract.accept),
        falsify=_rule(contract.falsify),
        control=contract.control.what if contract.control is not None else "",
        cells=len(done),
        cpu_seconds=round(sum(cell.cpu_seconds for cell in done), 3),
        command=own[-1] if own else "",
    )


def _rule(rule: Artifact | None) -> str:
    return "" if rule is None else json.dumps(rule.model_dump(mode="json", exclude_defaults=True))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _cells(run: RunDir, problems: Problems) -> dict[str, list[Done]]:
    found: dict[str, list[Done]] = {}
    for line in (read_bytes(run.claims / FILE, problems, _LARGEST_LOG) or b"").splitlines():
        try:
            done = Done.model_validate_json(line)
        except ValidationError:
            continue
        found.setdefault(done.claim, []).append(done)
    return found
