"""Code gate: every file of a tree is examined by what it is, or named as not examined."""

from __future__ import annotations

import ast
import contextlib
import gc
import posixpath
import re
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agentsys_policies.commands import check_command
from agentsys_policies.decide import finding
from agentsys_policies.paths import GIVEN, is_known
from agentsys_policies.rulebook import CodeRules, PatternRules, Rule
from agentsys_policies.scan import integrity, testing
from agentsys_policies.scan.build import BuildScanner
from agentsys_policies.scan.executed import Followed, Trace, can_be_examined, follow, language_of
from agentsys_policies.scan.feasible import Feasibility
from agentsys_policies.scan.files import Source, notebook_code, read
from agentsys_policies.scan.integrity import Context, is_test
from agentsys_policies.scan.labels import LabelTable
from agentsys_policies.scan.literals import needed
from agentsys_policies.scan.matching import matches
from agentsys_policies.scan.program import Program
from agentsys_policies.scan.scopes import Scopes
from agentsys_policies.scan.values import HOLE as UNKNOWN_PART
from agentsys_policies.scan.values import Hit
from agentsys_policies.schema import Evidence, Finding, Scanner
from agentsys_policies.session import Judged, Language, Ran
from agentsys_policies.shell import check_text
from agentsys_policies.text import quote
from agentsys_policies.tree import entries

VERSION = "2"
EXEC = "exec"
"""Stands for the command where a program runs the text of a file itself."""


