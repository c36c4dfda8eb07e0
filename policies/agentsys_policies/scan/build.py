"""Files that tools run or read: shell scripts, Makefiles, container recipes, build settings, start-up files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from agentsys_policies.decide import finding
from agentsys_policies.rulebook import FileRules, Rule
from agentsys_policies.scan.files import Source
from agentsys_policies.schema import Evidence, Finding
from agentsys_policies.text import quote

ShellCheck = Callable[[str], Sequence[Finding]]
_STARTS_PYTHON = frozenset({"sitecustomize.py", "usercustomize.py"})
_HOST = re.compile(
    r"^\s*(?:privileged:\s*true|network_mode:\s*[\"']?host|pid:\s*[\"']?host|-\s*[\"']?(?:/var/run/docker\.sock|/):)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class BuildScanner:
    """Rules of files.yaml; `shell` checks shell text by the command rules."""

    rules: FileRules
    by_id: dict[str, Rule]
    shell: ShellCheck

    def examine(self, source: Source) -> Iterator[Finding]:
        """Yield the findings that depend on the kind and the name of a file."""
        name = source.path.rpartition("/")[2]
        if source.path.startswith(".git/hooks/") or "/.git/hooks/" in source.path:
            yield self._found("file.git-hook", source, 1, name)
        if name in _STARTS_PYTHON:
            yield self._found("file.start-up", source, 1, name)
        match source.kind:
            case "shell":
                yield from self.script(source.text, source.path)
            case "make":
                yield from self._recipes(source)
            case "container":
                yield from self._container(source)
            case "project":
                yield from self._project(source, name)
            case "pth":
                yield from self._start_up(source)
            case _:
                if re.fullmatch(r"(docker-)?compose.*\.ya?ml", name):
                    yield from self._compose(source)

    def script(self, text: str, path: str = "", line: int = 1) -> Iterator[Finding]:
        """Yield the findings of the command rules on shell text: a file is judged as a command is."""
        for item in self.shell(text):
            at = line + (item.evidence.line or 1) - 1
            yield item.model_copy(update={"evidence": item.evidence.model_copy(update={"path": path, "line": at})})

    def _recipes(self, source: Source) -> Iterator[Finding]:
        for number, line in enumerate(source.text.replace("\\\n", " ").splitlines(), 1):
            if line.startswith("\t"):
                command = re.sub(r"\$[({](\w+)[)}]", r"$\1", line.strip().lstrip("@-+")).replace("$$", "$")
                yield from self.script(command, source.path, number)

    def _container(self, source: Source) -> Iterator[Finding]:
        for number, line in enumerate(source.text.replace("\\\n", " ").splitlines(), 1):
            word, _, rest = line.strip().partition(" ")
            if word.upper() == "RUN":
                yield from self.script(re.sub(r"^(--\S+\s+)+", "", rest), source.path, number)
            elif word.upper() == "ADD" and "://" in rest:
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
