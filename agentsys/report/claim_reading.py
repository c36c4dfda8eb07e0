"""Reads the claims of a run: contracts, verdicts, what was run for them, and what the paper says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pydantic import ConfigDict, Field, RootModel, ValidationError

from agentsys.core.artifacts import Artifact
from agentsys.core.files import sha256_bytes, write_json
from agentsys.core.rundir import RunDir
from agentsys.core.text import clean_line
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.claim import Claim, Claims, Quote
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.rule import (
    Difference,
    Limit,
    MaxError,
    Mean,
    NoCounterexample,
    Rule,
    StatisticRule,
    Witness,
    parts,
)
from agentsys.plan.claims.words import rule_words
from agentsys.plan.workspace import CONTRACTS, experiment_inputs
from agentsys.report.claim_parts import belongs, leading, of_part, part_words
from agentsys.report.claims import ClaimRow, Line
from agentsys.report.reading import Problems, read_bytes, read_model
from agentsys.verify.claims.celllog import FILE, Done
from agentsys.verify.claims.cells import checker, program

_LARGEST_LOG = 64 << 20
_CASES = ("main", "control", "degenerate")
_PLACES = 3
"""Of jobs, named in a report."""
BASELINES = "baselines.json"
Baselined = tuple[float, int] | None
"""Mean of a baseline's rows and how many there are; None where none compares."""
_IN_UNIT = (Mean, Difference, Limit, MaxError, NoCounterexample, Witness)
"""Rules whose statistic has the unit of its quantity."""


class _Outcome(Artifact):
    model_config = ConfigDict(frozen=True, extra="ignore")

    state: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    detail: str = ""
    parts: tuple[_Outcome, ...] = ()


class ClaimVerdict(Artifact):
    """A claim's verdict as `verdicts.json` holds it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    claim: str
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    outcomes: dict[str, _Outcome] = Field(default={})
    scale: dict[str, float] = Field(default={})


class _Stored(Artifact):
    model_config = ConfigDict(frozen=True, extra="ignore")

    verdicts: tuple[ClaimVerdict, ...] = ()


class _Finding(Artifact):
    model_config = ConfigDict(frozen=True, extra="ignore")

    checker: str = "absent"
    reviewer: str = "absent"


class _Findings(RootModel[dict[str, _Finding]]):
    """`findings.json`, by claim."""


class _Item(Artifact):
    model_config = ConfigDict(frozen=True, extra="ignore")

    item: str
    file: str = ""
    line: int | None = None
    words: str = ""
    differs: str = ""


class _Review(Artifact):
    model_config = ConfigDict(frozen=True, extra="ignore")

    items: tuple[_Item, ...] = ()


class _Reviews(RootModel[dict[str, _Review]]):
    """`reviews.json`, by claim."""


class _Kept(Artifact):
    """`baselines.json`: claim -> mean and count of each of its baselines, as the rows gave them."""

    of: str = Field(description="SHA-256 of the verdicts that came of the same rows")
    means: dict[str, tuple[Baselined, ...]] = Field(default={})


class _Texts(RootModel[dict[str, str]]):
    """`inputs.json`: artefact -> hash; `entries.json`: claim -> why it has no program or got no further."""


def read_claims(run: RunDir, problems: Problems) -> tuple[ClaimRow, ...]:
    """Return the claims of a run; none where it has no contracts."""
    contracts = read_model(run.claims / CONTRACTS, Contracts, problems)
    if contracts is None:
        return ()
    verdicts = read_verdicts(run, problems)
    audited = read_model(run.claims / "claims.json", Claims, problems)
    claims = {claim.id: claim for claim in audited.claims} if audited is not None else {}
    why = read_model(run.claims / "entries.json", _Texts, problems) or _Texts({})
    cells = _cells(run, problems)
    means = _baselines(run, contracts if verdicts else Contracts(claims={}), problems)
    findings = (read_model(run.claims / "findings.json", _Findings, problems) if verdicts else None) or _Findings({})
    reviews = (read_model(run.claims / "reviews.json", _Reviews, problems) if verdicts else None) or _Reviews({})
    rows: list[ClaimRow] = []
    for name in contracts.claims:
        contract, verdict = contracts.current(name), verdicts.get(name) or ClaimVerdict(claim=name)
        lines = tuple(_lines(contract, verdict, means.get(name, [None] * len(contract.baselines))))
        row = _row(contracts, verdict, lines, why.root.get(name, ""), cells.get(name, []))
        found, claim = findings.root.get(name), claims.get(name)
        said = _apart(found, name, cells.get(name, [])) if found is not None else ""
        quotes = tuple(_quote(quote) for quote in claim.places) if claim is not None else ()
        review = tuple(map(_reviewed, reviews.root.get(name, _Review()).items))
        more = {"checked": said, "review": review, "quotes": quotes, "limits": tuple(_limits(contract, verdict, claim))}
        rows.append(row.model_copy(update=more))
    return tuple(rows)


def read_verdicts(run: RunDir, problems: Problems) -> Mapping[str, ClaimVerdict]:
    """Return the verdicts of a run by claim; none that are older than its code or its contracts."""
    marks = read_model(run.path / "inputs.json", _Texts, problems) or _Texts({})
    if marks.root.get("experiments") != experiment_inputs(run):
        return {}
    stored = read_model(run.claims / "verdicts.json", _Stored, problems) or _Stored()
    return {row.claim: row for row in stored.verdicts}


def keep_baselines(run: RunDir) -> None:
    """Store the means of the baselines beside the verdicts they belong to: whoever only reads then needs no numpy."""
    contracts = read_model(run.claims / CONTRACTS, Contracts, Problems())
    if contracts is not None:
        means = {name: tuple(rows) for name, rows in _baselines(run, contracts, Problems()).items()}
        write_json(run.claims / BASELINES, _Kept(of=_judged_by(run), means=means))


def _judged_by(run: RunDir) -> str:
    return sha256_bytes(read_bytes(run.claims / "verdicts.json", Problems()) or b"")


def _baselines(run: RunDir, contracts: Contracts, problems: Problems) -> Mapping[str, Sequence[Baselined]]:
    """The measured means of each contract's baselines; the rows are read only where there are baselines."""
    wanted = {name: contracts.current(name) for name in contracts.claims if contracts.current(name).baselines}
    kept = read_model(run.claims / BASELINES, _Kept, problems)
    if (
        kept is not None
        and kept.of == _judged_by(run)
        and all(len(kept.means.get(name, ())) == len(contract.baselines) for name, contract in wanted.items())
    ):
        return kept.means
    if not wanted:
        return {}
    from agentsys.report.claim_points import baseline_mean, read_rows_of  # loads numpy

    found = read_rows_of(run, contracts, problems)
    if found is None:
        return {}
    rows, tables = found
    return {
        name: [baseline_mean(contract, row, rows, tables.get(name, {})) for row in contract.baselines]
        for name, contract in wanted.items()
    }


