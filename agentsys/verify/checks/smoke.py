"""The check `smoke`: `reproduce.sh` runs the smoke profile to its end and writes the results file."""

from __future__ import annotations

import re
from dataclasses import replace

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.plan.rules import SMOKE_SECONDS
from agentsys.verify.checks.base import Bench, CheckSpec, Found, log_text, outcome_diagnostic
from agentsys.verify.logs.diagnostics import from_output
from agentsys_sandbox.spec import ExecResult, Outcome

SCRIPT = "reproduce.sh"
RESULTS_FILE = "results/results.json"
SMOKE_CONFIG = "configs/smoke.yaml"
MAX_RESULTS = 16 << 20
SMOKE_PATIENCE = 3
"""So many times as long it may take before it is stopped: the machine may be busy with other things."""

REPLAY_ENVIRONMENT = {
    "HOME": "/tmp/home",
    "LOGNAME": "replay",
    "PYTHONHASHSEED": "20011",
    "TZ": "XST-9:30",
    "USER": "replay",
}
"""What the run of a replay finds otherwise than the run before it did; its folder is another one as well."""

_SHELL = re.compile(rf"^{re.escape(SCRIPT)}: line (\d{{1,9}}): (.+)$", re.MULTILINE)
_NO_FILE = re.compile(r"can't open file '([^']+)'|bash: ([^:\s]+): No such file or directory")


async def check_smoke(bench: Bench) -> Found:
    """Run `bash reproduce.sh PROFILE` at the root of the fresh repository, and look for the results file.

    A replay runs it in another folder, home and time zone.

    The smoke profile is stopped after SMOKE_PATIENCE * SMOKE_SECONDS of processor time, or earlier where
    `bench.job.timeout` is shorter; other profiles have `bench.job.timeout`.
    """
    if SCRIPT not in bench.job.files:
        return _missing_script(bench)
    await bench.place_run()
    argv, env = ["bash", SCRIPT, bench.job.profile], REPLAY_ENVIRONMENT if bench.job.earlier is not None else None
    result = await bench.run("smoke", argv, env=env, timeout=time_limit(bench), cwd=bench.root)
    bench.run_seconds = used_seconds(result)
    log = bench.log("run.log", log_text(result))
    found = None if result.ok else _diagnose(bench, result)
    if result.ok and await bench.sandbox.read_file(f"{bench.root}/{RESULTS_FILE}", max_bytes=MAX_RESULTS) is None:
        found = _no_results(bench, result)
    if found is not None:
        return bench.failed(found, f"{found.message} [{_seconds(bench, result)}]", result=result, log=log)
    note = f"the {bench.job.profile} profile wrote {RESULTS_FILE} and ended after {_seconds(bench, result)}"
    return Found(bench.check("smoke", "passed", note, result=result, log=log))


def used_seconds(result: ExecResult) -> float:
    """Return how long a run took, or its processor time where that is less: on a busy machine it waits in between."""
    return min(result.seconds, result.seconds if result.cpu_seconds is None else result.cpu_seconds)


def time_limit(bench: Bench) -> float:
    """Return the seconds of processor time, on each processor, after which the run is stopped."""
    return min(bench.job.timeout, SMOKE_PATIENCE * SMOKE_SECONDS) if bench.job.profile == "smoke" else bench.job.timeout


def _seconds(bench: Bench, result: ExecResult) -> str:
    used = result.cpu_seconds
    over = bench.job.profile == "smoke" and min(result.seconds, used or result.seconds) > SMOKE_SECONDS
    said = f"{result.seconds:.1f} s" + ("" if used is None else f" ({used:.1f} CPU s)")
    return said + (f", over the {SMOKE_SECONDS} s asked" if over else "")


def _diagnose(bench: Bench, result: ExecResult) -> Diagnostic:
    what = f"`{SCRIPT} {bench.job.profile}`"
    limit = outcome_diagnostic("smoke", result, what, path=SCRIPT)
    if result.outcome is Outcome.TIMEOUT and limit:
        limit = _too_slow(bench, result, limit)
    if limit:
        return limit
    text = result.text()
    fault = from_output(text, "smoke", "runtime", replace(bench.facts, root=bench.root))
    if fault:
        return fault
    kind, message, line, symbol = "runtime", f"{what} ended with exit code {result.exit_code}", None, ""
    missing = _NO_FILE.search(text)
    shell = _SHELL.search(text)
    if missing:
        name = (missing[1] or missing[2]).removeprefix(f"{bench.root}/")
        kind, message, symbol = "missing_file", f"`{name}` does not exist", name
    elif shell:
        kind = "syntax" if "syntax error" in shell[2] else "runtime"
        line, message = int(shell[1]), shell[2].strip()
    return Diagnostic.model_validate(
        {
            "kind": kind,
            "check": "smoke",
            "message": message,
            "path": SCRIPT,
            "line": line,
            "symbol": symbol,
            "detail": cut(text.strip(), 4000),
        }
    )


def _too_slow(bench: Bench, result: ExecResult, limit: Diagnostic) -> Diagnostic:
    """Say how long it took, what is allowed, and what to do about it."""
    if bench.job.profile != "smoke":
        return limit
    message = (
        f"{limit.message}; the smoke profile is asked to end within {SMOKE_SECONDS} s and is stopped after "
        f"{time_limit(bench):.0f} s of processor time: choose smaller shapes and fewer steps in {SMOKE_CONFIG}"
    )
    path = SMOKE_CONFIG if SMOKE_CONFIG in bench.job.files else SCRIPT
    return limit.model_copy(update={"message": message, "path": path})


def _missing_script(bench: Bench) -> Found:
    message = f"`{SCRIPT}` does not exist"
    found = Diagnostic(kind="missing_file", check="smoke", message=message, path=SCRIPT, symbol=SCRIPT)
    return bench.failed(found)


def _no_results(bench: Bench, result: ExecResult) -> Diagnostic:
    return Diagnostic(
        kind="result",
        check="smoke",
        message=f"`{SCRIPT} {bench.job.profile}` ended without writing {RESULTS_FILE}",
        path=SCRIPT,
        detail=cut(result.text().strip(), 3000),
    )


CHECK = CheckSpec("smoke", check_smoke, needs=("install",), after=("imports",), leaves=("run.log",))
