"""The check `results`: a value or a reason for each number of the paper, and signs of a healthy run."""

from __future__ import annotations

import shutil
from pathlib import Path

from agentsys.core.artifacts import Diagnostic
from agentsys.core.errors import UnsafePath
from agentsys.core.paths import clean_name
from agentsys.verify.checks.base import Bench, CheckSpec, Found
from agentsys.verify.checks.cutoff import judge_cutoff
from agentsys.verify.checks.smoke import MAX_RESULTS, RESULTS_FILE, SCRIPT
from agentsys.verify.fidelity.central import central_diagnostics
from agentsys.verify.health import Health, health_text, judge_health
from agentsys.verify.results_file import ResultsError, judge_results, parse_results
from agentsys_sandbox.spec import ExportReport
from agentsys_sandbox.unpack import SPECIAL

MAX_FILES = 500
MAX_BYTES = 50 << 20
"""What is taken over of a run's results: they are committed with the repository."""

MAX_STRANGE = 10
_EXPORT = "export"


async def check_results(bench: Bench) -> Found:
    """Read the results of the run, judge them, export their folder to the logs, and see what comes of a break.

    The judgement of `health` is written to `health.log`.
    """
    raw = await bench.sandbox.read_file(f"{bench.root}/{RESULTS_FILE}", max_bytes=MAX_RESULTS)
    if raw is None:
        return Found(bench.check("results", "not_run", "there is no results file to look at"))
    log = bench.log("results.json", raw)
    try:
        results = parse_results(raw)
    except ResultsError as error:
        return bench.failed(_fault(f"{RESULTS_FILE}: {error}", RESULTS_FILE), log=log)
    health = judge_health(results, bench.job.plan)
    bench.log("health.log", health_text(health))
    diagnostics = [_fault(message, key) for key, message in judge_results(results, bench.job.plan)]
    diagnostics += _health_faults(bench, health)
    diagnostics += central_diagnostics(bench.job.plan, bench.job.files, "results")
    if diagnostics:
        return Found(bench.check("results", "failed", diagnostics[0].message, log=log), tuple(diagnostics))
    report = await _export(bench)
    if strange := _strange(report):
        return Found(bench.check("results", "failed", strange[0].message, log=log), tuple(strange))
    cut_off, goes_on = await judge_cutoff(bench, results)
    if cut_off:
        return Found(bench.check("results", "failed", cut_off[0].message, log=log), tuple(cut_off))
    keys = {item.result_key for item in bench.job.plan.expected if item.result_key}
    given = sum(1 for key in keys if results.value(key) is not None)
    note = (
        f"{results.numbers()} numbers; {given} of the paper's {len(keys)} measured, {len(keys) - given} not attempted"
        f"; {_health_words(health)}"
    )
    note += f"; {len(report.dropped)} files dropped" if report.dropped else ""
    note += f"; {goes_on}" if goes_on else ""
    counts = {"numbers": results.numbers(), "measured": given, "not_attempted": len(keys) - given}
    return Found(bench.check("results", "passed", note, log=log, counts=counts))


def _health_words(health: Health) -> str:
    words = f"{len(health.signs)} health checks hold" if health.signs else "no health check was asked for"
    return "; ".join([words, *health.notes[:2]])


def _health_faults(bench: Bench, health: Health) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for sign in health.faults:
        path = measuring_file(bench, sign.experiment)
        symbol = ": ".join(filter(None, (sign.experiment, sign.quantity)))
        changes = {"kind": "health", "path": path}
        found.append(_fault(sign.fault, symbol).model_copy(update=changes))
    return found


def measuring_file(bench: Bench, experiment: str) -> str:
    """Return the file that, by the plan, measures an experiment's results; the script where the plan names none."""
    keys = {f"result:{row.result_key}" for row in bench.job.plan.expected if row.experiment == experiment}
    for spec in bench.job.plan.files:
        if spec.path in bench.job.files and any(keys.intersection(symbols) for symbols in spec.symbols.values()):
            return spec.path
    return SCRIPT


async def _export(bench: Bench) -> ExportReport:
    """Copy the results folder out of the sandbox through its filter."""
    target = bench.job.out / _EXPORT
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    report = await bench.sandbox.export([f"{bench.root}/results"], target, max_files=MAX_FILES, max_bytes=MAX_BYTES)
    bench.exported = next((file.parent for file in sorted(target.rglob("results.json"))), None)
    return report


def _strange(report: ExportReport) -> list[Diagnostic]:
    """Return a fault for each thing among the results that is no plain file or folder, or belongs to git."""
    found = [(path, why) for path, why in report.dropped if why in SPECIAL]
    git = [path for path in (*report.written, *(path for path, _ in report.dropped)) if ".git" in path.split("/")]
    found += [(path, "a file of git's") for path in git]
    names = [(f"results/{path.partition('results/')[2]}", why) for path, why in found[:MAX_STRANGE]]
    return [_fault(f"the run left `{name}`, {why}: results are plain files and folders", name) for name, why in names]


def keep_results(exported: Path, repo: Path) -> list[str]:
    """Replace `results/` of the repository by what a run exported; return the paths written.

    Hidden files such as `.gitkeep` stay. Only regular files with ordinary names are copied; links are not followed.
    """
    target = repo / "results"
    if target.is_symlink():
        target.unlink()
    target.mkdir(exist_ok=True)
    for entry in target.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif not entry.name.startswith("."):
            entry.unlink()
    written: list[str] = []
    for file in sorted(exported.rglob("*")):
        if file.is_file() and not file.is_symlink() and _acceptable(file.relative_to(exported).as_posix()):
            place = target / file.relative_to(exported)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place, follow_symlinks=False)
            written.append(place.relative_to(repo).as_posix())
    return written


def _acceptable(name: str) -> bool:
    """False for names such as `.git/config` that a run may have made up, and for hidden files."""
    try:
        clean_name(name)
    except UnsafePath:
        return False
    return not any(part.startswith(".") for part in name.split("/"))


def _fault(message: str, symbol: str) -> Diagnostic:
    return Diagnostic(kind="result", check="results", message=message, path=SCRIPT, symbol=symbol)


CHECK = CheckSpec("results", check_results, needs=("smoke",), leaves=("results.json", "health.log", _EXPORT))
