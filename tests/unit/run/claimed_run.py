"""A tiny delivered run with two claims that were never put to the test, for the tests of jobs."""

from __future__ import annotations

import json
from pathlib import Path

from agentsys.core.files import write_json
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.plan.claims.amendment import freeze
from agentsys.plan.claims.claim import Claim, Claims
from agentsys.plan.claims.contract import Contract
from unit.verify.delivered import FILES, deliver

SEEDS = 3
CELLS = SEEDS * 2 + 4 * SEEDS * 2
"""Of C1: seeds, and the claim and its control. Of C2: four scales besides."""
_MEAN = {"type": "mean", "method": "ours", "quantity": "value"}
_ERROR = {"type": "max_error", "method": "ours", "reference": "constant", "quantity": "value"}
CONTRACTS = (
    Contract.model_validate(
        {
            "claim": "C1",
            "text": "The value is about two.",
            "place": {"section": "1"},
            "kind": "number",
            "target": {"value": 2.0, "where": {"section": "1"}},
            "seeds": SEEDS,
            "accept": {**_MEAN, "low": 1.9, "high": 2.1},
            "falsify": {"type": "fails", "rule": {**_MEAN, "low": 1.5, "high": 2.5}},
            "control": {"what": "half of the value, as a control"},
            "toy_below": {"seeds": SEEDS},
        }
    ),
    Contract.model_validate(
        {
            "claim": "C2",
            "text": "The value is the constant for every n.",
            "place": {"section": "2"},
            "kind": "identity",
            "domain": "for every n",
            "seeds": SEEDS,
            "grid": {"n": ["1", "2", "4", "8"]},
            "horizon": {"axis": "n", "at_least": 8},
            "accept": {**_ERROR, "at_most": 1e-9},
            "falsify": {"type": "fails", "rule": {**_ERROR, "at_most": 1e-6}},
            "control": {"what": "one more than the constant"},
            "toy_below": {"n": 8},
        }
    ),
)
PROGRAM = '''"""Raw rows of one claim."""

from __future__ import annotations

import argparse
import csv
import random
import time

parser = argparse.ArgumentParser()
parser.add_argument("--case", required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--setting", action="append", default=[])
parser.add_argument("--out", required=True)
given = parser.parse_args()
words = ";".join(([] if given.case == "main" else [f"case={given.case}"]) + given.setting)
drawn = random.Random(given.seed).uniform(1.99, 2.01)
control = given.case == "control"
time.sleep(PAUSE)
ROWS
with open(given.out, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["claim", "seed", "setting", "method", "quantity", "value", "unit"])
    writer.writerows(rows)
'''
ROWS = {
    "C1": 'rows = [["C1", given.seed, words, "ours", "value", repr(drawn / 2 if control else drawn), ""]]',
    "C2": """rows = [
    ["C2", given.seed, words, "ours", "value", repr(drawn + control), ""],
    ["C2", given.seed, words, "constant", "value", repr(drawn), ""],
]""",
}


def make_claimed(
    folder: Path, pause: float = 0.0, files: dict[str, str] | None = None, program: str = PROGRAM
) -> RunDir:
    """Make the run: audited, with contracts and programs in git, no cell run.

    Args:
        pause: seconds that each cell sleeps.
        program: of each claim, with ROWS where its rows are made.
    """
    run = deliver(folder, {**(files or FILES), "README.md": "# Tiny\n"})
    frozen = freeze(CONTRACTS)
    programs = {f"claims/{claim.lower()}.py": program.replace("ROWS", rows) for claim, rows in ROWS.items()}
    for path, text in programs.items():
        file = run.repo / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("PAUSE", repr(pause)))
    for place in (run.claims, run.repo / "claims"):
        write_json(place / "contracts.json", frozen)
    found = tuple(Claim(id=one.claim, text=one.text, kind=one.kind) for one in CONTRACTS)
    write_json(run.claims / "claims.json", Claims(paper="0" * 64, title="Tiny", claims=found))
    (run.path / "inputs.json").write_text(json.dumps({}))
    git = GitRepo(run.repo)
    git.init()
    git.commit("Repository and contracts")
    return run