def _apart(found: _Finding, claim: str, done: Sequence[Done]) -> str:
    """What the independent checker and the review said; of a checker that recomputed nothing, why."""
    faults = [cell.fault for cell in done if cell.command[1:2] == (checker(claim),) and cell.fault]
    why = f" (its program: {clean_line(faults[0], 200)})" if faults and found.checker == "absent" else ""
    return f"independent checker: {found.checker}{why}; review of its code: {found.reviewer}"


def _row(contracts: Contracts, verdict: ClaimVerdict, lines: tuple[Line, ...], why: str, done: list[Done]) -> ClaimRow:
    name = verdict.claim
    own = [cell for cell in done if cell.command[1:2] == (program(name),)]
    contract, entries = contracts.current(name), contracts.claims[name]
    last = {cell.case: " ".join(cell.command) for cell in own}
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
        paper=_paper(contract),
        measured=lines[0].measured + _what(contract, lines[0]),
        interval=lines[0].interval,
        n=lines[0].n,
        accept=_rule(contract.accept),
        falsify=_rule(contract.falsify),
        control=contract.control.what if contract.control is not None else "",
        lines=lines,
        terms=tuple((name, text) for name, text in _terms(contract) if text),
        cells=len(done),
        failed=sum(bool(cell.fault) for cell in own),
        seconds=round(sum(cell.seconds for cell in done), 3),
        cpu_seconds=round(sum(cell.cpu_seconds for cell in done), 3),
        elsewhere=_elsewhere(done),
        command=" ".join(own[-1].command) if own else "",
        commands=tuple(last[case] for case in _CASES if case in last),
    )


def _elsewhere(done: Sequence[Done]) -> str:
    places = Counter(cell.where for cell in done if cell.where)
    named = [name for name, _ in places.most_common(_PLACES)]
    more = f" and {len(places) - len(named)} more" if len(places) > len(named) else ""
    return f"{places.total()} of them by jobs: {'; '.join(named)}{more}" if places else ""


def _lines(contract: Contract, verdict: ClaimVerdict, means: Sequence[Baselined]) -> Iterator[Line]:
    yield from _of_claim(contract, verdict.outcomes.get("accept", _Outcome()))
    accept = parts(contract.accept) if contract.accept is not None else ()
    if contract.control is not None:
        found = verdict.outcomes.get("control", _Outcome())
        # The part that says of the whole what is said: the one that fails, where one does.
        number = next((number for number, each in enumerate(found.parts) if each.state == found.state), 0)
        yield _line("control", "must fail", found, _unit(accept[number]) if number < len(accept) else "")
    if contract.degenerate is not None:
        rule = contract.degenerate.rule
        found = verdict.outcomes.get("degenerate", _Outcome())
        yield _line("degenerate case", "must hold exactly", found, _unit(parts(rule)[0]))
    for row, mean in zip(contract.baselines, means, strict=True):
        yield Line(
            what=f"baseline {row.method}",
            paper="no number" if row.value is None else f"{row.value:g} {row.unit}".strip(),
            measured="" if mean is None else f"{_number(mean[0])} {row.unit}".strip(),
            n=0 if mean is None else mean[1],
        )


