"""What a debugger is shown of a repository follows what was seen: frames, executed functions, callers, configuration.

The order is that in which a fault is looked for: what the last repair changed, where it brought faults; where they were
noticed; what the failed assertions and signs of health depend on and the others do not; what the failed run executed,
nearest to the code that measures; who calls that; what no run reached but the text uses.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agentsys.core.artifacts import Diagnostic, Plan
from agentsys.core.text import cut
from agentsys.core.tree import is_test_path
from agentsys.debug.callgraph import CallGraph, call_graph
from agentsys.debug.excerpts import pack
from agentsys.debug.slices import mentions, strings
from agentsys.debug.suspects import behind_rows, behind_tests
from agentsys.plan.generated import generated_files
from agentsys.plan.prompt_text import MAX_DIAGNOSTICS
from agentsys.verify.watching import FILE as WATCH
from agentsys.verify.watching import Watched, read_watched, timing_text

BUDGET = 26_000
"""Characters of source that are shown without being asked for."""
WIDE = 45_000
"""The same where an attempt has failed before."""
LEADING = 10
"""Diagnostics that are followed to what is behind them; of others that are told, where they were noticed is shown."""
MAX_RESULTS = 4000
MAX_RUN = 3000
MAX_LINE = 200
FEW = 5
"""Items of a list up to which all of them are shown; rows of `health` always are."""
_HANDED = ("KeyError", "IndexError", "AttributeError", "TypeError", "ValueError")
"""Errors of a test's own line that say more of what the code gave than of the test."""
_FAR = 3
"""Uses that are followed in the text."""
_HELPERS = 2
"""Calls of helpers in the tests' own files that are followed: what a test compares is made there."""
_WRITTEN = ("health", "result")
"""Kinds of faults that are noticed in what the run wrote: of their file the function counts that writes it."""
SMALL = 6000
"""Characters up to which such a file is shown where no function of it is known to do so."""
TELLING = 8
"""Characters of a string of code that says what a sign of health is of."""
_SLOW = 12
"""Functions of a run that was stopped."""
_PLACED = frozenset(
    {"type", "import", "wrong_import", "syntax", "missing_dependency", "bad_pin", "install", "missing_file", "test"}
)
"""Kinds of faults that come with their place."""
FAULTS = "faults"
"""The check that runs where all others pass: what it says was brought by no repair."""
RUN = ("smoke", "results", "dependence")
"""Checks of what the repository's own script did."""
_LOGS = (
    "install.log",
    "imports.log",
    "pyright.json",
    "pytest.log",
    "faults.log",
    "run.log",
    "results.json",
    "health.log",
    "dependence.log",
)


@dataclass(frozen=True)
class Evidence:
    """What is shown: texts by path, and what the failed run left."""

    diagnostics: Sequence[Diagnostic]
    """What is wrong; where a type does not fit, with the line of code."""
    sources: Mapping[str, str]
    raw: Mapping[str, str]
    """Results, the end of the run's log, seconds per function."""
    logs: Mapping[str, int]
    """Logs that may be asked for, with their lines."""


def budget_of(diagnostics: Sequence[Diagnostic]) -> int:
    """Return the characters of source that a first attempt at these is shown: half where every fault has its place.

    What raised, or does not fit, stands there; more may be asked for.
    """
    placed = all(row.kind in _PLACED and not _measured(row) for row in diagnostics[:MAX_DIAGNOSTICS])
    return BUDGET // 2 if placed else BUDGET


def with_lines(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str]) -> list[Diagnostic]:
    """Return diagnostics in which, where a type does not fit, the line of code stands that is spoken of."""

    def line_of(row: Diagnostic) -> str:
        lines = texts.get(row.path, "").splitlines() if row.kind == "type" else []
        return lines[row.line - 1].strip()[:MAX_LINE] if row.line and row.line <= len(lines) else ""

    return [
        row.model_copy(update={"detail": f"    {line}\n{row.detail}".rstrip()}) if (line := line_of(row)) else row
        for row in diagnostics
    ]


def gather(
    repo: Mapping[str, bytes],
    folder: Path,
    plan: Plan,
    diagnostics: Sequence[Diagnostic],
    budget: int,
    before: Mapping[str, bytes] | None = None,
) -> Evidence:
    """Return what the debugger is shown.

    Args:
        repo: the repository, POSIX path to content.
        folder: of the round that executed it.
        budget: characters of source, about.
        before: the repository before the repair that brought these diagnostics.
    """
    texts = {path: data.decode("utf-8", "replace") for path, data in repo.items()}
    graph = _graph(texts)
    watched = _watched(folder)
    order = _order(texts, folder, plan, diagnostics, graph, watched)
    if before is not None and any(row.check != FAULTS for row in diagnostics):
        order = _changed_first(
            order, graph, _graph({path: data.decode("utf-8", "replace") for path, data in before.items()})
        )
    heads = {path for row in diagnostics if not _measured(row) for path in (row.path, *map(_file_of, row.frames))}
    heads |= {path for path in texts if is_test_path(path)}  # a case that is added needs its imports
    told = with_lines(diagnostics, texts)
    return Evidence(told, pack(texts, order, budget, heads), _raw(folder, diagnostics, watched), _logs(folder))


