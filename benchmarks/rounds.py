"""How long a repair round takes after a change of one file, beside an earlier build.

    git worktree add --detach BEFORE 2e66ebe
    python -m benchmarks.rounds [--before BEFORE] [--repeat N] [--keep DIR]

Each build replays the example's recorded answers until a verification has passed; then a test is changed, the method so
that tests fail, and the method so that all pass, each by itself, and verified as the next round would be
(`benchmarks/rounds_tap.py`). The builds take turns, so that both meet the same machine; of the repeats the median
counts. *In common* are the checks that both builds have, up to where the later build begins with those that the earlier
one did not have (`faults`, `dependence`), which run where all others have passed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.tokens import EXAMPLE, ROOT, as_before

TAP = Path(__file__).with_name("rounds_tap.py")
ROUND = Mapping[str, Any]


def timed(build: Path, recording: Path, keep: Path, name: str) -> list[ROUND]:
    """Run a build to its first verification that passes, and return the rounds that were timed after it.

    Raises: SystemExit where it came to none.
    """
    file = keep / f"{name}.jsonl"
    file.unlink(missing_ok=True)
    path = os.pathsep.join(str(build / part) for part in ("", "sandbox", "policies"))
    argv = [sys.executable, str(TAP), str(file), "implement", str(EXAMPLE / "paper.pdf"), "--replay", str(recording)]
    argv += ["--max-rounds", "5", "--display", "plain", "--set", "mutants=6", "--runs-dir", str(keep / f"runs-{name}")]
    with (keep / f"{name}.log").open("w") as log:
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log, check=False)
    if done.returncode or not file.is_file():
        raise SystemExit(f"the build in `{build}` came to no end: see `{keep / name}.log`")
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def table(rows: Mapping[str, Sequence[Sequence[ROUND]]]) -> Iterator[str]:
    """Yield a line for each change: seconds of each build, and the ratios of the last to the first."""
    builds = list(rows)
    yield f"{'changed':22}" + "".join(f"{name:>10}{'in common':>11}" for name in builds) + "   ratio  in common"
    for number, first in enumerate(rows[builds[0]][0]):
        whole = [_median(rows[name], number, "seconds") for name in builds]
        common = [_median(rows[name], number, "common") for name in builds]
        cells = "".join(f"{one:>10.1f}{other:>11.1f}" for one, other in zip(whole, common, strict=True))
        yield f"{first['change']:22}{cells}{whole[-1] / whole[0]:>8.2f}{common[-1] / common[0]:>11.2f}"
    for name in builds:
        yield ""
        yield f"{name}, the last of {len(rows[name])}:"
        for row in rows[name][-1]:
            said = ", ".join(f"{check} {state} {seconds:.1f} s" for check, (state, seconds, _) in row["checks"].items())
            yield f"  {row['change']}: {said}"


def _median(rounds: Sequence[Sequence[ROUND]], number: int, what: str) -> float:
    return median(float(each[number][what]) for each in rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="folder of the earlier build's source")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder for runs, logs and timings; a temporary one without")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        keep = options.keep or Path(temporary)
        keep.mkdir(parents=True, exist_ok=True)
        builds = {"before": options.before, "now": ROOT} if options.before else {"now": ROOT}
        recordings = {"now": EXAMPLE / "recording"}
        if options.before:
            recordings["before"] = as_before(EXAMPLE / "recording", keep / "recording")
        rows: dict[str, list[list[ROUND]]] = {name: [] for name in builds}
        for number in range(options.repeat):
            for name, build in builds.items():
                rows[name].append(timed(build.resolve(), recordings[name], keep, f"{name}-{number}"))
        print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
