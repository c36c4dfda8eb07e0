"""Claims with chance in them: numbers, comparisons, orders. Rows come from small simulations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from agentsys.verify.claims.record import Findings
from benchmarks.claims_cases.case import SETTLED, Case, Table, contract, fails, target

SEEDS = 10


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _numbers()
    yield from _comparisons()
    yield from _orders()
    yield from _times()
    yield from _beside_the_rows()


def _pi(table: Table, seeds: int, points: int, *, frozen: bool = False) -> Table:
    """Estimates of pi by throwing points; the control throws them into a triangle."""
    for seed in range(seeds):
        chance = np.random.default_rng(7 if frozen else seed)
        x, y = chance.random(points), chance.random(points)
        table.add("throw", "estimate", 4 * float(np.mean(x * x + y * y <= 1)), seed=seed, points=points)
        table.add("throw", "estimate", 4 * float(np.mean(x + y <= 1)), seed=seed, points=points, case="control")
    return table


def _about(
    value: float, width: float, method: str, quantity: str, **more: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Acceptance within `width`, falsification outside of twice of it."""
    rule = {"type": "mean", "method": method, "quantity": quantity, **more}
    wide = {**rule, "low": value - 2 * width, "high": value + 2 * width}
    return {**rule, "low": value - width, "high": value + width}, fails(wide)


def _numbers() -> Iterator[Case]:
    for value, truth, verdict in ((3.1416, "true", "verified"), (3.2, "false", "falsified")):
        agreed = contract(
            "number",
            f"The estimate of pi with 100,000 points is {value}.",
            *_about(value, 0.01, "throw", "estimate"),
            target=target(value),
            seeds=SEEDS,
            toy_below={"points": 50_000},
        )
        yield Case(f"number {value}", truth, verdict, agreed, _pi(Table(), SEEDS, 100_000))
    agreed = contract(
        "number",
        "The estimate of pi with 100,000 points is 3.1416.",
        *_about(3.1416, 0.05, "throw", "estimate"),
        target=target(3.1416),
        seeds=SEEDS,
        toy_below={"points": 50_000},
    )
    yield Case("number, reduced data", "true", "toy", agreed, _pi(Table(), SEEDS, 20_000))
    yield Case("number, too few seeds", "true", "inconclusive", agreed, _pi(Table(), 4, 100_000))
    yield Case("number, seed not used", "true", "inconclusive", agreed, _pi(Table(), SEEDS, 100_000, frozen=True))
    harmonic = sum(1 / k for k in range(1, 1001))
    for value, truth, verdict in ((harmonic, "true", "verified"), (6.5, "false", "falsified")):
        agreed = contract(
            "number",
            f"A random permutation of 1,000 has {value:.3f} records on average.",
            *_about(value, 0.25, "count", "records", interval="bootstrap"),
            target=target(value),
            seeds=40,
            toy_below={"n": 1000},
        )
        yield Case(f"records {value:.3f}", truth, verdict, agreed, _records(40))


def _records(seeds: int) -> Table:
    table = Table()
    for seed in range(seeds):
        chance = np.random.default_rng(seed)
        drawn = chance.random((50, 1000))
        records = np.sum(drawn >= np.maximum.accumulate(drawn, axis=1), axis=1)
        table.add("count", "records", float(records.mean()), seed=seed, n=1000)
        table.add("count", "records", float(np.sum(drawn > 0.5, axis=1).mean()), seed=seed, n=1000, case="control")
    return table


def _descent(table: Table, step: dict[str, float], momentum: dict[str, float], **setting: Any) -> Table:
    """Gradient descent with noise on an ill-conditioned quadratic of 50 dimensions: log10 of the final loss."""
    curvature = np.logspace(-2, 0, 50)
    for seed in range(SEEDS):
        for method, rate in step.items():
            chance = np.random.default_rng(seed)
            x, velocity = np.ones(50), np.zeros(50)
            for _ in range(200):
                gradient = curvature * x + 1e-3 * chance.standard_normal(50)
                velocity = momentum.get(method, 0.0) * velocity - rate * gradient
                x = x + velocity
            loss = math.log10(0.5 * float(x @ (curvature * x)))
            table.add(method, "loss", loss, seed=seed, dim=50, **setting)
    return table


