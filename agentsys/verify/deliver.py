"""What the tooling adds to the repository at the end: the map, the audit page, the lock of what was installed."""

from __future__ import annotations

import json

from agentsys.core.errors import InternalError
from agentsys.core.files import write_atomic
from agentsys.core.rounds import Round
from agentsys.core.text import code, md
from agentsys.core.tree import read_tree
from agentsys.plan.context import Context
from agentsys.verify.checks.install import LOCK
from agentsys.verify.checks.results import keep_results
from agentsys.verify.fidelity.evidence import Proof, gather, read_computed, read_results, read_tests
from agentsys.verify.fidelity.mutation_report import FAULTS_FILE, MutationReport, noticed_faults
from agentsys.verify.fidelity.papermap import map_faults, paper_map


def deliver(context: Context) -> None:
    """Write PAPER_MAP.md, paper_map.json, AUDIT.md and requirements.lock, and commit. Does nothing twice."""
    ws = context.ws
    current = context.rounds.latest_for_tree(ws.code_tree())
    if current is not None and current.verdict.passed:
        _put_back_results(context, current)
    table, data = _map(context, current)
    files = {"PAPER_MAP.md": table, "paper_map.json": data, "AUDIT.md": _audit_page(context, current)}
    if current is not None and (lock := _lock(context, current)):
        files[LOCK] = lock
    for path, text in files.items():
        target = ws.run.repo / path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            write_atomic(target, text)
    context.git.commit("Map of the paper, audit, lock of what was installed")


def _map(context: Context, current: Round | None) -> tuple[str, str]:
    """Make the map from what the round of this very tree saw, and look again whether all of it is so.

    Raises: InternalError if the map would claim something that is not there.
    """
    ws = context.ws
    tests = read_tests(_stored(context, current, "tests.json"))
    results = read_results(_stored(context, current, "results.json"))
    planted = _stored(context, current, FAULTS_FILE)
    report = MutationReport.model_validate_json(planted) if planted is not None else None
    proof = Proof(noticed_faults(report), read_computed(_stored(context, current, "dependence.json")))
    files = read_tree(ws.run.repo)
    plan = ws.require_plan()
    table, data = paper_map(plan, gather(plan, files, tests, results, proof), files)
    if faults := map_faults(data, files, tests, results):
        raise InternalError(f"the map of the paper is not true: {faults[0]}")
    return table, data


def _put_back_results(context: Context, current: Round) -> None:
    """Copy the results of the round that executed this tree once more, where a roll-back has removed them."""
    log = context.rounds.evidence(current.verdict.tree, "results.json")
    if log is None or (context.ws.run.repo / "results" / "results.json").is_file():
        return
    exported = next((file.parent for file in sorted((log.parent / "export").rglob("results.json"))), None)
    if exported is not None:
        keep_results(exported, context.ws.run.repo)


def _stored(context: Context, current: Round | None, name: str) -> bytes | None:
    file = context.rounds.evidence(current.verdict.tree, name) if current is not None else None
    return file.read_bytes() if file is not None else None


def _lock(context: Context, current: Round) -> str:
    """Return what the round had locked, with hashes; of a round of an earlier version only the pins are known."""
    if (lock := _stored(context, current, LOCK)) is not None:
        return lock.decode("utf-8")
    stored = _stored(context, current, "packages.json")
    if stored is None:
        return ""
    packages = json.loads(stored)
    return "".join(f"{row['name']}=={row['version']}\n" for row in sorted(packages, key=lambda row: str(row["name"])))


def _audit_page(context: Context, current: Round | None) -> str:
    file = context.ws.run.audit / "code.json"
    lines = ["# Safety audit", ""]
    if not file.is_file():
        return "\n".join([*lines, "This tree was not audited.", ""])
    data = json.loads(file.read_text(encoding="utf-8"))
    if data.get("tree") != context.ws.code_tree():
        return "\n".join([*lines, "This tree was not audited; an earlier one was.", ""])
    looser = sorted({str(row) for decision in data["decisions"] for row in decision["loosened"]})
    lines += [f"**Looser than the shipped policy:** {md('; '.join(looser), 2000)}.", ""] if looser else []
    for decision in data["decisions"]:
        policy = decision["policy"]
        lines.append(
            f"- **{decision['gate']}**: {decision['decision']} ({decision['status']}), "
            f"policy `{policy['file']}` {policy['version']}, {len(decision['findings'])} findings"
        )
        for finding in decision["findings"]:
            place = finding["evidence"]["path"]
            line = finding["evidence"]["line"]
            where = f" in {code(place)}" + (f" line {line}" if line else "") if place else ""
            lines.append(f"  - {finding['severity']} `{finding['rule']}`{where}: {md(finding['message'], 1000)}")
        lines += [f"  - permitted by {row['who']}: `{row['rule']}`, {row['reason']}" for row in decision["overrides"]]
        for scanner in decision["scanners"]:
            skipped = f", skipped {len(scanner['skipped'])}" if scanner["skipped"] else ""
            lines.append(f"  - looked at by {scanner['name']}: {scanner['examined']} of {scanner['inputs']}{skipped}")
    if current is not None:
        weak = " (isolates less than Docker does)" if current.verdict.weak else ""
        lines += ["", f"Executed in: {current.verdict.backend}{weak}."]
    return "\n".join(lines) + "\n"
