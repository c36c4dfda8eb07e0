"""The check `install`: the repository's own requirements install into a fresh environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from agentsys.core.artifacts import Check, Diagnostic
from agentsys.plan.distributions import normal_name
from agentsys.plan.requirements import Requirements, read_requirements
from agentsys.verify.checks.base import Bench, CheckSpec, Found, Infrastructure, log_text, outcome_diagnostic
from agentsys.verify.logs.install_log import diagnose_install, is_infrastructure
from agentsys_sandbox.spec import ExecResult, Outcome, Package


async def check_install(bench: Bench) -> Found:
    """Install what the repository asks for; leaves `bench.packages` and `bench.facts.installed` set.

    Raises: Infrastructure where the network, the index or the sandbox failed.
    """
    wanted = read_requirements(bench.job.files, bench.facts)
    if wanted.faults:
        log = bench.log("install.log", "".join(f"{item.path}:{item.line}: {item.message}\n" for item in wanted.faults))
        check = bench.check("install", "failed", f"{len(wanted.faults)} lines are not valid requirements", log=log)
        return Found(check, tuple(wanted.faults))
    if not wanted.source:
        return _nothing_declared(bench)
    installed = await bench.sandbox.install(
        wanted.lines,
        constraints=(*bench.job.constraints, *wanted.constraints),
        project=wanted.project,
        timeout=bench.job.timeout,
        on_output=bench.job.on_output,
    )
    result = installed.result
    bench.report("install", ["install", *wanted.lines], result)
    log = bench.log("install.log", log_text(result))
    bench.log("index_requests.jsonl", "".join(json.dumps(dict(row)) + "\n" for row in installed.requests))
    _stop_on_infrastructure(result)
    if not result.ok:
        return bench.failed(_diagnose(bench, result, wanted), result=result, log=log)
    if not installed.packages and wanted.lines:
        raise Infrastructure("install: the installed packages could not be listed")
    bench.packages = installed.packages
    names = frozenset(normal_name(item.name) for item in installed.packages)
    bench.facts = replace(bench.facts, installed=names)
    bench.log("packages.json", packages_json(installed.packages))
    return Found(_passed(bench, wanted, result, log))


def packages_json(packages: Sequence[Package]) -> str:
    """Return the lock list as stored in `packages.json`: name, version and hash of each distribution."""
    rows = [{"name": item.name, "version": item.version, "sha256": item.sha256} for item in packages]
    return json.dumps(sorted(rows, key=lambda row: row["name"]), indent=1) + "\n"


def _passed(bench: Bench, wanted: Requirements, result: ExecResult, log: str) -> Check:
    note = f"{len(bench.packages)} packages from {wanted.source}"
    loose = sum(1 for line in wanted.lines if "==" not in line and " @ " not in line)
    if loose:
        note += f"; {loose} of {len(wanted.lines)} requirements without a pin"
    if wanted.ignored:
        note += f"; {len(wanted.ignored)} index options ignored"
    return bench.check("install", "passed", note, result=result, log=log, counts={"packages": len(bench.packages)})


def _nothing_declared(bench: Bench) -> Found:
    found = Diagnostic(
        kind="missing_file",
        check="install",
        message="there is no `requirements.txt` and no `pyproject.toml`: nothing says what the code needs",
        path="requirements.txt",
        symbol="requirements.txt",
    )
    return bench.failed(found)


def _stop_on_infrastructure(result: ExecResult) -> None:
    failed = result.outcome is Outcome.NONZERO and is_infrastructure(result.text())
    if result.outcome.is_infrastructure or result.outcome is Outcome.START_FAILED or failed:
        last = (result.text().strip().splitlines() or [""])[-1][:300]
        raise Infrastructure(f"install: {result.message or last or result.outcome.value}")


def _diagnose(bench: Bench, result: ExecResult, wanted: Requirements) -> Diagnostic:
    limit = outcome_diagnostic("install", result, "the installation", path=wanted.source)
    return limit or diagnose_install(result.text(), bench.facts, wanted.source)


CHECK = CheckSpec("install", check_install)