def _graph(texts: Mapping[str, str]) -> CallGraph:
    return call_graph({path: text for path, text in texts.items() if path.endswith(".py")})


def _changed_first(order: Sequence[str], graph: CallGraph, before: CallGraph) -> list[str]:
    """Return the order with what a repair changed in front, the innermost definitions only."""
    old = {key: ast.dump(item.node) for key, item in before.nodes.items()}
    changed = [key for key, item in graph.nodes.items() if old.get(key) != ast.dump(item.node)]
    inner = [key for key in changed if not any(other.startswith(f"{key}.") for other in changed)]
    place = {key: number for number, key in enumerate(order)}
    return list(dict.fromkeys([*sorted(inner, key=lambda key: place.get(key, len(order))), *order]))


def _order(
    texts: Mapping[str, str],
    folder: Path,
    plan: Plan,
    diagnostics: Sequence[Diagnostic],
    graph: CallGraph,
    watched: Watched | None,
) -> list[str]:
    others = [key for row in diagnostics[LEADING:MAX_DIAGNOSTICS] for key in _places(row, texts, graph)]
    diagnostics = diagnostics[:LEADING]
    places = [key for row in diagnostics for key in _places(row, texts, graph)]
    files = [key for row in diagnostics for key in _files(row, texts)]
    changed = [path for path, text in generated_files(plan).items() if path in texts and texts[path] != text]
    ran = any(row.check in RUN for row in diagnostics)
    configs = [path for path in changed if path.endswith(".yaml")] if ran or _failing(diagnostics) else []
    suspects = behind_tests(folder, diagnostics, graph)
    if watched is not None and any(row.kind in ("health", "result") for row in diagnostics):
        suspects += behind_rows(folder, plan, watched, graph)
    behind = _behind(diagnostics, texts, graph, watched) if ran or watched else []
    seeds = [key for key in (*places, *suspects[:_SLOW], *behind) if key in graph.nodes]
    callers = [name for key in places for name in graph.callers(key) if not is_test_path(name.partition(":")[0])]
    tests = [key for key in places if is_test_path(key.partition(":")[0])]
    helpers = [key for key in graph.reach(tests, _HELPERS) if is_test_path(key.partition(":")[0])]
    near = graph.reach(seeds, 1)
    far = [key for key in graph.reach(seeds, _FAR) if not is_test_path(key.partition(":")[0])]
    order = [*places, *helpers, *files, *configs, *suspects, *behind, *others, *callers, *near, *far]
    return list(dict.fromkeys(key.partition(".<locals>")[0] for key in order)) or [
        spec.path for spec in plan.files if spec.path in texts
    ]


def _places(row: Diagnostic, texts: Mapping[str, str], graph: CallGraph) -> Iterable[str]:
    """Yield where a fault was noticed, the deepest frame first; of a sign of health or a result what writes it."""
    if writing := _writing(row, graph):
        yield from writing
        return
    spots = [(row.path, row.line)]
    for frame in reversed(row.frames):
        path, _, rest = frame.partition(":")
        number = rest.partition(" ")[0]
        spots.append((path, int(number) if number.isdigit() else None))
    symbol = row.symbol.partition("::")[2].partition("[")[0].replace("::", ".") or row.symbol
    for path, line in spots:
        if path in texts:
            named = f"{path}:{symbol}" if path == row.path else ""
            place = graph.at(path, line) or (named if named in graph.nodes else path)
            if place != path or row.kind not in _WRITTEN or len(texts[path]) <= SMALL:
                yield place


def _writing(row: Diagnostic, graph: CallGraph) -> list[str]:
    """Return the functions that write a sign of health or a result, by the words that stand in them."""
    if row.kind not in _WRITTEN:
        return []
    code = [key for key, item in graph.nodes.items() if item.kind == "function" and not is_test_path(_file_of(key))]
    own = [key for key in code if key.startswith(f"{row.path}:")]
    words = [row.symbol.partition(": ")[2]] if row.kind == "health" else row.symbol.split(",")
    found = [key for key in own if any(word and mentions(graph.nodes[key].node, word) for word in words)]
    if found:
        return found
    near = {
        key: max((len(text) for text in strings(graph.nodes[key].node) if text in row.message), default=0)
        for key in code
    }
    most = max(near.values(), default=0)
    return [key for key, size in near.items() if size == most] if most >= TELLING else []