@dataclass(frozen=True)
class CodeScanner:
    """The code rules, prepared; `build` knows shell text and the files that are not Python."""

    rules: CodeRules
    text_rules: PatternRules
    table: LabelTable
    build: BuildScanner
    by_id: dict[str, Rule]

    def tree(
        self,
        root: Path,
        paths: Sequence[str] | None,
        limit: int,
        most: int,
        known: frozenset[str] = frozenset(),
    ) -> tuple[list[Finding], Scanner]:
        """Examine a tree, or the named files of it.

        Args:
            known: hashes of what a verified run wrote; see `files.read`.
        """
        # Syntax trees hold no cycles; looking for some in them would take a fifth of the time.
        collects = gc.isenabled()
        gc.disable()
        try:
            return self._tree(root, paths, limit, most, known)
        finally:
            if collects:
                gc.enable()

    def _tree(
        self,
        root: Path,
        paths: Sequence[str] | None,
        limit: int,
        most: int,
        known: frozenset[str],
    ) -> tuple[list[Finding], Scanner]:
        started = time.perf_counter()
        found: list[Finding] = []
        skipped: list[str] = []
        trace = Trace()
        total = examined = 0
        for path in _selected(root, paths):
            total += 1
            if total > most:
                skipped.append(f"files after the first {most}")
                break
            outside = Source(str(path), "opaque", "", "outside")
            source = read(root, path, limit, known) if _is_below(root, path) else outside
            items, reason = self.source(source, trace)
            found += items
            if reason:
                skipped.append(f"{source.path}: {reason}")
            else:
                examined += 1
        items, reasons = self._executed(trace, root, limit)
        found += items
        skipped += reasons
        items, reasons = self._loaded(trace)
        found += [row for row in items if row not in found]
        skipped += reasons
        ms = (time.perf_counter() - started) * 1000
        receipt = Scanner(
            name="code", version=VERSION, inputs=total, examined=examined, skipped=tuple(skipped), ms=round(ms, 1)
        )
        return found, receipt

    def source(self, source: Source, trace: Trace | None = None) -> tuple[list[Finding], str]:
        """Return the findings on one file that was read, and why it could not be examined, if it could not.

        What the file runs is added to `trace`; without one, the text of other files that it runs counts as unexamined.
        """
        found: list[Finding] = []
        own = Trace() if trace is None else trace
        reason = source.reason or self._examine(source, found, own)
        return (found if trace is not None else [*found, *self._unexamined(follow(own, ()))]), reason

    def _examine(self, source: Source, found: list[Finding], trace: Trace) -> str:
        """Add the findings of one file; return why it could not be examined, or an empty string."""
        found += self._text(source)
        found += self.build.examine(source, trace)
        if source.kind == "python":
            return self._python(source.text, source.path, found, trace)
        if source.kind == "notebook":
            try:
                code = notebook_code(source.text)
            except (ValueError, RecursionError):
                return "not a notebook"
            return self._python(code, source.path, found, trace)
        return ""

    def _executed(self, trace: Trace, root: Path, limit: int) -> tuple[list[Finding], list[str]]:
        """Judge files that are run as programs and are not called so."""
        found: list[Finding] = []
        reasons: list[str] = []
        paths = [path.relative_to(root).as_posix() for path in entries(root)] if trace.ran else []
        done: set[tuple[str, str]] = set()
        missing: list[Followed] = []
        while trace.ran:
            runs = list(follow(trace, paths))
            trace.ran.clear()
            for item in runs:
                missing += [] if item.paths and can_be_examined(item.ran.name) else [item]
                for path in item.paths if can_be_examined(item.ran.name) else ():
                    source = read(root, root / path, limit)
                    if source.kind != "data" or source.reason or (path, item.ran.language) in done:
                        continue
                    done.add((path, item.ran.language))
                    reason = self._run_as(source, item.ran.language, found, trace)
                    reasons += [f"{path}: run as a program, {reason}"] if reason else []
        return [*found, *self._unexamined(missing, trace.made)], reasons

    def _run_as(self, source: Source, language: Language, found: list[Finding], trace: Trace) -> str:
        if language_of(source.path, source.text, language) == "python":
            return self._python(source.text, source.path, found, trace)
        found += self.build.script(source.text, trace, source.path)
        return ""

    def _loaded(self, trace: Trace) -> tuple[list[Finding], list[str]]:
        """Look again at programs that name files which other files of the tree fetch."""
        found: list[Finding] = []
        reasons: list[str] = []
        for path, text in trace.programs:
            fetched = {name for name in trace.fetched if name in text}
            try:
                found += self._program(_parse(text), text, path, Trace(), fetched=fetched) if fetched else []
            except (RecursionError, MemoryError) as error:
                reasons.append(f"{path}: not examined again for what is fetched ({type(error).__name__})")
        return found, reasons

    def _unexamined(self, runs: Iterable[Followed], made: Set[str] = frozenset()) -> Iterator[Finding]:
        """Texts that a program runs and that no file of the tree holds, and downloads that another file starts."""
        for item in runs:
            python = item.ran.text == EXEC
            if python and not item.ran.name.endswith(".py"):
                yield finding(self.by_id["code.unexamined-execution"], item.place, item.ran.name or "unknown file")
            elif any(posixpath.basename(name) == posixpath.basename(item.ran.name) for name in made if item.ran.name):
                yield finding(
                    self.by_id["command.pipe-to-interpreter"], item.place, f"made at run time: `{item.ran.name}`"
                )

    def _python(self, text: str, path: str, found: list[Finding], trace: Trace) -> str:
        try:
            scopes = _parse(text)
            found += self._program(scopes, text, path, trace)
            trace.programs.append((path, text))
            found += self._integrity(scopes, text, Context(path, is_test(path)))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"not Python that can be parsed ({type(error).__name__})"
        return ""

    def python(self, text: str, path: str = "", fetched: Set[str] = frozenset()) -> list[Finding]:
        """Return the findings on one program.

        Args:
            fetched: files that it finds there and that came from an address.

        Raises: SyntaxError, ValueError if it cannot be parsed.
        """
        trace = Trace()
        found = self._program(_parse(text), text, path, trace, fetched=fetched)
        return [*found, *self._unexamined(follow(trace, ()))]

    def _integrity(self, scopes: Scopes, text: str, context: Context) -> Iterator[Finding]:
        lines = text.splitlines()
        for rule, node, detail in (*integrity.detect(scopes.nodes, context), *testing.detect(scopes.nodes, context)):
            line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
            quoted = quote(lines[line - 1].strip()) if 0 < line <= len(lines) else ""
            place = Evidence(path=context.path, line=line, column=column, quote=quoted)
            yield finding(self.by_id[rule], place, detail)

    def _program(
        self,
        scopes: Scopes,
        text: str,
        path: str,
        trace: Trace,
        *,
        inner: bool = False,
        fetched: Set[str] = frozenset(),
    ) -> list[Finding]:
        rules = self._feasibility.rules(scopes)
        if not rules:
            return []
        program = Program(scopes, self.table, fetched)
        lines = text.splitlines()
        matched = matches(rules, program.hits, self.table)
        found = [finding(rule, _place(path, hit, lines), hit.name) for rule, hit in matched]
        for hit in program.hits:
            place = _place(path, hit, lines)
            for item in self._started(hit, place, trace, inner):
                found.append(item.model_copy(update={"evidence": place}))
        return found

    def _started(self, hit: Hit, place: Evidence, trace: Trace, inner: bool) -> Iterator[Finding]:
        """Findings on what the program starts: shell texts, argument lists, and programs handed to `exec`."""
        if hit.label == "exec.file":
            trace.ran += [(place, Ran(name, "python", EXEC)) for name in sorted(hit.words)]
        for text in sorted(hit.texts) if hit.label == "exec.code" and not inner else ():
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                yield from self._program(_parse(text.strip()), text, place.path, trace, inner=True)
        if hit.label != "exec.process":
            return
        for argv in hit.commands:
            words = [word.replace(UNKNOWN_PART, GIVEN) for word in argv]
            if not words or not is_known(words[0].split(" ")[0]):
                yield finding(self.by_id["code.unknown-command"], place, hit.name)
                continue
            judged = check_text(words[0], self.build.commands) if hit.shell else self._command(words)
            trace.take(judged, place)
            yield from judged.findings

    def _command(self, words: list[str]) -> Judged:
        return check_command(words, self.build.commands)

    @cached_property
    def _feasibility(self) -> Feasibility:
        return Feasibility(self.rules.rules, self.rules.labels, self.table)

    @cached_property
    def _literals(self) -> dict[str, str]:
        patterns = [pattern for rule in self.text_rules.rules for pattern in rule.patterns]
        return {item: "" if item.startswith("(?i)") else needed(item) for item in patterns}

    def text(self, text: str) -> list[Finding]:
        """Return the findings on what any text may not hold, such as a secret."""
        return list(self._text(Source("", "data", text)))

    def _text(self, source: Source) -> Iterator[Finding]:
        for rule in self.text_rules.rules:
            for pattern in rule.patterns:
                match = re.search(pattern, source.text) if self._literals[pattern] in source.text else None
                if match:
                    line = source.text.count("\n", 0, match.start()) + 1
                    yield finding(rule, Evidence(path=source.path, line=line, quote=_masked(match.group(0))))
                    break


def _is_below(root: Path, path: Path) -> bool:
    """True if no part of the way to a named file leads out of the tree; the last part may be a link, which is named."""
    return path.parent.resolve().is_relative_to(root.resolve()) and path.name not in {"", "..", "."}


def _parse(text: str) -> Scopes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Scopes(ast.parse(text))


def _masked(text: str) -> str:
    """A secret is named by its beginning, never repeated."""
    return quote(f"{text[:6]}…") if len(text) > 8 else quote(text)


def _place(path: str, hit: Hit, lines: list[str]) -> Evidence:
    line = lines[hit.line - 1] if 0 < hit.line <= len(lines) else ""
    return Evidence(path=path, line=hit.line, column=hit.column, quote=quote(line.strip()))


def _selected(root: Path, paths: Sequence[str] | None) -> Iterator[Path]:
    if paths is None:
        yield from entries(root)
        return
    for name in paths:
        yield root / name
