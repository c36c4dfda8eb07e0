"""JUnit XML as pytest writes it: counts, and a diagnostic for each failed test."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from agentsys.core.artifacts import Diagnostic
from agentsys.core.text import cut
from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.logs.classify import diagnose
from agentsys.verify.logs.tracebacks import Fault, parse_faults

_ENTITY = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
_MAX_BYTES = 32 << 20


@dataclass(frozen=True)
class JunitReport:
    """Counts and faults of one test run."""

    passed: int
    failed: int
    errors: int
    skipped: int
    diagnostics: tuple[Diagnostic, ...]

    @property
    def total(self) -> int:
        """Tests and collection errors together."""
        return self.passed + self.failed + self.errors + self.skipped


def parse_junit(data: bytes, facts: RepoFacts) -> JunitReport | None:
    """Read a report; None where it is cut off, malformed, or has a document type, which pytest never writes."""
    text = data.decode("utf-8", "replace")
    if len(data) > _MAX_BYTES or _ENTITY.search(text):
        return None
    try:
        tree = ET.fromstring(text)
    except ET.ParseError:
        return None
    counts = {"passed": 0, "failure": 0, "error": 0, "skipped": 0}
    found: list[Diagnostic] = []
    for case in tree.iter("testcase"):
        outcome = next((child for child in case if child.tag in counts), None)
        counts[outcome.tag if outcome is not None else "passed"] += 1
        if outcome is not None and outcome.tag in ("failure", "error"):
            found.append(_diagnostic(case, outcome, facts))
    return JunitReport(counts["passed"], counts["failure"], counts["error"], counts["skipped"], tuple(found))


def _diagnostic(case: ET.Element, outcome: ET.Element, facts: RepoFacts) -> Diagnostic:
    text = outcome.text or ""
    collecting = not case.get("classname")
    test = _test_id(case)
    faults = parse_faults(text, facts.root)
    if faults:
        fault = faults[-1]
    else:
        error, _, message = (outcome.get("message") or "failed without a traceback").partition(": ")
        fault = Fault(error[:200], message[:2000], ())
    default = "import" if collecting else "test"
    found = diagnose(fault, "pytest", default, facts, test="" if collecting else test)
    return found.model_copy(
        update={"detail": cut(f"{test}\n{text}", 3000), "path": found.path or _file_of(case, facts)}
    )


def _test_id(case: ET.Element) -> str:
    return ".".join(part for part in (case.get("classname"), case.get("name")) if part)


def _file_of(case: ET.Element, facts: RepoFacts) -> str:
    """Find the file of a test from its dotted class name, trying the longest prefix first."""
    parts = _test_id(case).partition("[")[0].split(".")
    for end in range(len(parts), 0, -1):
        path = "/".join(parts[:end]) + ".py"
        if path in facts.files:
            return path
    return ""
