"""`agentsys claims rerun` as it is called, on a run of scripted answers; the sandbox is real."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from integration.claimed_runs import CELLS, cells, copied, verdicts
from integration.test_kill_and_resume import command

pytestmark = [pytest.mark.index, pytest.mark.timeout(900), pytest.mark.slow]
MORE = ("--seeds", "5", "--horizon", "128", "--reason", "more was asked for")
MISSING = (8 * 5 - 7 * 3) * 2
"""Scales, seeds and cases that the amendment asks for, without those that are there."""


@pytest.fixture
def run(after_claims: Path, tmp_path: Path) -> Path:
    return copied(after_claims, tmp_path)


def rerun(run: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = command("claims", "rerun", run, *words, "--quiet")
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def states(run: Path) -> dict[str, str]:
    return {row["claim"]: row["verdict"] for row in verdicts(run)["verdicts"]}


def entries(run: Path, claim: str) -> list[dict[str, Any]]:
    stored = json.loads((run / "repo" / "claims" / "contracts.json").read_text())
    found: list[dict[str, Any]] = stored["claims"][claim]
    return found


def test_more_seeds_and_a_longer_horizon_run_what_is_missing_within_a_budget_that_counts_anew(run: Path) -> None:
    before = (run / "claims" / "cells.jsonl").read_text()
    log = run / "claims" / "cells.jsonl"
    assert states(run) == {"C1": "verified", "C2": "verified", "C3": "inconclusive"}

    done = rerun(run, "c2", *MORE, "--claim-budget", "1s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 0 < len(cells(run)) - CELLS < MISSING and states(run)["C2"] != "verified"
    assert "the budget for claims is used up" in json.loads((run / "claims" / "entries.json").read_text())["C2"]

    done = rerun(run, "C2", *MORE, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["data"]["status"] == "verified"
    assert log.read_text().startswith(before)
    new = [json.loads(line) for line in log.read_text().removeprefix(before).splitlines()]
    assert Counter(row["claim"] for row in new) == {"C2": MISSING}
    assert states(run) == {"C1": "verified", "C2": "verified", "C3": "inconclusive"}
    both = [
        (row["contract"]["seeds"], row["contract"]["horizon"]["at_least"], row["reason"]) for row in entries(run, "C2")
    ]
    assert both == [(3, 64, ""), (5, 128, "more was asked for")]
    last = (run / "events.jsonl").read_text().split('"run.started"')[-1]
    assert "no recorded answer" not in last
    subjects = subprocess.run(
        ["git", "-C", str(run / "repo"), "log", "--format=%s"], capture_output=True, text=True, check=True
    )
    assert subjects.stdout.count("Contract of C2 amended: more was asked for") == 1

    done = rerun(run, "C2", "--seeds", "4")
    assert (done.returncode, "`seeds` may only ask for more" in done.stderr) == (2, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("C2", "--horizon", "32"), "`horizon` may only ask for more"),
        (("C2", "--seeds", "2"), "`seeds` is below 3"),
        (("C9", "--seeds", "9"), "there is no claim `C9`"),
        (("C1", "--horizon", "9"), "the contract of C1 sweeps no axis"),
        (("C3", "--seeds", "9"), "C3 has no rules"),
        (("C2", "--seeds", "9", "--reason", " "), "an amendment needs its reason"),
    ],
)
def test_what_cannot_be_asked_of_a_claim_ends_with_2_and_changes_nothing(
    run: Path, words: tuple[str, ...], said: str
) -> None:
    files = ("claims/contracts.json", "repo/claims/contracts.json", "claims/cells.jsonl", "run.json", "events.jsonl")
    before = [(run / name).read_bytes() for name in files]
    done = rerun(run, *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stdout + done.stderr
    assert [(run / name).read_bytes() for name in files] == before


def test_a_run_that_is_not_verified_cannot_be_asked(before_claims: Path, tmp_path: Path) -> None:
    done = rerun(copied(before_claims, tmp_path), "C2", "--seeds", "9")
    assert (done.returncode, "finish it with `resume`" in done.stderr) == (2, True), done.stdout + done.stderr
