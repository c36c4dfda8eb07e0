"""The check `pyright`: no errors (basic mode), against the installed environment, with our own configuration."""

from __future__ import annotations

import json
from collections.abc import Collection

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.verify.checks.base import Bench, CheckSpec, Found, Infrastructure, log_text, outcome_diagnostic
from agentsys.verify.checks.typed import Known, keep_types, known_types
from agentsys.verify.logs.pyright_report import PyrightReport, parse_pyright
from agentsys.verify.source.unseen import unseen_findings, without_silencing
from agentsys_sandbox.base import PYRIGHT, REPO, VENV
from agentsys_sandbox.spec import ExecResult

_COPY = "repo"  # folder of the copy, beside the configuration


async def check_types(bench: Bench) -> Found:
    """Run pyright over a copy of every Python file in which no comment silences it, with our configuration.

    Files in which it must find what it found in an earlier round are there to be imported, and not looked at again.
    """
    place = f"{bench.inside}/types"
    copy, silenced = _copy(bench)
    known = known_types(bench, _config(bench))
    again = sorted(copy.keys() - {f"{_COPY}/{path}" for path in known.clean})
    if not again:
        return _as_before(bench, known, len(copy))
    await bench.place_repo()
    config = _config(bench, again if known.clean else ())
    await bench.sandbox.write_files({"pyrightconfig.json": config, **copy}, root=place)
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
    incomplete = _incomplete(report, len(again))
    if not incomplete and _agree(report, result):
        keep_types(bench, _config(bench), _clean(report, copy))
    found = (*_hidden(bench), *report.diagnostics, *incomplete)
    note = f"{_count(report.errors, 'error')} in {_count(report.files, 'file')}{_others(known)}"
    note += f"; {_count(silenced, 'comment')} that would silence it had no effect" if silenced else ""
    agreed = report.errors == 0 and result.exit_code == 0
    state = "passed" if agreed and not found else "failed"
    counts = {"errors": report.errors, "files": report.files, "silenced": silenced, "taken_over": len(known.clean)}
    return Found(bench.check("pyright", state, note, result=result, log=log, counts=counts), found)


def _as_before(bench: Bench, known: Known, files: int) -> Found:
    """Return the result where there is no file that could have got an error since an earlier round."""
    assert known.folder is not None
    keep_types(bench, _config(bench), known.clean)
    log = bench.log("pyright.json", (known.folder / "pyright.json").read_bytes())
    found = tuple(_hidden(bench))
    counts = {"errors": 0, "files": 0, "silenced": 0, "taken_over": files}
    note = f"no error{_others(known)}"
    return Found(bench.check("pyright", "failed" if found else "passed", note, log=log, counts=counts), found)


def _others(known: Known) -> str:
    """Say which files were not looked at again."""
    if known.folder is None or not known.clean:
        return ""
    rest = _count(len(known.clean), "file")
    return f"; {rest} as in round {int(known.folder.name)}: neither they nor what they import has changed"


def _hidden(bench: Bench) -> list[Diagnostic]:
    return unseen_findings(bench.job.files, bench.facts.installed, [bench.job.plan.package])


def _agree(report: PyrightReport, result: ExecResult) -> bool:
    """True where pyright's exit code, its count and its list say the same: what is taken over rests on all three."""
    return result.exit_code == (1 if report.errors else 0) and report.errors == len(report.diagnostics)


def _clean(report: PyrightReport, copy: Collection[str]) -> set[str]:
    """Return the files of the repository that have no error; none where an error stands elsewhere."""
    files = {path.removeprefix(f"{_COPY}/") for path in copy}
    told = {item.path for item in report.diagnostics}
    return files - told if told <= files else set()


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


def _config(bench: Bench, only: Collection[str] = ()) -> bytes:
    """A configuration outside the repository: paths in it must be relative.

    Args:
        only: files of the copy to look at; empty takes all.
    """
    extra = [f"{_COPY}/src"] if any(path.startswith("src/") for path in bench.job.files) else []
    config = {
        "include": list(only) or [_COPY],
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