def _paper(contract: Contract) -> str:
    target = contract.target
    spread = f" ± {target.spread:g}" if target is not None and target.spread is not None else ""
    return f"{target.value:g}{spread} {target.unit}".strip() if target is not None else ""


def _what(contract: Contract, line: Line) -> str:
    """Say what was measured, where the paper's number is of something else."""
    rules = parts(contract.accept) if contract.accept is not None else ()
    apart = line.measured and contract.target is not None and not line.paper
    return f" ({part_words(rules[leading(contract)])})" if apart and rules else ""


def _of_claim(contract: Contract, found: _Outcome) -> Iterator[Line]:
    """The part that the paper's number belongs to, with that number, then the others."""
    rules = parts(contract.accept) if contract.accept is not None else ()
    if not rules or (len(rules) > 1 and len(found.parts) != len(rules)):
        # Judged before parts were kept: of which part the numbers are is not known.
        yield _line("claim", "" if rules and found.value is not None else _paper(contract), found, "")
        return
    first = leading(contract)
    for number in (first, *(other for other in range(len(rules)) if other != first)):
        words = f": {part_words(rules[number])}" if len(rules) > 1 else ""
        unmeasured = found.value is None and number == first
        paper = _paper(contract) if unmeasured or (number == first and belongs(contract, number)) else ""
        paper = paper or _of_baseline(contract, rules[number])
        yield _line(f"claim{words}", paper, of_part(found, number), _unit(rules[number]))


def _of_baseline(contract: Contract, rule: StatisticRule) -> str:
    """The paper's number of the one whose mean a part is, where it is one of those that are compared with."""
    known = {(row.method, row.quantity, row.unit): row for row in contract.baselines}
    row = known.get((rule.method, rule.quantity, rule.unit)) if isinstance(rule, Mean) else None
    return f"{row.value:g} {row.unit}".strip() if row is not None and row.value is not None else ""


def _line(what: str, paper: str, found: _Outcome, unit: str) -> Line:
    return Line(
        what=what,
        paper=paper,
        measured=f"{_number(found.value)} {unit}".strip() if found.value is not None else "",
        interval="" if found.low is None else f"{_number(found.low)} to {_number(found.high)}",
        n=found.n,
        says=found.state + (f": {found.detail}" if found.detail else ""),
    )


def _unit(rule: StatisticRule) -> str:
    return rule.unit if isinstance(rule, _IN_UNIT) else ""


def _terms(contract: Contract) -> Iterator[tuple[str, str]]:
    """What was agreed, in words; empty where nothing was."""
    yield "accepted if", rule_words(contract.accept) if contract.accept is not None else ""
    yield "refuted if", rule_words(contract.falsify) if contract.falsify is not None else ""
    yield "must fail", contract.control.what if contract.control is not None else ""
    degenerate = contract.degenerate
    yield "must hold exactly", f"{degenerate.what}: {rule_words(degenerate.rule)}" if degenerate is not None else ""
    yield "for", contract.domain
    yield "grid", "; ".join(f"{key}: {', '.join(values)}" for key, values in contract.grid.items())
    yield "data", ", ".join(f"{row.name}{f' ({row.size})' if row.size else ''}" for row in contract.datasets)
    if contract.accept is not None:
        yield "seeds", "no chance in it" if contract.deterministic else str(contract.seeds)
    horizon = contract.horizon
    yield "swept", f"{horizon.axis} to {horizon.at_least:g} at least" if horizon is not None else ""
    yield "toy below", ", ".join(f"{key} {least:g}" for key, least in contract.toy_below.items())
    cost = contract.cost
    yield "estimated", f"{cost.cpu_hours:g} CPU hours, {cost.memory_gb:g} GB" if cost is not None else ""


def _limits(contract: Contract, verdict: ClaimVerdict, claim: Claim | None) -> Iterator[str]:
    if verdict.scale:
        reached = ", ".join(f"{key} {value:g}" for key, value in verdict.scale.items())
        yield f"it was run up to this scale: {reached}"
    for row in contract.missing:
        estimate = f" (estimate: {row.estimate})" if row.estimate else ""
        yield f"missing {row.kind}: {row.what}{estimate}"
    for text in contract.silent:
        yield f"the paper does not say: {text}"
    for text in contract.choices:
        yield f"the paper leaves open, and was fixed here: {text}"
    for row in claim.contradictions if claim is not None else ():
        yield f"the paper contradicts itself, {row.what}: {_quote(row.first)}, but {_quote(row.second)}"
    for row in claim.corrections if claim is not None else ():
        yield f"the {row.what} was corrected by the paper: said “{row.said}”, the paper has “{row.paper}”"
    for doubt in claim.doubts if claim is not None else ():
        yield f"in doubt: {doubt}"


def _reviewed(row: _Item) -> str:
    place = row.file + ("" if row.line is None else f", line {row.line}")
    said = f"differs: {row.differs}" if row.differs else "met"
    return f"{row.item}: {said}{f', {place}' if place else ''}{f' (“{row.words}”)' if row.words else ''}"


def _quote(quote: Quote) -> str:
    return f"“{quote.words}” ({quote.place})"


def _rule(rule: Rule | None) -> str:
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
