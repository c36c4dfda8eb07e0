"""How often chance alone settles a comparison: the same claim 900 times, with new noise each time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from agentsys.plan.claims.amendment import freeze
from agentsys.plan.claims.contract import Contract
from agentsys.verify.claims.record import judge_claims
from agentsys.verify.claims.standalone.rows import read_rows
from benchmarks.claims_cases.case import SETTLED, Table, contract, target

REPEATS = 900
SEEDS = 10
NOISE = 0.5
"""Standard deviation of each method over seeds."""


def verdicts(folder: Path, claimed: float, true: float, interval: str) -> Counter[str]:
    """Return how often each verdict came out for a gap of `claimed` where the gap is `true`."""
    chance = np.random.default_rng(11)
    rule = {"type": "difference", "quantity": "v", "method": "a", "baseline": "b", "interval": interval}
    agreed = contract(
        "comparison",
        f"a is {claimed:g} better than b.",
        {**rule, "low": claimed / 4},
        {**rule, "high": 0.0},
        target=target(claimed),
        seeds=SEEDS,
        baselines=[{"method": "b", "quantity": "v", "value": None}],
    )
    names = [f"C{number}" for number in range(1, REPEATS + 1)]
    for name in names:
        table = Table()
        for seed in range(SEEDS):
            for case, gap in ((None, true), ("control", -5.0)):
                at = {"case": case} if case else {}
                table.add("a", "v", gap + NOISE * float(chance.normal()), seed=seed, at=at)
                table.add("b", "v", NOISE * float(chance.normal()), seed=seed, at=at)
        table.write(folder / f"{name}.csv", name)
    contracts = freeze(tuple(Contract.model_validate({**agreed, "claim": name}) for name in names))
    rows = read_rows(sorted(folder.glob("C*.csv")))
    judged = judge_claims(contracts, rows, dict.fromkeys(names, SETTLED))
    return Counter(each.decision.verdict for each in judged)
