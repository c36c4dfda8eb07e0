"""Files that tools run or read: shell scripts, Makefiles, container recipes, build settings, start-up files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from agentsys_policies.decide import finding
from agentsys_policies.rulebook import FileRules, Rule
from agentsys_policies.scan.executed import Trace
from agentsys_policies.scan.files import Source
from agentsys_policies.scan.recipes import recipes
from agentsys_policies.schema import Evidence, Finding
from agentsys_policies.session import Commands
from agentsys_policies.shell import check_text
from agentsys_policies.text import quote

_STARTS_PYTHON = frozenset({"sitecustomize.py", "usercustomize.py"})
_HOST = re.compile(
    r"^\s*(?:privileged:\s*true|network_mode:\s*[\"']?host|pid:\s*[\"']?host|-\s*[\"']?(?:/var/run/docker\.sock|/):)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class BuildScanner:
    """Rules of files.yaml; `commands` judges shell text as the command gate does."""

    rules: FileRules
    by_id: dict[str, Rule]
    commands: Commands

    def examine(self, source: Source, trace: Trace) -> Iterator[Finding]:
        """Yield the findings that depend on the kind and the name of a file; what it runs is added to `trace`."""
        name = source.path.rpartition("/")[2]
        if source.path.startswith(".git/hooks/") or "/.git/hooks/" in source.path:
            yield self._found("file.git-hook", source, 1, name)
        if name in _STARTS_PYTHON:
            yield self._found("file.start-up", source, 1, name)
        yield from self._recipes(source, trace)
        match source.kind:
            case "shell":
                yield from self.script(source.text, trace, source.path)
            case "container":
                yield from self._added(source)
            case "project":
                yield from self._project(source, name)
            case "pth":
                yield from self._start_up(source)
            case _:
                if re.fullmatch(r"(docker-)?compose.*\.ya?ml", name):
                    yield from self._compose(source)

    def script(self, text: str, trace: Trace, path: str = "") -> Iterator[Finding]:
        """Yield the findings of the command rules on shell text: a file is judged as a command is."""
        judged = check_text(text, self.commands)
        trace.take(judged, Evidence(path=path))
        for item in judged.findings:
            yield item.model_copy(update={"evidence": item.evidence.model_copy(update={"path": path})})

    def _recipes(self, source: Source, trace: Trace) -> Iterator[Finding]:
        for recipe in recipes(source):
            match recipe.kind:
                case "unreadable":
                    yield self._found("file.unreadable-settings", source, 1, recipe.text)
                    continue
                case "requirement":
                    found = list(self.commands.requirement(recipe.text))
                case "python":
                    found = list(self.commands.code(recipe.text, frozenset()))
                case _:
                    found = list(self.script(recipe.text, trace, source.path))
            for item in found:
                line = recipe.line(item.evidence.line or 1)
                yield item.model_copy(
                    update={"evidence": item.evidence.model_copy(update={"path": source.path, "line": line})}
                )

    def _added(self, source: Source) -> Iterator[Finding]:
        """`ADD https://...` of a container recipe."""
        for number, line in enumerate(source.text.splitlines(), 1):
            word, _, rest = line.strip().partition(" ")
            if word.upper() == "ADD" and "://" in rest:
                yield self._found("file.container-recipe", source, number, line)

    def _compose(self, source: Source) -> Iterator[Finding]:
        for match in _HOST.finditer(source.text):
            line = source.text.count("\n", 0, match.start()) + 1
            yield self._found("file.container-recipe", source, line, match.group(0))

    def _start_up(self, source: Source) -> Iterator[Finding]:
        for number, line in enumerate(source.text.splitlines(), 1):
            if line.startswith(("import ", "import\t")):
                yield self._found("file.start-up", source, number, line)

    def _project(self, source: Source, name: str) -> Iterator[Finding]:
        if name == "setup.cfg":
            if re.search(r"^\s*cmdclass\s*=", source.text, re.MULTILINE):
                yield self._found("file.build-backend", source, 1, "cmdclass")
            return
        if name != "pyproject.toml":
            return
        try:
            loaded = tomllib.loads(source.text)
        except (tomllib.TOMLDecodeError, RecursionError):
            yield self._found("file.unreadable-settings", source, 1, name)
            return
        build = _table(loaded, "build-system")
        backend = build.get("build-backend")
        if "backend-path" in build or (backend is not None and backend not in self.rules.build_backends):
            yield self._found("file.build-backend", source, 1, f"build-backend {backend}")
        if "custom" in _table(loaded, "tool", "hatch", "build", "hooks"):
            yield self._found("file.build-backend", source, 1, "a hook of hatch")
        if _table(loaded, "tool", "setuptools", "cmdclass"):
            yield self._found("file.build-backend", source, 1, "cmdclass")

    def _found(self, rule: str, source: Source, line: int, detail: str) -> Finding:
        return finding(self.by_id[rule], Evidence(path=source.path, line=line, quote=quote(detail)), detail)


def _table(loaded: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        found = loaded.get(key)
        if not isinstance(found, dict):
            return {}
        loaded = cast("dict[str, Any]", found)
    return loaded