def _files(row: Diagnostic, texts: Mapping[str, str]) -> Iterable[str]:
    """Yield what is no code and concerns a fault."""
    if row.kind in ("missing_dependency", "bad_pin", "install") and "requirements.txt" in texts:
        yield "requirements.txt"
    if row.check in ("smoke", "results") and row.kind != "health" and "reproduce.sh" in texts:
        yield "reproduce.sh"


def _file_of(frame: str) -> str:
    return frame.partition(":")[0]


def _measured(row: Diagnostic) -> bool:
    """True where code ran to its end and what it computed is wrong: no matter of what a file imports.

    So it is where a test itself fails at what it was handed, a key that a dictionary lacks for example.
    """
    handed = row.kind == "test" and is_test_path(row.path) and row.message.startswith(_HANDED)
    return row.kind == "health" or row.message.startswith("AssertionError") or handed


def _failing(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(row.kind == "test" for row in diagnostics)


def _behind(
    diagnostics: Sequence[Diagnostic], texts: Mapping[str, str], graph: CallGraph, watched: Watched | None
) -> list[str]:
    """Return the functions behind a run's numbers, nearest to what measured them; of a slow run the slowest."""
    slow = [row for row in diagnostics if row.kind == "timeout"]
    if watched is not None and slow:
        return sorted(watched.total, key=lambda name: (-watched.own.get(name, 0.0), -watched.total[name]))[:_SLOW]
    start = {row.path for row in diagnostics if row.check in RUN and row.path.endswith(".py")}
    if watched is None:
        seeds = [key for key in graph.nodes if key.partition(":")[0] in start or not start]
        return [key for key in graph.reach(seeds, _FAR) if not is_test_path(key.partition(":")[0])]
    called: dict[str, list[str]] = {}
    for caller, name in watched.calls:
        called.setdefault(caller, []).append(name)
    measuring = [name for name in watched.functions if name.partition(":")[0] in start]
    handing = [caller for caller, name in watched.calls if name in measuring]
    found: list[str] = []
    for seeds in (measuring, handing, _roots(watched)):
        ring = [name for name in dict.fromkeys(seeds) if name not in found]
        while ring:
            found += ring
            ring = list(dict.fromkeys(name for key in ring for name in called.get(key, ()) if name not in found))
    return [name for name in found if not name.endswith(">")]


def _roots(watched: Watched) -> list[str]:
    called = {name for _, name in watched.calls}
    return [name for name in watched.functions if name not in called]


def _watched(folder: Path) -> Watched | None:
    file = folder / WATCH
    return read_watched(file.read_text(encoding="utf-8")) if file.is_file() else None


def _raw(folder: Path, diagnostics: Sequence[Diagnostic], watched: Watched | None) -> dict[str, str]:
    """Return what the failed run left: its results, the end of what it printed, and where its time went."""
    found: dict[str, str] = {}
    if any(row.check in RUN for row in diagnostics):
        for name, limit in (("results.json", MAX_RESULTS), ("run.log", MAX_RUN)):
            if (text := log_text(folder, name)).strip():
                found[name] = _results(text, limit) if name == "results.json" else cut(text, limit)
    if watched is not None and any(row.kind in ("timeout", "health") for row in diagnostics):
        found["seconds per function"] = timing_text(watched)
    return {name: text for name, text in found.items() if text}


def _results(text: str, limit: int) -> str:
    """Return results as they are or, where they are long, a line for each key with the ends of lists alone."""
    if len(text) <= limit:
        return text
    try:
        short = _few(json.loads(text))
    except (ValueError, RecursionError):
        return cut(text, limit)
    if not isinstance(short, dict):
        return cut(text, limit)
    rows = cast("dict[str, object]", short).items()
    said = "\n".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in rows)
    return said if len(said) <= limit else f"{said[:limit]}\n... the rest stands in the log ..."


def _few(value: object) -> object:
    if isinstance(value, dict):
        return {key: _few(item) for key, item in cast("dict[str, object]", value).items()}
    if not isinstance(value, list):
        return value
    items = cast("list[object]", value)
    if len(items) <= FEW or any(isinstance(item, dict) and "experiment" in item for item in items):
        return [_few(item) for item in items]
    ends = [_few(item) for item in (*items[: FEW - 3], items[-1])]
    return [*ends[:-1], f"... {len(items) - FEW + 2} more ...", ends[-1]]


def _logs(folder: Path) -> dict[str, int]:
    names = [name for name in _LOGS if (folder / name).is_file()]
    return {name: log_text(folder, name).count("\n") + 1 for name in names}


def log_text(folder: Path, name: str) -> str:
    """Return a round's log, or an empty text where it has none of that name."""
    file = folder / name
    return file.read_text(encoding="utf-8", errors="replace") if name in _LOGS and file.is_file() else ""