def _lower(margin: float, method: str, baseline: str, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    rule = {"type": "difference", "quantity": "loss", "method": method, "baseline": baseline, **more}
    return {**rule, "high": -margin}, {**rule, "low": 0.0}


def _comparisons() -> Iterator[Case]:
    same, none = {"plain": 0.5, "heavy": 0.5}, {"heavy": 0.0}
    honest = _descent(_descent(Table(), same, {"heavy": 0.9}), same, none, case="control")
    reported = float(
        np.mean([float(line[4]) for line in honest.lines if line[2] == "plain" and "control" not in line[1]])
    )
    plain = {"method": "plain", "quantity": "loss", "value": reported}
    common = {"seeds": SEEDS, "toy_below": {"dim": 50}}
    accept, falsify = _lower(0.2, "heavy", "plain")
    momentum = contract(
        "comparison", "Momentum reaches a lower loss than plain descent.", accept, falsify, baselines=[plain], **common
    )
    # Without momentum the two are the same, to the last digit: nothing is left of the difference.
    yield Case("comparison beyond noise", "true", "verified", momentum, honest)
    accept, falsify = _lower(0.2, "plain", "heavy")
    heavy = {"method": "heavy", "quantity": "loss", "value": None}
    turned = contract(
        "comparison", "Plain descent reaches a lower loss than momentum.", accept, falsify, baselines=[heavy], **common
    )
    yield Case("comparison, altered", "false", "falsified", turned, honest)
    worse = _descent(_descent(Table(), {"plain": 0.05, "heavy": 0.5}, {"heavy": 0.9}), same, none, case="control")
    yield Case("depressed baseline", "open", "inconclusive", momentum, worse)
    toothless = {
        **momentum,
        "accept": {**momentum["accept"], "high": 0.5},
        "falsify": {**momentum["falsify"], "low": 0.6},
    }
    yield Case("rule without power", "open", "inconclusive", toothless, honest)
    test = {"type": "test", "quantity": "loss", "method": "heavy", "baseline": "plain", "test": "wilcoxon"}
    words = "as a Wilcoxon signed-rank test shows (p < 0.01)"
    named = {**momentum, "accept": {**test, "alternative": "less", "p": 0.01, "quote": words}}
    yield Case("the paper's own test", "true", "verified", named, honest)
    yield Case("gap within noise", "open", "inconclusive", _gap(), _twins())
    yield Case("variance ratio", "true", "verified", _antithetic(2.0, True), _variances())
    yield Case("variance ratio, altered", "false", "falsified", _antithetic(1.0, False), _variances())


def _gap() -> dict[str, Any]:
    rule = {"type": "difference", "quantity": "accuracy", "method": "new", "baseline": "old", "unit": "%"}
    return contract(
        "comparison",
        "The new method is 0.4 points better than the old one.",
        {**rule, "low": 0.05},
        {**rule, "high": -0.05},
        target=target(0.4, "%"),
        seeds=SEEDS,
        baselines=[{"method": "old", "quantity": "accuracy", "value": 80.0, "unit": "%"}],
    )


def _twins() -> Table:
    """Two methods that do not differ but by chance."""
    table = Table()
    for seed in range(SEEDS):
        chance = np.random.default_rng(seed)
        for method in ("new", "old"):
            table.add(method, "accuracy", 80 + float(chance.normal()), seed=seed, unit="%")
            shift = -6.0 if method == "new" else 0.0
            table.add(method, "accuracy", 80 + shift + float(chance.normal()), seed=seed, unit="%", case="control")
    return table


def _antithetic(least: float, saves: bool) -> dict[str, Any]:
    rule = {
        "type": "ratio",
        "quantity": "variance",
        "method": "plain",
        "baseline": "antithetic",
        "interval": "bootstrap",
    }
    accept, falsify = ({**rule, "low": least}, {**rule, "high": least / 2})
    if not saves:
        accept, falsify = ({**rule, "low": 0.9, "high": 1.1}, {**rule, "low": 1.5})
    return contract(
        "comparison",
        f"Antithetic sampling changes the variance by a factor of {least}.",
        accept,
        falsify,
        seeds=20,
        baselines=[{"method": "antithetic", "quantity": "variance", "value": None}],
        toy_below={"samples": 1000},
    )


def _variances() -> Table:
    table = Table()
    for seed in range(20):
        u = np.random.default_rng(seed).random((400, 2))
        v = np.random.default_rng(seed + 1000).random(400)
        plain = (np.exp(u[:, 0]) + np.exp(u[:, 1])) / 2
        mirrored = (np.exp(u[:, 0]) + np.exp(1 - u[:, 0])) / 2
        table.add("plain", "variance", float(plain.var()), seed=seed, samples=1000)
        table.add("antithetic", "variance", float(mirrored.var()), seed=seed, samples=1000)
        # cos(2 pi u) is symmetric about 1/2: mirrored points are the same point, and the variance doubles.
        table.add(
            "plain", "variance", float(((np.cos(2 * np.pi * u)).sum(axis=1) / 2).var()), seed=seed, case="control"
        )
        table.add("antithetic", "variance", float(np.cos(2 * np.pi * v).var()), seed=seed, case="control")
    return table


def _orders() -> Iterator[Case]:
    rule = {"type": "ordering", "quantity": "error", "better": "lower", "at_least": 4, "of": 4}
    for name, methods, truth, verdict in (
        ("ordering of 4 cells", ["median", "mean", "first"], "true", "verified"),
        ("ordering, altered", ["first", "mean", "median"], "false", "falsified"),
    ):
        accept = {**rule, "methods": methods}
        agreed = contract(
            "comparison",
            f"Under heavy tails the error orders as {methods}.",
            accept,
            fails(accept),
            seeds=SEEDS,
            grid={"n": ["32", "64", "128", "256"]},
            toy_below={"n": 256},
        )
        yield Case(name, truth, verdict, agreed, _estimators(methods, (32, 64, 128, 256)))
    accept = {**rule, "methods": ["median", "mean", "first"], "of": 2, "at_least": 2}
    part = contract(
        "comparison",
        "Under heavy tails the median is best at every size.",
        accept,
        fails(accept),
        seeds=SEEDS,
        grid={"n": ["32", "64", "128", "256"]},
        toy_below={"n": 32},
    )
    yield Case("grid run in part", "true", "toy", part, _estimators(["median", "mean", "first"], (32, 64)))
    tied = {**rule, "methods": ["one", "two"], "of": 2, "at_least": 2}
    twins = Table()
    for seed in range(SEEDS):
        chance = np.random.default_rng(seed)
        for method in ("one", "two"):
            for n in (32, 64):
                twins.add(method, "error", float(chance.random()), seed=seed, n=n)
                twins.add(
                    method, "error", float(chance.random()) - 9 * (method == "two"), seed=seed, n=n, case="control"
                )
    agreed = contract("comparison", "One is better than two.", tied, fails(tied), seeds=SEEDS)
    yield Case("ordering within noise", "open", "inconclusive", agreed, twins)


def _estimators(order: list[str], sizes: tuple[int, ...]) -> Table:
    """Errors of three estimates of a centre under a heavy-tailed law; in the control the law is normal."""
    table = Table()
    for seed in range(SEEDS):
        for n in sizes:
            chance = np.random.default_rng([seed, n])
            for law, setting in (
                (chance.standard_t(2.1, (4000, n)), {}),
                (chance.normal(size=(4000, n)), {"case": "control"}),
            ):
                found = {"median": np.median(law, axis=1), "mean": law.mean(axis=1), "first": law[:, 0]}
                for method in order:
                    error = math.log(float(np.mean(np.abs(found[method]))))
                    table.add(method, "error", error, seed=seed, n=n, at=setting)
    return table


def _times() -> Iterator[Case]:
    """Times of two programs that are equally fast, one of them written down a batch of 50 at a time."""
    table = Table()
    for seed in range(SEEDS):
        chance = np.random.default_rng(seed)
        table.add("ours", "time", 0.40 + 0.01 * float(chance.random()), seed=seed, unit="s/trajectory")
        table.add("theirs", "time", 20.0 + 0.5 * float(chance.random()), seed=seed, unit="s/batch")
        table.add("ours", "time", 0.80 + 0.01 * float(chance.random()), seed=seed, unit="s/trajectory", case="control")
        table.add("theirs", "time", 20.0 + 0.5 * float(chance.random()), seed=seed, unit="s/batch", case="control")
    rule = {"type": "ratio", "quantity": "time", "method": "ours", "baseline": "theirs", "unit": "s/trajectory"}
    baseline = {"method": "theirs", "quantity": "time", "value": None}
    agreed = contract(
        "comparison",
        "Ours is as fast as theirs.",
        {**rule, "low": 0.9, "high": 1.1},
        {**rule, "low": 1.5},
        seeds=SEEDS,
        baselines=[baseline],
    )
    yield Case("units mixed", "true", "inconclusive", agreed, table)
    related = {**agreed, "count_units": {"batch": "50 trajectory"}}
    yield Case("units related by the paper", "true", "verified", related, table)


def _beside_the_rows() -> Iterator[Case]:
    """What rows alone cannot settle; the altered number 3.2 stands in all of them."""
    rows = _pi(Table(), SEEDS, 100_000)
    wrong = contract(
        "number",
        "The estimate of pi is 3.2.",
        *_about(3.2, 0.01, "throw", "estimate"),
        target=target(3.2),
        seeds=SEEDS,
        toy_below={"points": 50_000},
    )
    silent = {**wrong, "silent": ["how points are drawn"]}
    yield Case("paper silent", "open", "inconclusive", silent, rows)
    yield Case("paper contradicts itself", "open", "contested", wrong, rows, Findings(contradicted=True))
    yield Case("checker disagrees", "open", "contested", wrong, rows, Findings(checker="disagrees", reviewer="clean"))
    yield Case("refuted, unchecked", "false", "inconclusive", wrong, rows, Findings(reviewer="clean"))
    yield Case("refuted, unreviewed", "false", "inconclusive", wrong, rows, Findings(checker="agrees"))
    differs = Findings(checker="agrees", reviewer="finding")
    yield Case("code differs from the paper", "open", "inconclusive", wrong, rows, differs)
    lacking = {**wrong, "missing": [{"kind": "data", "what": "the recordings", "estimate": "2 TB"}]}
    yield Case("data missing", "open", "blocked", lacking, Table())
    nothing = {**wrong, "kind": "qualitative", "target": None, "accept": None, "falsify": None, "control": None}
    yield Case("qualitative", "open", "inconclusive", nothing, rows, SETTLED)
    yield Case("padding in the metric", "open", "inconclusive", {**wrong, "padded": True}, _padded(rows))


def _padded(rows: Table) -> Table:
    table = Table(list(rows.lines))
    for seed in range(SEEDS):
        table.add("throw", "counted", 1000, seed=seed, points=100_000)
        table.add("throw", "padding", 660, seed=seed, points=100_000)
    return table
