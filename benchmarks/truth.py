"""Does `verified` survive a cheat? Repositories that look right without being right, put through the whole program.

    python -m benchmarks.truth [--sandbox bwrap] [--parallel 2] [--only PATTERN ...] [--keep DIR]

Each case is a recording that `agentsys implement PAPER --replay DIR --max-rounds 0` takes. The reviewer is scripted to
find nothing. A cheat must not end verified, an honest repository must. A run that ends in any other way than by a
verdict, a refusal or answers that the program does not accept has measured nothing, and is counted as such.
The exit code is 0 only where all three counts are 0.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from agentsys.core.artifacts import Verdict
from agentsys.core.errors import EXIT_CODES, Status
from agentsys.core.rundir import RunDir
from benchmarks.truth_cases import SHARED, Case, all_cases
from benchmarks.truth_recording import write_recording

MUTANTS = 4
LONGEST = 1800
"""Seconds after which a run is stopped."""
JUDGED: tuple[Status, ...] = ("verified", "unverified", "blocked", "provider_error")
"""How a run ends that measured something; in a replay, `provider_error` is an answer that was not accepted."""


@dataclass(frozen=True)
class Ending:
    """How the run of one case ended."""

    case: Case
    code: int
    status: str
    stopped: str
    """The first check that did not pass, or the stage in which the run ended."""
    said: str
    """The first diagnostic, or the reason."""
    seconds: float

    @property
    def judged(self) -> bool:
        return self.code in {EXIT_CODES[status] for status in JUDGED}

    @property
    def right(self) -> bool:
        return self.judged and (self.code == 0) == self.case.honest


def run_case(case: Case, folder: Path, sandbox: str = "auto", mutants: int = MUTANTS) -> Ending:
    """Put one case through the program; what it leaves lies below `folder`."""
    recording, runs = write_recording(folder / "recording", case), folder / "runs"
    argv = [sys.executable, "-m", "agentsys", "implement", str(case.paper), "--replay", str(recording)]
    argv += ["--max-rounds", "0", "--set", f"mutants={mutants}", "--set", "allow_weak_sandbox=true"]
    argv += ["--set", "full_seconds=0"]
    argv += ["--sandbox", sandbox, "--display", "quiet", "--runs-dir", str(runs)]
    started = time.monotonic()
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=LONGEST)
        code, shown = done.returncode, (done.stderr or done.stdout).strip()
    except subprocess.TimeoutExpired:
        code, shown = 124, f"stopped after {LONGEST} s"
    (folder / "shown.txt").write_text(shown + "\n", encoding="utf-8")
    found = next(iter(sorted(runs.glob("*/run.json"))), None)
    status, stopped, said = ("", "", shown) if found is None else _read(RunDir(found.parent))
    return Ending(case, code, status, stopped, said, time.monotonic() - started)


def _read(run: RunDir) -> tuple[str, str, str]:
    """Return status, what stopped the run, and its first diagnostic or reason."""
    record = run.read()
    if record.status == "verified":
        return record.status, "", ""
    for file in (run.rounds / "replay" / "verdict.json", *sorted(run.rounds.glob("[0-9]*/verdict.json"), reverse=True)):
        if not file.is_file():
            continue
        verdict = Verdict.model_validate_json(file.read_bytes())
        open_checks = [check for check in verdict.checks if check.state != "passed"]
        if open_checks:
            check = next((check for check in open_checks if check.state != "not_run"), open_checks[0])
            place = "replay: " if file.parent.name == "replay" else ""
            first = next((row.message for row in verdict.diagnostics if row.check == check.name), check.note)
            return record.status, place + check.name, first
    return record.status, record.stage, record.reason


def run_all(cases: Sequence[Case], folder: Path, sandbox: str, parallel: int) -> list[Ending]:
    """Run the cases, at most `parallel` at a time, and print a line as each ends."""

    def one(case: Case) -> Ending:
        place = folder / case.name
        place.mkdir(parents=True)
        ending = run_case(case, place, sandbox)
        print(row_of(ending), flush=True)
        return ending

    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(one, cases))


def row_of(ending: Ending) -> str:
    """Return one line of the table."""
    mark = "" if ending.right else "WRONG" if ending.judged else "BROKEN"
    said = " ".join(ending.said.split())[:110]
    return (
        f"{ending.case.name:26} {ending.case.kind:12} {ending.code:4} {ending.status:14} {ending.stopped:18} "
        f"{ending.seconds:6.0f} {mark:7}{said}"
    ).rstrip()


def totals(endings: Sequence[Ending]) -> list[str]:
    """Return the three counts that must be 0, each with the names."""
    judged = [row for row in endings if row.judged]
    cheats = sum(1 for row in endings if not row.case.honest)
    rows = (
        (f"of {cheats} cheats ended verified", [row for row in judged if not row.case.honest and row.code == 0]),
        (
            f"of {len(endings) - cheats} honest repositories did not",
            [row for row in judged if row.case.honest and row.code],
        ),
        ("measured nothing", [row for row in endings if not row.judged]),
    )
    return [
        f"{len(found):3} {words}: {', '.join(row.case.name for row in found)}".rstrip(": ") for words, found in rows
    ]


def chosen(cases: Sequence[Case], patterns: Sequence[str]) -> list[Case]:
    """Return the cases whose name or kind fits a pattern; without patterns all of them."""
    return [
        case
        for case in cases
        if not patterns or any(fnmatch(case.name, text) or fnmatch(case.kind, text) for text in patterns)
    ]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="cheating and honest repositories, put through the whole program")
    parser.add_argument("--sandbox", default="auto", choices=("auto", "docker", "podman", "bwrap"))
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], metavar="PATTERN", help="names or kinds, as in a shell")
    parser.add_argument("--shared", type=Path, default=SHARED, help="a folder with further cases")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave recordings and runs here, in a new folder")
    options = parser.parse_args()
    cases = chosen(all_cases(options.shared), options.only)
    print(f"{len(cases)} cases; the reviewer is scripted to find nothing; mutants={MUTANTS}")
    print(f"{'case':26} {'kind':12} {'code':>4} {'status':14} {'stopped by':18} {'s':>6}        first diagnostic")
    with tempfile.TemporaryDirectory() as made:
        endings = run_all(cases, options.keep or Path(made), options.sandbox, options.parallel)
    print("\n".join(totals(endings)))
    return 0 if all(row.right for row in endings) else 1


if __name__ == "__main__":
    sys.exit(main())
