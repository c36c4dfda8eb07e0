"""The check `pyright`: no errors (basic mode), against the installed environment, with our own configuration."""

from __future__ import annotations

import io
import json
import re
import tokenize

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.verify.checks.base import Bench, CheckSpec, Found, Infrastructure, log_text, outcome_diagnostic
from agentsys.verify.logs.pyright_report import PyrightReport, parse_pyright
from agentsys_sandbox.base import PYRIGHT, REPO, VENV

_IGNORE = re.compile(r"#\s*(pyright|type):\s*ignore\b")
_FILE_LEVEL = re.compile(r"#\s*pyright:\s*(?!ignore\b|strict\b|basic\b|standard\b)\S|#\s*mypy:\s*ignore-errors")


async def check_types(bench: Bench) -> Found:
    """Run pyright over every Python file. A configuration or file-level comment of the repository has no say."""
    python = [path for path in bench.job.files if path.endswith(".py")]
    await bench.place_repo()
    await bench.sandbox.write_files({"pyrightconfig.json": _config(bench)}, root=bench.inside)
    argv = [*PYRIGHT, "--outputjson", "--pythonpath", f"{VENV}/bin/python", "--project", bench.inside]
    result = await bench.run("pyright", argv)
    limit = outcome_diagnostic("pyright", result, "pyright")
    report = parse_pyright(result.stdout.decode("utf-8", "replace"), bench.facts)
    log = bench.log("pyright.json", result.stdout if report else log_text(result))
    if limit:
        return bench.failed(limit, result=result, log=log)
    if report is None:
        raise Infrastructure(f"pyright: no report: {cut(result.text().strip(), 300)}")
    silenced, ignores = _comments(bench, python)
    found = (*silenced, *report.diagnostics, *_incomplete(report, len(python)))
    note = f"{_count(report.errors, 'error')} in {_count(report.files, 'file')}"
    note += f"; {_count(ignores, 'line')} excepted by comments" if ignores else ""
    agreed = report.errors == 0 and result.exit_code == 0
    state = "passed" if agreed and not found else "failed"
    counts = {"errors": report.errors, "files": report.files, "excepted": ignores}
    return Found(bench.check("pyright", state, note, result=result, log=log, counts=counts), found)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _config(bench: Bench) -> bytes:
    """A configuration outside the repository: paths in it must be relative."""
    extra = ["../repo/src"] if any(path.startswith("src/") for path in bench.job.files) else []
    config = {
        "include": [f"../{REPO.rpartition('/')[2]}"],
        "exclude": ["**/__pycache__"],
        "typeCheckingMode": "basic",
        "reportMissingModuleSource": "none",
        "executionEnvironments": [{"root": "../repo", "extraPaths": extra}],
    }
    return json.dumps(config).encode()


def _incomplete(report: PyrightReport, python: int) -> tuple[Diagnostic, ...]:
    """Nothing analysed, or less than there is, is no success."""
    if report.files >= python and report.files > 0:
        return ()
    message = f"pyright analysed {report.files} of {python} Python files"
    return (Diagnostic(kind="type", check="pyright", message=message),)


def _comments(bench: Bench, python: list[str]) -> tuple[list[Diagnostic], int]:
    """Find comments that would silence a whole file, and count those that silence a line."""
    silenced: list[Diagnostic] = []
    ignores = 0
    for path in python:
        code_seen = False
        for number, comment in _walk_comments(bench.text(path)):
            if not comment:
                code_seen = True
                continue
            whole_file = _FILE_LEVEL.search(comment) or (not code_seen and _IGNORE.search(comment))
            if whole_file:
                message = f"`{comment[:80]}` switches type errors off for the whole file; remove it"
                silenced.append(Diagnostic(kind="type", check="pyright", message=message, path=path, line=number))
            elif _IGNORE.search(comment):
                ignores += 1
    return silenced, ignores


def _walk_comments(text: str) -> list[tuple[int, str]]:
    """Return comments with their lines; an empty text stands for the first line of code."""
    layout = (tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    found: list[tuple[int, str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found.append((token.start[0], token.string))
            elif token.type not in layout and not any(not comment for _, comment in found):
                found.append((token.start[0], ""))
    except (tokenize.TokenError, SyntaxError):
        return found  # pyright reports the syntax error itself
    return found


CHECK = CheckSpec("pyright", check_types, needs=("install",))
