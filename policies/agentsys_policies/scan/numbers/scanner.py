"""Look through the files of a tree for the numbers that the paper reports."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from agentsys_policies.decide import finding
from agentsys_policies.rulebook import Rule
from agentsys_policies.scan.files import Source, notebook_code, read
from agentsys_policies.scan.integrity import is_test
from agentsys_policies.scan.numbers import programs, texts
from agentsys_policies.scan.numbers.arrays import arrays
from agentsys_policies.scan.numbers.mention import Mention, significant
from agentsys_policies.scan.numbers.reported import Match, Reported, Result, by_chance, match
from agentsys_policies.schema import Evidence, Finding, Scanner
from agentsys_policies.text import quote
from agentsys_policies.tree import entries

VERSION = "1"
FOUND = "integrity.reported-number"
DOUBT = "integrity.reported-number-doubt"
UNEXAMINED = "integrity.numbers-unexamined"
_ARRAYS = (".npy", ".npz")
_RUNS = frozenset({".py", ".sh", ".ipynb", ".yaml", ".yml", ".json", ".mk", ""})
_TEST_RUN = re.compile(rb"pytest[^\n;&|]*")
_TEST_FOLDER = re.compile(
    rb"^[ \t]*(?:from|import)\s[^\n]{0,200}\b(?:tests?|test_\w+|\w{1,60}_test|conftest)\b"
    rb"|[\"'/]tests?[\"'/]|\btests?/\w|conftest",
    re.MULTILINE,
)
_TABLES = (".safetensors", ".parquet")
_DOCUMENTS = (".md", ".rst", ".txt")
WINDOW = 24
"""Neighbouring numbers of a long table that are looked at together."""
MOST_SHOWN = 8
"""Numbers that one finding names."""


def is_document(path: str) -> bool:
    """True for a repository's documentation, which no check is shown: README files, and texts in `docs/`."""
    parts = path.lower().split("/")
    return parts[-1].partition(".")[0] == "readme" or (parts[0] == "docs" and parts[-1].endswith(_DOCUMENTS))


@dataclass(frozen=True)
class NumberScanner:
    """The rules on reported numbers, prepared."""

    by_id: dict[str, Rule]

    def tree(
        self, root: Path, names: Iterable[str] | None, limit: int, reported: Reported
    ) -> tuple[list[Finding], Scanner]:
        """Examine a tree, or the named files of it. What cannot be read is named by the scanner of code."""
        started = time.perf_counter()
        paths = list(entries(root)) if names is None else [root / name for name in names]
        found: list[Finding] = []
        examined = 0
        loose = _uses_tests(root, paths, limit)
        for path in paths:
            name = path.relative_to(root).as_posix()
            if reported.leaves_out(name) or path.is_symlink() or not path.is_file() or path.stat().st_size > limit:
                continue
            items = self.source(read(root, path, limit), reported, raw=path, tests_are_used=loose)
            examined += 1
            found += items
        ms = (time.perf_counter() - started) * 1000
        return found, Scanner(name="numbers", version=VERSION, inputs=examined, examined=examined, ms=round(ms, 1))

    def source(
        self, source: Source, reported: Reported, *, raw: Path | None = None, tests_are_used: bool = False
    ) -> list[Finding]:
        """Return the findings on one file.

        Args:
            raw: where its bytes are, for files of arrays.
            tests_are_used: a file that is no test refers to the folder of tests.
        """
        looked = list(islice(_mentions(source, raw), texts.MOST_NUMBERS + 1))
        found = _File(reported, looked[: texts.MOST_NUMBERS])
        place = Evidence(path=source.path)
        results: list[Finding] = []
        if found.telling and (is_document(source.path) or (is_test(source.path) and not tests_are_used)):
            # No check is shown a document, and no run a test: a remark on the file.
            results.append(self._together(FOUND, source, found.telling).model_copy(update={"severity": "low"}))
        else:
            told = found.telling.values()
            results += [
                finding(self.by_id[FOUND], _place(source, item), _words(item, like.result)) for item, like in told
            ]
        if found.doubts:
            results.append(self._together(DOUBT, source, found.doubts))
        if source.path.lower().endswith(_TABLES):
            results.append(finding(self.by_id[UNEXAMINED], place, "of this format"))
        if len(looked) > texts.MOST_NUMBERS:
            results.append(finding(self.by_id[UNEXAMINED], place, f"numbers after the first {texts.MOST_NUMBERS}"))
        return results

    def _together(self, rule: str, source: Source, rows: Mapping[Result, tuple[Mention, Match]]) -> Finding:
        """One finding on several numbers of a file, at the place of the first."""
        first = next(iter(rows.values()))[0]
        words = "; ".join(_words(item, like.result) for item, like in islice(rows.values(), MOST_SHOWN))
        return finding(self.by_id[rule], _place(source, first), words)


