"""How often chance settles a comparison, and how often curves that are not asymptotic yet settle a rate."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np

from agentsys.plan.claims.amendment import freeze
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.rule import Slope
from agentsys.verify.claims.record import judge_claims
from agentsys.verify.claims.standalone.frame import Sample
from agentsys.verify.claims.standalone.rows import HEADER, read_rows
from agentsys.verify.claims.standalone.rules import evaluate_rule
from benchmarks.claims_cases.case import SETTLED, Table, contract, doublings, target

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


def rates(folder: Path, off: float) -> Counter[str]:
    """Return how often rules on the rate of n^-p (1 + c n^-q), claimed to be p + off, come out one way or the other.

    p, q, c and the largest n (64 to 4,096) are drawn anew for each of 999 curves.
    """
    chance = np.random.default_rng(3)
    names, lines = [f"C{number}" for number in range(1, 1000)], [",".join(HEADER)]
    powers: list[float] = []
    for name in names:
        p, q = float(chance.choice([0.5, 1, 2])), float(chance.uniform(0.3, 1.5))
        c, last = math.exp(chance.uniform(math.log(0.1), math.log(100))), int(chance.choice([64, 256, 1024, 4096]))
        powers.append(p)
        lines += [f"{name},0,n={n},m,e,{n**-p * (1 + c * n**-q)!r}," for n in doublings(4, last)]
    (folder / "rates.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = read_rows([folder / "rates.csv"])
    return Counter(_rate(Sample(rows, name, "", True, {}), -p - off) for name, p in zip(names, powers, strict=True))


def _rate(sample: Sample, claimed: float) -> str:
    rule = {"type": "slope", "quantity": "e", "method": "m", "axis": "n", "settle": 0.1}
    near, far = ({**rule, "low": claimed - width, "high": claimed + width} for width in (0.1, 0.3))
    states = [evaluate_rule(sample, Slope.model_validate(each).model_dump(mode="json")).state for each in (near, far)]
    return "verified" if states[0] == "holds" else "falsified" if states[1] == "fails" else "inconclusive"
