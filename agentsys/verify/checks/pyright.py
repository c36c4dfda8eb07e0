"""The check `pyright`: no errors (basic mode), against the installed environment, with our own configuration."""

from __future__ import annotations

import json

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.verify.checks.base import Bench, CheckSpec, Found, Infrastructure, log_text, outcome_diagnostic
from agentsys.verify.logs.pyright_report import PyrightReport, parse_pyright
from agentsys.verify.source.unseen import unseen_findings, without_silencing
from agentsys_sandbox.base import PYRIGHT, REPO, VENV

_COPY = "repo"  # folder of the copy, beside the configuration


async def check_types(bench: Bench) -> Found:
    """Run pyright over a copy of every Python file in which no comment silences it, with our configuration."""
    place = f"{bench.inside}/types"
    copy, silenced = _copy(bench)
    await bench.place_repo()
    await bench.sandbox.write_files({"pyrightconfig.json": _config(bench), **copy}, root=place)
    argv = [*PYRIGHT, "--outputjson", "--pythonpath", f"{VENV}/bin/python", "--project", place]
    result = await bench.run("pyright", argv)
    limit = outcome_diagnostic("pyright", result, "pyright")
    said = result.stdout.decode("utf-8", "replace").replace(f"{place}/{_COPY}", REPO)
    report = parse_pyright(said, bench.facts)
    log = bench.log("pyright.json", said if report else log_text(result))
    if limit:
        return bench.failed(limit, result=result, log=log)
    if report is None:
        raise Infrastructure(f"pyright: no report: {cut(result.text().strip(), 300)}")
    hidden = unseen_findings(bench.job.files, bench.facts.installed, [bench.job.plan.package])
    found = (*hidden, *report.diagnostics, *_incomplete(report, len(copy)))
    note = f"{_count(report.errors, 'error')} in {_count(report.files, 'file')}"
    note += f"; {_count(silenced, 'comment')} that would silence it had no effect" if silenced else ""
    agreed = report.errors == 0 and result.exit_code == 0
    state = "passed" if agreed and not found else "failed"
    counts = {"errors": report.errors, "files": report.files, "silenced": silenced}
    return Found(bench.check("pyright", state, note, result=result, log=log, counts=counts), found)


def _copy(bench: Bench) -> tuple[dict[str, bytes], int]:
    """Return the Python files without comments that silence a type checker, and how many of those there were."""
    copy: dict[str, bytes] = {}
    total = 0
    for path, data in bench.job.files.items():
        if path.endswith(".py"):
            text, silenced = without_silencing(data.decode("utf-8", "surrogateescape"))
            copy[f"{_COPY}/{path}"] = text.encode("utf-8", "surrogateescape")
            total += silenced
    return copy, total


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _config(bench: Bench) -> bytes:
    """A configuration outside the repository: paths in it must be relative."""
    extra = [f"{_COPY}/src"] if any(path.startswith("src/") for path in bench.job.files) else []
    config = {
        "include": [_COPY],
        "exclude": ["**/__pycache__"],
        "typeCheckingMode": "basic",
        "enableTypeIgnoreComments": False,
        "stubPath": "no-stubs",
        "reportMissingModuleSource": "none",
        "executionEnvironments": [{"root": _COPY, "extraPaths": extra}],
    }
    return json.dumps(config).encode()


def _incomplete(report: PyrightReport, python: int) -> tuple[Diagnostic, ...]:
    """Nothing analysed, or less than there is, is no success."""
    if report.files >= python and report.files > 0:
        return ()
    message = f"pyright analysed {report.files} of {python} Python files"
    return (Diagnostic(kind="type", check="pyright", message=message),)


CHECK = CheckSpec("pyright", check_types, needs=("install",), beside="pytest")
