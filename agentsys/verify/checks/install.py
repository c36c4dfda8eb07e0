"""The check `install`: the repository's own requirements are resolved, judged and installed afresh."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentsys.core.artifacts import Check, Diagnostic
from agentsys.plan.distributions import normal_name
from agentsys.plan.requirements import Requirements, read_requirements
from agentsys.verify.checks.base import Bench, CheckSpec, Found, Infrastructure, log_text, outcome_diagnostic
from agentsys.verify.logs.install_log import diagnose_install, is_infrastructure
from agentsys_sandbox.packages.lock import Lock, LockError, parse_lock
from agentsys_sandbox.packages.resolve import Resolution
from agentsys_sandbox.spec import ExecResult, Outcome, Package

LOCK = "requirements.lock"
"""What the verified environment held, with hashes; written by agentsys, and installed again exactly so."""


async def check_install(bench: Bench) -> Found:
    """Resolve what the repository asks for, let the policy decide on it, and install it.

    Leaves `bench.packages`, `bench.facts.installed` and `bench.screened` set.

    Raises: Infrastructure where the network, the index or the sandbox failed.
    """
    wanted = read_requirements(bench.job.files, bench.facts)
    if wanted.faults:
        log = bench.log("install.log", "".join(f"{item.path}:{item.line}: {item.message}\n" for item in wanted.faults))
        check = bench.check("install", "failed", f"{len(wanted.faults)} lines are not valid requirements", log=log)
        return Found(check, tuple(wanted.faults))
    if not wanted.source:
        return _nothing_declared(bench)
    try:
        locked = read_lock(bench.job.lock)
    except LockError as error:
        return bench.failed(_bad_lock(str(error)))
    resolved = await _resolve(bench, wanted, locked)
    result = resolved.result
    if resolved.lock is not None:
        bench.packages = resolved.lock.packages
        bench.facts = replace(bench.facts, installed=frozenset(normal_name(item.name) for item in bench.packages))
        bench.log(LOCK, resolved.lock.text)
        bench.log("packages.json", packages_json(bench.packages))
        bench.screened = await bench.job.screen(bench) if bench.job.screen is not None else None
        if bench.screened is not None and not bench.screened.may_run:
            return Found(bench.check("install", "not_run", "the policy refuses what would be installed"))
        result = await _link(bench, resolved.lock, resolved)
    bench.report("install", ["install", *wanted.lines], result)
    log = bench.log("install.log", log_text(result))
    _stop_on_infrastructure(result)
    if not result.ok:
        return bench.failed(_diagnose(bench, result, wanted), result=result, log=log)
    if bench.screened is not None and bench.screened.installed is not None:
        await bench.screened.installed(bench)
    return Found(_passed(bench, wanted, result, log))


async def install_again(bench: Bench) -> ExecResult:
    """Install what this verification has installed before into another sandbox, from its lock.

    Raises: Infrastructure where the network, the index or the sandbox failed.
    """
    wanted = read_requirements(bench.job.files, bench.facts)
    lock = parse_lock((bench.job.out / LOCK).read_text(encoding="utf-8"))
    resolved = await _resolve(bench, wanted, lock)
    if resolved.lock is None:
        return resolved.result
    result = await _link(bench, resolved.lock, resolved)
    _stop_on_infrastructure(result)
    return result


async def _resolve(bench: Bench, wanted: Requirements, locked: Lock | None) -> Resolution:
    pins = () if locked is not None else lock_pins(bench.job.lock)
    return await bench.sandbox.resolve(
        wanted.lines,
        constraints=(*bench.job.constraints, *pins, *wanted.constraints),
        project=bench.job.files if wanted.project else None,
        locked=locked,
        timeout=bench.job.timeout,
        on_output=bench.job.on_output,
    )


async def _link(bench: Bench, lock: Lock, resolved: Resolution) -> ExecResult:
    """Install, and tell both steps as one: the output of both, the outcome of the second."""
    job, first = bench.job, resolved.result
    installed = await bench.sandbox.install(
        lock, project=resolved.project, timeout=job.timeout, on_output=job.on_output
    )
    second = installed.result
    return replace(
        second,
        stdout=first.stdout + second.stdout,
        stderr=first.stderr + second.stderr,
        seconds=first.seconds + second.seconds,
        cut=first.cut + second.cut,
    )


def lock_of(files: Mapping[str, bytes]) -> str:
    """Return a repository's requirements.lock; empty where it has none."""
    return files.get(LOCK, b"").decode("utf-8", "replace")


def read_lock(text: str) -> Lock | None:
    """Read a requirements.lock; None where it has no hashes, as earlier versions wrote it.

    Raises: LockError.
    """
    return parse_lock(text) if "--hash=" in text else None


def lock_pins(text: str) -> tuple[str, ...]:
    """Return the rows of a requirements.lock without hashes."""
    return tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def _bad_lock(why: str) -> Diagnostic:
    return Diagnostic(kind="install", check="install", message=f"`{LOCK}` cannot be used: {why}", path=LOCK)


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
    said = result.text() + (f"\nerror: {result.message}\n" if result.message else "")
    return limit or diagnose_install(said, bench.facts, wanted.source)


CHECK = CheckSpec("install", check_install)