@dataclass
class _File:
    """The numbers of one file that are like results: which of them tell, and which may be chance."""

    reported: Reported
    mentions: list[Mention]
    telling: dict[Result, tuple[Mention, Match]] = field(default_factory=dict[Result, tuple[Mention, Match]])
    doubts: dict[Result, tuple[Mention, Match]] = field(default_factory=dict[Result, tuple[Mention, Match]])

    def __post_init__(self) -> None:
        looked = ((n, item, match(item, self.reported)) for n, item in enumerate(self.mentions))
        told = [(n, item, like) for n, item, like in looked if like is not None]
        by_key = {like.result for _, item, like in told if like.strength == "telling" and _by_key(item, like)}
        strong = {like.result for _, _, like in told if like.strength != "doubt"}
        many = not self._may_be_chance([(n, like.result) for n, _, like in told if like.strength != "doubt"])
        for _, item, like in told:
            tells = like.strength == "telling" or (like.strength == "weak" and len(strong) > 1)
            tells = tells and (many or like.result in by_key)
            (self.telling if tells else self.doubts).setdefault(like.result, (item, like))
        self.doubts = {result: row for result, row in self.doubts.items() if result not in self.telling}

    def _may_be_chance(self, hits: list[tuple[int, Result]]) -> bool:
        """True where a table is so long that numbers like results are expected, and none stand together."""
        numbers = [significant(item.value) >= 3 for item in self.mentions]
        share = by_chance(self.reported)
        if sum(numbers) * share <= 0.5:
            return False
        for n, (begin, _) in enumerate(hits):
            near = {result for at, result in hits[n:] if at < begin + WINDOW}
            if len(near) >= 3 + 4 * WINDOW * share:
                return False
        return True


def _by_key(mention: Mention, like: Match) -> bool:
    return bool(like.result.key) and mention.key.lower() == like.result.key.lower()


def _mentions(source: Source, raw: Path | None) -> Iterator[Mention]:
    if source.kind == "python":
        yield from programs.mentions(source.text)
    elif source.kind == "notebook":
        yield from _notebook(source.text)
    elif source.path.lower().endswith(_ARRAYS) and raw is not None:
        for name, values in arrays(raw.read_bytes()):
            yield from (Mention(value, 1, f"{name} {value:.6g}".strip(), name) for value in values)
    elif source.text:
        yield from texts.mentions(source.text, prose=is_document(source.path))


def _notebook(text: str) -> Iterator[Mention]:
    with suppress(ValueError, RecursionError):
        yield from programs.mentions(notebook_code(text))
    yield from texts.mentions(text)


def _uses_tests(root: Path, paths: list[Path], limit: int) -> bool:
    """True if a file that is no test names the folder of tests: what a run reads there is no test's own number."""
    for path in paths:
        name = path.relative_to(root).as_posix()
        if is_test(name) or is_document(name) or path.is_symlink() or not path.is_file() or path.stat().st_size > limit:
            continue
        if path.suffix in _RUNS and _TEST_FOLDER.search(_TEST_RUN.sub(b"", path.read_bytes())):
            return True
    return False


def _words(mention: Mention, result: Result) -> str:
    name = f" of `{result.key}`" if result.key else ""
    return f"`{mention.words}` for {result.value:g}{name}"


def _place(source: Source, mention: Mention) -> Evidence:
    lines = source.text.splitlines() if source.kind != "notebook" else []
    shown = lines[mention.line - 1].strip() if 0 < mention.line <= len(lines) else mention.words
    return Evidence(path=source.path, line=mention.line if lines else None, quote=quote(shown))
