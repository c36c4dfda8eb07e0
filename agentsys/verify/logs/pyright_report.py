"""Pyright's `--outputjson`: errors as diagnostics, and what it looked at."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from agentsys.core.artifacts import Diagnostic
from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.logs.classify import missing_module
from agentsys.verify.logs.tracebacks import own_path

_UNRESOLVED = re.compile(r'^Import "([\w.]+)" could not be resolved')
_NO_ATTRIBUTE = re.compile(r'^"(\w+)" is not a known attribute of module "([\w.]+)"')
_UNKNOWN = re.compile(r'^"(\w+)" is unknown import symbol')


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")
    file: str
    severity: str
    message: str
    rule: str = ""
    line: int = Field(default=0, validation_alias=AliasPath("range", "start", "line"))


class _Report(BaseModel):
    model_config = ConfigDict(extra="ignore")
    version: str
    items: list[_Item] = Field(validation_alias="generalDiagnostics")
    files: int = Field(validation_alias=AliasPath("summary", "filesAnalyzed"))
    errors: int = Field(validation_alias=AliasPath("summary", "errorCount"))


@dataclass(frozen=True)
class PyrightReport:
    """What pyright said, in our terms."""

    version: str
    files: int
    """Files analysed."""
    errors: int
    """Errors by pyright's own count."""
    diagnostics: tuple[Diagnostic, ...]


def parse_pyright(text: str, facts: RepoFacts) -> PyrightReport | None:
    """Read the JSON report; None where the text is not one (pyright crashed, or was cut off).

    Only errors become diagnostics: a missing stub or a warning is none.
    """
    start = text.find("{")
    try:
        report = _Report.model_validate(json.loads(text[start:])) if start >= 0 else None
    except (ValueError, RecursionError, ValidationError):
        return None
    if report is None:
        return None
    found = tuple(_diagnostic(item, facts) for item in report.items if item.severity == "error")
    return PyrightReport(report.version, report.files, report.errors, found)


def _diagnostic(item: _Item, facts: RepoFacts) -> Diagnostic:
    path, own = own_path(item.file, facts.root)
    path = path if own else ""
    line = item.line + 1
    head, _, rest = item.message[:4000].partition("\n")
    unresolved = _UNRESOLVED.match(head)
    if unresolved:
        finding = missing_module(unresolved[1], facts)
        kind, message, symbol = finding.kind, finding.message, finding.symbol
    elif unknown := _UNKNOWN.match(head):
        kind, message, symbol = "wrong_import", f"`{unknown[1]}` is not in the module it is imported from", unknown[1]
    elif attribute := _NO_ATTRIBUTE.match(head):
        name = f"{attribute[2]}.{attribute[1]}"
        kind, message, symbol = "wrong_import", f"module `{attribute[2]}` has no `{attribute[1]}`", name
    elif not item.rule:
        kind, message, symbol = "syntax", head, ""
    else:
        kind, message, symbol = "type", f"{head} ({item.rule})", ""
    return Diagnostic(
        kind=kind,
        check="pyright",
        message=message,
        path=path,
        line=line,
        symbol=symbol,
        detail=rest.strip()[:1000],
    )
