"""What uv and pip say when an installation fails: a fault of the requirements, of a build, or of the world."""

from __future__ import annotations

import re

from agentsys.core.artifacts import Diagnostic, DiagnosticKind
from agentsys.core.text import cut
from agentsys.plan.distributions import normal_name
from agentsys.plan.repo_facts import RepoFacts
from agentsys.verify.logs.tracebacks import parse_faults

_INFRASTRUCTURE = re.compile(
    r"dns error|failed to lookup address|name resolution|invalid peer certificate|CERTIFICATE_VERIFY_FAILED"
    r"|SSLCertVerificationError|UnknownIssuer|client error \(Connect\)|Connection (refused|reset|aborted|timed out)"
    r"|NewConnectionError|Read timed out|operation timed out|Could not connect|Network is unreachable"
    r"|HTTP status (server error|client error \(429)|50[0234] (Server Error|Bad Gateway|Service)|Failed to establish"
    r"|error sending request|connection closed before message completed|IncompleteRead",
    re.IGNORECASE,
)
_BUILD = re.compile(r"Failed (?:to build|building wheel)|build backend returned|metadata-generation-failed")
_OWN = "Failed to build `the repository itself`"
_NAME = r"([A-Za-z0-9][\w.-]{0,100}(?:\[[\w,.-]{1,100}\])?)"
_ANY_PIN = _NAME + r"\s*([=<>!~][^\s,]*(?:,[=<>!~][^\s,]*)*)"
_MAX_TEXT = 200_000
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"does not satisfy Python\S+ and " + _NAME + r"(?=[=<>!~ ])"), "`{0}` needs another Python version"),
    (re.compile(r"Because " + _NAME + r" was not found in the package registry"), "there is no distribution `{0}`"),
    (re.compile(r"there (?:is|are) no versions? of " + _NAME + r"()(?=[=<>!~ ])"), "no version of `{0}` fits"),
    (re.compile(r"No matching distribution found for " + _NAME), "no version of `{0}` fits"),
    (re.compile(r"[Ff]ailed to (?:download and )?build `?" + _NAME), "`{0}` could not be built from its source"),
    (re.compile(r"╰─> " + _NAME), "`{0}` could not be built from its source"),
    (re.compile(r"Failed building wheel for " + _NAME), "`{0}` could not be built from its source"),
    (re.compile(r"Failed to parse: `" + _NAME), "the requirement for `{0}` is not valid"),
    (re.compile(r"Invalid requirement: '?" + _NAME), "the requirement for `{0}` is not valid"),
    (re.compile(r"[Hh]ash(?:es)? mismatch (?:for|in) `?" + _NAME), "the hash of `{0}` does not match"),
    (re.compile(r"Because " + _ANY_PIN + r" depends on"), "`{0}` conflicts with other requirements"),
    (re.compile(_NAME + r" \d\S* depends on"), "`{0}` conflicts with other requirements"),
    (re.compile(r"Because you require " + _NAME), "`{0}` conflicts with other requirements"),
)


def is_infrastructure(text: str) -> bool:
    """True where the network or the index failed, not the requirements.

    pip prints `No matching distribution found` after a refused connection too, so this is asked first. A build script
    that asks for the network is the requirement's own fault.
    """
    return _INFRASTRUCTURE.search(text) is not None and _BUILD.search(text) is None


def diagnose_install(text: str, facts: RepoFacts, path: str = "requirements.txt") -> Diagnostic:
    """Return the one diagnostic of a failed installation.

    Args:
        path: file that holds the requirements.
    """
    if _OWN in text:
        return _own_project(text, facts)
    flat = re.sub(r"\n[ \t]+(?=[a-z`(])", " ", cut(text, _MAX_TEXT))
    for pattern, message in _PATTERNS:
        match = pattern.search(flat)
        if match:
            name = normal_name(match[1].partition("[")[0])
            return _diagnostic("bad_pin", message.format(name), name, text, facts, path)
    return _diagnostic("install", _last_line(text), "", text, facts, path)


def _own_project(text: str, facts: RepoFacts) -> Diagnostic:
    """The repository itself could not be built."""
    faults = parse_faults(text, facts.root)
    why = f"{faults[-1].error}: {faults[-1].message}".splitlines()[0] if faults else _last_line(text)
    return _diagnostic(
        "install", f"the repository itself cannot be installed: {why}", "", text, facts, "pyproject.toml"
    )


def _diagnostic(kind: DiagnosticKind, message: str, symbol: str, text: str, facts: RepoFacts, path: str) -> Diagnostic:
    path, line = _place(symbol, path, facts)
    return Diagnostic(
        kind=kind,
        check="install",
        message=message,
        path=path,
        line=line,
        symbol=symbol,
        detail=cut(text.strip(), 4000),
    )


def _place(symbol: str, path: str, facts: RepoFacts) -> tuple[str, int | None]:
    """Find the line that asks for a distribution; `path` first, then the other files with requirements."""
    if not symbol:
        return path, None
    for name in sorted(facts.texts, key=lambda name: name != path):
        for number, line in enumerate(facts.texts[name].splitlines(), 1):
            asked = re.findall(r"(?:^\s*|[\"'])([A-Za-z0-9][\w.-]*)", line)
            if any(normal_name(item) == symbol for item in asked):
                return name, number
    return path, None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["the installation failed without a word"])[-1][:300]
