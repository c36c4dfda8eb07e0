"""The resolved set of packages before anything of it is installed: judged by its names; licences, bill of materials.

What a repository asks for is judged by the audit; what the resolver added to it is known only now.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import cast

from agentsys.audit.auditor import record_decision
from agentsys.audit.policy import load_advisories, load_policy
from agentsys.core.events import utc_now
from agentsys.core.files import write_atomic
from agentsys.core.settings import Settings
from agentsys.core.version import agentsys_version
from agentsys.plan.context import Context
from agentsys.verify.checks.audit import policy_diagnostics
from agentsys.verify.checks.base import Bench, Screened
from agentsys_policies.advisories import Advisories
from agentsys_policies.engine import Policy
from agentsys_policies.sbom import Installed, from_inspect, sbom
from agentsys_policies.schema import Decision
from agentsys_sandbox.base import VENV
from agentsys_sandbox.spec import Package

FILE, SBOM = "installed.json", "sbom.cdx.json"
_PROBE = "agentsys_metadata.py"


async def screen_packages(context: Context, bench: Bench) -> Screened:
    """Judge a resolved set and write `audit/installed.json` and the bill of materials."""
    decision = judge_packages(context.policy, context.advisories, bench.packages)
    record_decision(context, decision, "audit")
    installed = _installed(bench.packages)
    _write(context, decision, installed)

    async def described(bench: Bench) -> None:
        _write(context, decision, await _described(bench, installed))

    rows = () if decision.allows else tuple(policy_diagnostics(decision, context.policy))
    return Screened(
        note=f"installed {decision.decision}",
        refused=not decision.allows,
        may_run=context.policy.may_run([decision]),
        found=rows,
        installed=described,
    )


def judge_packages(policy: Policy, advisories: Advisories | None, packages: Sequence[Package]) -> Decision:
    """Return what the policy says about a resolved set."""
    return policy.check_installed(_installed(packages), advisories)


def judge_by(settings: Settings) -> Callable[[Sequence[Package]], str]:
    """Return what says why the policy refuses a set of packages, or an empty text. Raises: PrerequisiteError."""
    policy, data = load_policy(settings), load_advisories(settings)

    def judge(packages: Sequence[Package]) -> str:
        decision = judge_packages(policy, data, packages)
        return "" if decision.allows else why_refused(decision)

    return judge


def why_refused(decision: Decision) -> str:
    """Say in a sentence why a set of packages is refused."""
    first = decision.findings[0].message if decision.findings else decision.status
    return f"the safety policy refuses what would be installed: {first}"


def _installed(packages: Sequence[Package]) -> list[Installed]:
    return [Installed(item.name, item.version, item.sha256) for item in packages]


async def _described(bench: Bench, installed: Sequence[Installed]) -> list[Installed]:
    """Add licences and requirements from the distributions' own metadata; without it they stay unknown."""
    out = f"{bench.inside}/metadata.jsonl"
    result = await bench.run_probe("install", _PROBE, options=[VENV, out], flags=["-I", "-S", "-B"])
    if not result.ok:
        job = bench.job
        job.events.emit("warning", stage=job.stage, round=job.round, message="the licences could not be read")
        return list(installed)
    rows = _rows(await bench.sandbox.read_file(out, max_bytes=16 << 20))
    told = {(item.name, item.version): item for item in from_inspect({"installed": rows})}
    known = {(_normal(name), version): item for (name, version), item in told.items()}
    return [_joined(item, known.get((_normal(item.name), item.version))) for item in installed]


def _rows(data: bytes | None) -> list[dict[str, object]]:
    """Read the probe's lines; they hold what strangers wrote, so a line of another form is left out."""
    rows: list[dict[str, object]] = []
    for line in (data or b"").splitlines():
        try:
            row: object = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(cast("dict[str, object]", row).get("name"), str):
            rows.append({"metadata": row})
    return rows


def _joined(item: Installed, told: Installed | None) -> Installed:
    return item if told is None else replace(item, licence=told.licence, requires=told.requires)


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def _write(context: Context, decision: Decision, installed: Sequence[Installed]) -> None:
    ws, data = context.ws, context.advisories
    looked_up = {"source": data.source, "date": data.date, "packages": data.packages} if data is not None else None
    whole = {
        "tree": ws.code_tree(),
        "policy": context.policy.ref.sha256,
        "vulnerabilities_looked_up": looked_up,
        "decisions": [decision.model_dump(mode="json")],
        "packages": [asdict(item) for item in installed],
    }
    bill = sbom(ws.run.path.name, "0", installed, ts=utc_now(), tool_version=agentsys_version())
    for name, value in ((FILE, whole), (SBOM, bill)):
        write_atomic(ws.run.audit / name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
