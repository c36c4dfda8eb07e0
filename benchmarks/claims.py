"""Claims of known truth over five short papers of our own, through `agentsys implement` and its rules.

    python -m benchmarks.claims [--only NAME ...] [--sandbox bwrap] [--keep DIR]
    python -m benchmarks.claims --live URL --model NAME --only NAME --keep DIR

What is measured is how claims are settled: contracts, programs, reviews and checkers are a model's answers, recorded by
`--live` from an OpenAI-compatible endpoint and replayed by default. Plan and repository of each paper are ours, given
as answers of a planner and a coder, and go through the whole verification; nothing of them is asked of the model.
`--live` goes on where it was interrupted, given the same `--keep`, and puts the answers beside the paper.

Exit code 0 where no claim is verified or falsified falsely and nine of ten are settled rightly.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agentsys.plan.claims.claim import Claims
from benchmarks.claims_live import record
from benchmarks.claims_papers import Known, Subject, subjects
from benchmarks.truth_recording import write_recording

BUDGET = "2h"
SETTLES = {"verified": "true", "falsified": "false"}
"""What a verdict says of a claim; every other one says nothing."""


@dataclass(frozen=True)
class Row:
    """A claim with the verdict that it got."""

    paper: str
    claim: str
    known: Known
    verdict: str
    reasons: tuple[str, ...]

    @property
    def right(self) -> bool:
        return self.verdict in self.known.right

    @property
    def false(self) -> bool:
        """The verdict says of the claim what is not so, or what nobody can know."""
        return self.verdict in SETTLES and self.known.truth != SETTLES[self.verdict]


def replay(subject: Subject, folder: Path, sandbox: str) -> Path:
    """Run the whole program on the recorded answers; return the run's directory.

    Raises: SystemExit where the repository was not verified, and nothing was measured.
    """
    request = "\n".join(known.text for known in subject.claims)
    recording = write_recording(folder / "recording", subject.case, request)
    for file in subject.answers.glob("*/*/*.md"):
        target = recording / file.relative_to(subject.answers)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    argv = [sys.executable, "-m", "agentsys", "implement", str(subject.case.paper), "--replay", str(recording), "--yes"]
    argv += ["--claims", str(subject.given), "--claim-budget", BUDGET, "--sandbox", sandbox, "--display", "quiet"]
    argv += ["--set", "mutants=0", "--set", "full_seconds=0", "--set", "allow_weak_sandbox=true"]
    argv += ["--runs-dir", str(folder / "runs")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{subject.name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return next(file.parent for file in (folder / "runs").glob("*/run.json") if not file.parent.is_symlink())


def settled(subject: Subject, run: Path) -> list[Row]:
    """Return the verdict of each known claim of a finished run. Raises: SystemExit where it has none."""
    if not (run / "claims" / "verdicts.json").is_file():
        raise SystemExit(f"{subject.name}: no verdicts: answers on its claims are recorded with `--live`")
    stored = json.loads((run / "claims" / "verdicts.json").read_bytes())["verdicts"]
    verdicts = {row["claim"]: row for row in stored}
    ids = {
        claim.given: claim.id for claim in Claims.model_validate_json((run / "claims/claims.json").read_bytes()).claims
    }
    rows: list[Row] = []
    for known in subject.claims:
        claim = ids[known.text]
        rows.append(Row(subject.name, claim, known, verdicts[claim]["verdict"], tuple(verdicts[claim]["reasons"])))
    return rows


def table(rows: list[Row]) -> list[str]:
    """Return the table of docs/claims.md and its last line."""
    lines = ["| claim | truth | verdict | right | reasons |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        mark = "yes" if row.right else "FALSE" if row.false else f"no ({' or '.join(row.known.right)})"
        said = f"{row.paper} {row.claim}: {row.known.trap}"
        lines.append(f"| {said} | {row.known.truth} | {row.verdict} | {mark} | {', '.join(row.reasons)} |")
    right = sum(row.right for row in rows)
    verified = sum(row.false and row.verdict == "verified" for row in rows)
    falsified = sum(row.false and row.verdict == "falsified" for row in rows)
    return [
        *lines,
        "",
        f"{right} of {len(rows)} settled rightly; {verified} falsely verified, {falsified} falsely falsified",
    ]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="claims of known truth, through contracts, programs and verdicts")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="names of papers")
    parser.add_argument("--sandbox", default="auto", choices=("auto", "docker", "podman", "bwrap"))
    parser.add_argument("--live", default="", metavar="URL", help="record answers from this endpoint")
    parser.add_argument("--model", default="", metavar="NAME", help="model that the endpoint is asked for")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave recordings and runs here")
    options = parser.parse_args()
    chosen = [subject for subject in subjects() if not options.only or subject.name in options.only]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as made:
        for subject in chosen:
            folder = (options.keep or Path(made)) / subject.name
            folder.mkdir(parents=True, exist_ok=True)
            if options.live:
                run = record(subject, folder, options.live, options.model or "recorded", options.sandbox)
            else:
                run = replay(subject, folder, options.sandbox)
            rows += settled(subject, run)
    print("\n".join(table(rows)))
    return 0 if rows and sum(row.right for row in rows) >= 0.9 * len(rows) and not any(row.false for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
