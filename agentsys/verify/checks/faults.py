"""The check `faults`: small faults are planted in the method, and its tests must notice them.

Each test must notice one of the faults that are planted in what it executes, each function that carries a requirement
must have its faults noticed, and what the tests noticed in an earlier round they must still notice.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Mapping

from agentsys.core.artifacts import CENTRAL, Diagnostic
from agentsys.core.files import write_atomic
from agentsys.core.tree import tree_hash
from agentsys.plan.symbols import definitions
from agentsys.verify.checks.base import Bench, CheckSpec, Found
from agentsys.verify.checks.outcomes import NOTHING, formerly_noticed, keep_outcomes, known_outcomes
from agentsys.verify.fidelity.evidence import TestRecord, gather, read_tests
from agentsys.verify.fidelity.mutants import Target, plan_targets
from agentsys.verify.fidelity.mutation_report import FAULTS_FILE, FILE, MutationReport, TriedMutant, read_report
from agentsys.verify.fidelity.noticed import STANDING, NoticedFault, Standing, read_standing
from agentsys.verify.fidelity.planting import ROUNDS, Board, Spot, assembles, base, spots_by_turns, test_texts
from agentsys.verify.fidelity.trials import Trial, Trials, TrialSeen

NAME = "faults"
MOST_SECONDS = 900.0
"""After so much processor time, on each processor, no further fault is tried."""
LONG = 1.0
"""Seconds: tests that take longer together are run against a fault until the first of them notices it."""
AGAIN = 8
"""Faults that a replay plants once more."""
_SHOWN = 4
STATES = ("missed", "open", "broke", "noticed")
"""What may become of a fault, that first which wants work."""
LEGEND = (
    "missed: each test that executes the function passes with it; open: those that were run did, others were not run; "
    "broke: the code ended by itself, with an error or at a limit; noticed: an assertion failed"
)
_BEFORE, _AFTER = "before", "after"
_Spots = dict[tuple[str, str], list[Spot]]


async def check_faults(bench: Bench) -> Found:
    """Plant faults until every test and every required function is judged, and write `rounds/mutation.json`."""
    since = time.monotonic()
    stored = bench.job.out / "tests.json"
    tests = read_tests(stored.read_bytes()) if stored.is_file() else None
    if tests is None:
        return Found(bench.check(NAME, "not_run", "no record of tests is there"))
    work = _Work(bench, tests, await spots_by_turns(bench.job.files), min(bench.job.timeout, MOST_SECONDS))
    await work.run()
    found = work.found()
    lost = "; ".join(work.notes)
    board = work.board
    judged = [board.judge(spot) for spot in board.tried.values()]
    noticed, missed = judged.count("noticed"), judged.count("missed")
    note = f"the tests noticed {noticed} of {noticed + missed} planted faults"
    idle = [] if work.again else board.not_judged()
    note += f"; {len(idle)} tests not judged" if idle else ""
    note += "; all were judged in the round that is replayed" if work.again else ""
    note += f"; {lost}" if lost else ""
    seconds = time.monotonic() - since
    work.store(seconds, passed=not found)
    log = bench.log("faults.log", work.log())
    counts = {"noticed": noticed, "missed": missed, "broke": judged.count("broke"), "not_judged": len(idle)}
    check = bench.check(NAME, "failed" if found else "passed", note, log=log, counts=counts)
    return Found(check.model_copy(update={"seconds": round(seconds, 3)}), tuple(found))


class _Work:
    """The check under way."""

    def __init__(self, bench: Bench, tests: TestRecord, every: _Spots, most: float) -> None:
        job = bench.job
        self.bench, self.most = bench, most
        evidence = gather(job.plan, job.files, tests)
        targets = plan_targets(job.plan, evidence, job.files)
        required = {(row.path, row.symbol): row.requirements for row in targets}
        self.board = Board(every, required, _assembling(bench, required), texts=test_texts(job.files))
        self.board.learn(tests)
        self.trials = Trials(bench, seconds=tests.seconds)
        self.standing = read_standing(job.out.parent / STANDING)
        self.board.standing = {key: row.tests for key, row in self.standing.faults.items()}
        self.notes: list[str] = []
        self.steady: set[str] = set()
        """Tests that passed without a fault, before the first faults and after them."""
        report = read_report(job.out.parent / FILE)
        tree = job.tree or tree_hash(job.files)
        self.again = job.stage == "replay" and report is not None and report.passed and report.tree == tree
        """A round has judged these files: here a few of the faults are planted once more."""
        self._sample = self._chosen(targets)
        self.known = known_outcomes(bench) if job.stage == "verify" else NOTHING
        self.board.formerly = formerly_noticed(bench) if job.stage == "verify" else {}

    def _chosen(self, targets: list[Target]) -> list[Spot]:
        """Return what the tests noticed before, and a sample over the whole method."""
        every = {spot.key: spot for rows in self.board.spots.values() for spot in rows}
        before = [every[key] for key in self.standing.faults if key in every]
        if self.again:
            return random.Random(0).sample(before, min(AGAIN, len(before)))
        pool = sorted((spot for row in targets for spot in self.board.values((row.path, row.symbol))), key=_key)
        count = min(self.bench.job.mutants, len(pool))
        return list(dict.fromkeys([*before, *random.Random(0).sample(pool, count)]))

    async def run(self) -> None:
        """Try faults in a few goes; each takes what the one before left open."""
        if self.again:
            await self._go({spot: self.board.before(spot) for spot in self._sample}, first=True)
            return
        await self._go(self.board.first(self._sample), first=True)
        for number in range(2, ROUNDS + 1):
            wanted = self.board.following(number)
            if not wanted or self.board.cut_short:
                break
            await self._go(wanted)

    async def _go(self, wanted: Mapping[Spot, list[str]], *, first: bool = False) -> None:
        """Try faults, except on tests whose outcome an earlier round saw and nothing can have changed."""
        board = self.board
        silent = set(board.silent())
        rows: list[Trial] = []
        known: dict[Spot, dict[str, str]] = {}
        for spot, tests in wanted.items():
            before = self.known.words.get(spot.key, {})
            enough = self._enough(tests, silent, first=first)
            known[spot] = {test: before[test] for test in tests if test in before}
            left = tuple(test for test in tests if test not in before)
            if left and not (enough and "asserted" in known[spot].values()):
                rows.append(Trial(spot.key, left, spot.path, spot.fault, first=enough))
        rows.sort(key=lambda row: self._seconds(row.tests))  # where time runs out, what is quick has been tried
        asked = {row.id for row in rows}
        if asked or first:
            await self._try({spot: tests for spot, tests in wanted.items() if spot.key in asked}, rows, first=first)
        for spot, words in known.items():
            held = {test: word for test, word in words.items() if test in self.steady}
            if held or spot.key not in asked:
                board.note(spot, held or {"": "crashed"})

    def _seconds(self, tests: Collection[str]) -> float:
        return sum(self.board.tests.seconds.get(test, 0.0) for test in tests)

    async def _try(self, wanted: Mapping[Spot, list[str]], rows: list[Trial], *, first: bool) -> None:
        known = set(self.known.steady)
        passed = tuple(test for test in self.board.tests.passed() if test not in known)
        plain = first and bool(passed)
        if plain:
            late = len(rows) * 2 // 3  # among the last, and not alone at the end, where a processor would wait
            rows = [Trial(_BEFORE, passed), *rows[:late], Trial(_AFTER, passed), *rows[late:]]
        seen = await self.trials.run(rows, max(self.most - self.trials.spent, 0.0)) if rows else {}
        if plain and not _sound(seen.get(_BEFORE), passed) and self.trials.fork:
            self.trials.fork = False
            alone = await self.trials.run(rows, max(self.most - self.trials.spent, 0.0))
            if _good(alone.get(_BEFORE)) > _good(seen.get(_BEFORE)):
                self.notes.append("each fault in a Python of its own, as the tests do not pass in a forked process")
                seen = alone
            else:
                self.trials.fork = True
        if first:
            self.steady = known.intersection(self.board.tests.passed())
        if plain:
            self._learn(seen.get(_BEFORE), seen.get(_AFTER))
        self._take(wanted, seen)

    def _learn(self, before: TrialSeen | None, after: TrialSeen | None) -> None:
        """Take over which tests pass without a fault, before the first faults and after them."""
        if before is not None:
            outcomes = dict.fromkeys(self.steady, "passed") | {test: item.word for test, item in before.tests.items()}
            self.board.learn(self.board.tests.model_copy(update={"outcomes": outcomes}))
        self.steady |= {test for test, item in (after.tests.items() if after else ()) if item.word == "passed"}
        if not all(trial is not None and trial.ended == "done" for trial in (before, after)):
            self.board.cut_short = True

    def _enough(self, tests: Collection[str], silent: Collection[str], *, first: bool) -> bool:
        """True where one noticing test is enough: nobody has to know of the others, or that would take long."""
        return self._seconds(tests) > LONG if first else set(silent).isdisjoint(map(base, tests))

    def _take(self, wanted: Mapping[Spot, list[str]], seen: Mapping[str, TrialSeen]) -> None:
        for spot in wanted:
            trial = seen.get(spot.key)
            if trial is None:
                self.board.cut_short = True
                continue
            words = {test: item.word for test, item in trial.tests.items() if test in self.steady}
            if trial.ended != "done" and trial.under_way:
                words[trial.under_way] = "crashed"
            self.board.note(spot, words or {"": "crashed"})

    # -- what it says --------------------------------------------------------------------------------------------------

    def found(self) -> list[Diagnostic]:
        """Return a diagnostic for each test that notices nothing, each untested function, each test that got weaker."""
        if not self.steady and not self.board.cut_short:
            message = (
                "the tests passed in one process and none of them passes when it is run again: let no test depend on "
                "what another left behind, or on how the process was started"
            )
            return [_diagnostic(message, symbol=NAME)]
        rows = self._weaker() if self.again else [*self._weaker(), *self._untested(), *self._idle()]
        if self.board.cut_short:
            rows.append(self._too_slow())
        return rows

    def _too_slow(self) -> Diagnostic:
        seconds = self.board.tests.seconds
        slowest = sorted(seconds, key=lambda test: -seconds[test])[:_SHOWN]
        message = (
            f"not all planted faults could be tried within {MOST_SECONDS:.0f} s, since each runs the tests of its "
            "function again: make the slowest tests quicker, with smaller inputs and fewer steps, or test what only "
            "they execute by a quick test of its own; "
            + ", ".join(f"`{test}` takes {seconds[test]:.1f} s" for test in slowest)
        )
        path = slowest[0].partition("::")[0] if slowest else ""
        return Diagnostic(kind="timeout", check=NAME, message=message, path=path, symbol=NAME)

    def _untested(self) -> list[Diagnostic]:
        rows: list[Diagnostic] = []
        plan = self.bench.job.plan
        method = {row.id for row in plan.requirements if row.kind in CENTRAL} | set(plan.central)
        for (path, symbol), missed in self.board.untested():
            names = self.board.required[path, symbol]
            if not missed and method.isdisjoint(names):
                continue  # what runs an experiment or loads data may be shown by the results alone
            ids = ", ".join(names)
            why = "no test executes it" if not missed else f"no test notices {_words(missed)}"
            part, ways = self._part((path, symbol), missed)
            message = f"`{symbol}` carries {ids} and {part}: {why}; add a test that compares what it gives with "
            message += f"values worked out by hand{ways}"
            line = missed[0].fault.line if missed else None
            detail = "\n".join(map(_line, missed))
            rows.append(_diagnostic(message, path=path, line=line, symbol=symbol, detail=detail))
        return rows

    def _part(self, function: tuple[str, str], missed: Iterable[Spot]) -> tuple[str, str]:
        """Say what of a function is untested, and what else may be done: a line may matter for no argument at all."""
        if all(self.board.judge(spot) != "noticed" for spot in self.board.values(function)):
            return "is untested", ""
        lines = sorted({spot.statement for spot in missed})
        words = f"{'line' if len(lines) == 1 else 'lines'} {', '.join(map(str, lines))} of it untested"
        return words, ", for arguments with which that makes a difference; what makes none for any is to be taken out"

    def _idle(self) -> list[Diagnostic]:
        rows: list[Diagnostic] = []
        for test, missed in self.board.idle():
            message = (
                f"`{test}` passes whatever the code does: it notices none of {len(missed)} faults in what it executes, "
                f"such as {_words(missed)}; let it compare results with values that it does not take from the same code"
            )
            detail = "\n".join(map(_line, missed))
            rows.append(_diagnostic(message, path=test.partition("::")[0], symbol=test, detail=detail))
        return rows

    def _weaker(self) -> list[Diagnostic]:
        rows: list[Diagnostic] = []
        for key, before in self.standing.faults.items():
            spot = self.board.tried.get(key)
            if spot is not None and self.board.passing(spot):
                names = ", ".join(f"`{name}`" for name in before.tests[:_SHOWN])
                message = (
                    f"{names} noticed {_words([spot])} in round {before.round}, and no test does now: a repair may not "
                    "weaken a test"
                )
                rows.append(_diagnostic(message, path=before.tests[0].partition("::")[0], symbol=before.tests[0]))
        return rows

    # -- what is kept --------------------------------------------------------------------------------------------------

    def store(self, seconds: float, *, passed: bool) -> None:
        """Write the report, and what the tests notice for the rounds that follow; a replay leaves both as they are."""
        job, board = self.bench.job, self.board
        rows: list[TriedMutant] = []
        faults = dict(self.standing.faults)
        closed = [spot for spot in board.tried.values() if board.judge(spot) != "open"]
        for number, spot in enumerate(closed, 1):
            by = sorted(dict.fromkeys(map(base, board.noticed_by(spot))))
            if by:
                faults[spot.key] = NoticedFault(path=spot.path, symbol=spot.symbol, tests=tuple(by), round=job.round)
            rows.append(_mutant(number, board, spot, by))
        report = MutationReport(
            tree=job.tree or tree_hash(job.files),
            backend=self.bench.sandbox.describe().backend,
            mutants=tuple(rows),
            seconds=round(seconds, 1),
            note="; ".join(self.notes),
            passed=passed,
        )
        self.bench.log(FAULTS_FILE, report.model_dump_json(indent=1) + "\n")
        if self.again:
            return
        if self.trials.fork:
            keep_outcomes(self.bench, board.words, self.steady)
        write_atomic(job.out.parent / FILE, report.model_dump_json(indent=1) + "\n")
        write_atomic(job.out.parent / STANDING, Standing(faults=faults).model_dump_json(indent=1) + "\n")

    def log(self) -> str:
        """Return each fault with what became of it: what no test noticed first, in the order of the files."""
        spots = sorted(
            self.board.tried.values(),
            key=lambda spot: (STATES.index(self.board.judge(spot)), spot.path, spot.fault.line, spot.key),
        )
        lines = [
            LEGEND,
            *(
                f"{self.board.judge(spot):8} {spot.path}:{spot.fault.line} {spot.symbol}: {_line(spot)}"
                for spot in spots
            ),
        ]
        lines += [f"not judged {test}" for test in self.board.not_judged()]
        return "\n".join(lines) + "\n"


def _assembling(bench: Bench, required: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    keys = frozenset(row.result_key for row in bench.job.plan.expected if row.result_key)
    found: set[tuple[str, str]] = set()
    for path, symbol in required:
        item = definitions(bench.text(path)).get(symbol)
        if item is not None and assembles(item.node, keys):
            found.add((path, symbol))
    return frozenset(found)


def _key(spot: Spot) -> str:
    return spot.key


def _good(seen: TrialSeen | None) -> int:
    return sum(1 for item in seen.tests.values() if item.word == "passed") if seen is not None else 0


def _sound(seen: TrialSeen | None, passed: tuple[str, ...]) -> bool:
    return _good(seen) == len(passed)


def _mutant(number: int, board: Board, spot: Spot, by: list[str]) -> TriedMutant:
    states = {"noticed": "caught", "missed": "survived", "broke": "broke"}
    judged = board.judge(spot)
    return TriedMutant.model_validate(
        {
            "number": number,
            "path": spot.path,
            "symbol": spot.symbol,
            "line": spot.fault.line,
            "fault": spot.fault.kind,
            "before": _short(spot.text[0]),
            "after": _short(spot.text[1]),
            "requirements": board.required.get(spot.function, ()),
            "state": states[judged],
            "by": by[0] if by else "",
            "noticed": by,
            "tests": len(board.words[spot.key]),
        }
    )


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 160 else words[:157] + "..."


def _line(spot: Spot) -> str:
    return f"line {spot.fault.line}, {spot.fault.kind}" + ("" if spot.fault.whole else f": {_change(spot)}")


def _change(spot: Spot) -> str:
    if spot.fault.whole:
        return f"{spot.fault.kind} (`{spot.symbol}`)"
    return f"`{_short(spot.text[0])}` -> `{_short(spot.text[1])}`"


def _words(rows: list[Spot]) -> str:
    shown = ", ".join(map(_change, rows[:_SHOWN]))
    return shown + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")


def _diagnostic(message: str, **fields: object) -> Diagnostic:
    return Diagnostic.model_validate({"kind": "test", "check": NAME, "message": message, **fields})


CHECK = CheckSpec(NAME, check_faults, needs=("pyright", "pytest"), beside="dependence")
