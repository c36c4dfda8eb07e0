"""Claims without chance: rates, limits, bounds, identities, existence. Rows come from small iterations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from benchmarks.claims_cases.case import Case, Table, contract, doublings, fails, target


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _rates()
    yield from _limits()
    yield from _trends()
    yield from _bounds()
    yield from _floats()
    yield from _identities()
    yield from _existence()


def _sure(kind: str, text: str, accept: dict[str, Any], falsify: dict[str, Any], **more: Any) -> dict[str, Any]:
    return contract(kind, text, accept, falsify, deterministic=True, **more)


def _curve(method: str, quantity: str, axis: str, points: Iterator[int], of: Callable[[int], float]) -> Table:
    table = Table()
    for point in points:
        table.add(method, quantity, float(of(point)), at={axis: point})
    return table


def _integral(n: int, order: int) -> float:
    """Error of the trapezoidal (2) or Simpson's (4) rule for exp on [0, 1]."""
    y = np.exp(np.linspace(0, 1, n + 1))
    rough = float((y.sum() - 0.5 * (y[0] + y[-1])) / n)
    half = float((y[::2].sum() - 0.5 * (y[0] + y[-1])) / (n / 2))
    return abs((rough if order == 2 else (4 * rough - half) / 3) - (math.e - 1))


def _order(claimed: float, last: int, **more: Any) -> dict[str, Any]:
    rule = {"type": "slope", "method": "m", "quantity": "error", "axis": "n", "settle": 0.1}
    return _sure(
        "rate",
        f"The error falls like n to the {claimed:g}.",
        {**rule, "low": claimed - 0.1, "high": claimed + 0.1},
        fails({**rule, "low": claimed - 0.3, "high": claimed + 0.3}),
        target=target(claimed),
        horizon={"axis": "n", "at_least": last},
        toy_below={"n": last},
        **more,
    )


def _rates() -> Iterator[Case]:
    for name, claimed, order, truth, verdict in (
        ("rate -2", -2.0, 2, "true", "verified"),
        ("rate -4", -4.0, 4, "true", "verified"),
        ("rate -3, altered", -3.0, 4, "false", "falsified"),
    ):
        table = _curve("m", "error", "n", iter(doublings(4, 512)), lambda n, order=order: _integral(n, order))
        for n in doublings(4, 512):
            table.add("m", "error", _integral(n, 6 - order) if claimed != -3.0 else 1 / n, n=n, case="control")
        yield Case(name, truth, verdict, _order(claimed, 512), table)
    for name, last, verdict in (
        ("late rate, cut short", 256, "inconclusive"),
        ("late rate, swept far", 2**20, "verified"),
    ):
        table = _curve("m", "error", "n", iter(doublings(4, last)), lambda n: 1 / n + 60 / n**2)
        for n in doublings(4, last):
            table.add("m", "error", n**-0.5, n=n, case="control")
        yield Case(name, "true", verdict, _order(-1.0, last), table)


def _limits() -> Iterator[Case]:
    rule = {"type": "limit", "method": "m", "quantity": "value", "axis": "n", "settle": 0.001}
    for claimed, truth, verdict in ((math.e, "true", "verified"), (2.75, "false", "falsified")):
        agreed = _sure(
            "number",
            f"The sequence tends to {claimed:.3f}.",
            {**rule, "low": claimed - 0.005, "high": claimed + 0.005},
            fails({**rule, "low": claimed - 0.01, "high": claimed + 0.01}),
            target=target(claimed),
            horizon={"axis": "n", "at_least": 4096},
            toy_below={"n": 4096},
        )
        table = _curve("m", "value", "n", iter(doublings(16, 65536)), lambda n: (1 + 1 / n) ** n)
        for n in doublings(16, 65536):
            table.add("m", "value", (1 + 2 / n) ** n, n=n, case="control")
        yield Case(f"limit {claimed:.3f}", truth, verdict, agreed, table)
    yield from _logarithm()


def _logarithm() -> Iterator[Case]:
    """A sum that grows like 0.38 ln n is said to be bounded."""
    bounded = {"type": "limit", "method": "m", "quantity": "value", "axis": "n", "high": 5.0, "low": 0.0, "settle": 0.3}
    grows = {"type": "slope", "scale": "semilog", "method": "m", "quantity": "value", "axis": "n", "settle": 0.05}
    agreed = _sure(
        "bound",
        "The regret stays below 5 for every n.",
        bounded,
        {**grows, "low": 0.2},
        horizon={"axis": "n", "at_least": 256},
        toy_below={"n": 256},
    )
    for name, last, verdict in (("slow growth, short", 16, "inconclusive"), ("slow growth, swept", 1024, "falsified")):
        table = _curve(
            "m", "value", "n", iter(doublings(2, last)), lambda n: 0.38 * sum(1 / k for k in range(1, n + 1))
        )
        for n in doublings(2, last):
            table.add("m", "value", 10 + 1 / n, n=n, case="control")
        yield Case(name, "false", verdict, agreed, table)


def _trends() -> Iterator[Case]:
    for name, peak, truth, verdict in (
        ("trend", 9.0, "true", "verified"),
        ("trend, altered", 3.0, "false", "falsified"),
    ):
        rule = {"type": "trend", "method": "m", "quantity": "value", "axis": "n", "direction": "increasing"}
        accept = {**rule, "min_tau": 1.0}
        agreed = _sure(
            "trend",
            "The value grows with n throughout.",
            accept,
            fails({**rule, "min_tau": 0.8}),
            grid={"n": tuple(map(str, doublings(2, 512)))},
            toy_below={"n": 512},
        )
        table = _curve("m", "value", "n", iter(doublings(2, 512)), lambda n, peak=peak: -abs(math.log(n) - peak))
        for n in doublings(2, 512):
            table.add("m", "value", -float(n), n=n, case="control")
        yield Case(name, truth, verdict, agreed, table)


def _universal(text: str, relation: str, bound: float, tried: int, toy: int) -> dict[str, Any]:
    rule = {"method": "m", "quantity": "value", "bound": bound, "tried": tried}
    opposite = {"at_most": "above", "at_least": "below"}[relation]
    return _sure(
        "bound",
        text,
        {**rule, "type": "no_counterexample", "relation": relation, "axis": "n"},
        {**rule, "type": "witness", "relation": opposite},
        horizon={"axis": "n", "at_least": toy / 10},
        toy_below={"n": toy},
    )


def _late(last: int) -> Table:
    """x keeps below 1 until step 4,999 and breaks it first at step 5,000: a slow drift under a ripple."""
    table = Table()
    for n in range(1, last + 1):
        value = Fraction(n, 4999)
        table.add("m", "value", float(value), n=n)
        if value > 1:
            table.add("exact", "value", value, n=n)
    table.add("m", "value", 2.0, n=1, case="control")
    return table


def _race(last: int) -> Table:
    """Primes 4k+3 less primes 4k+1 up to n: never negative before n = 26,861."""
    table, lead = Table(), 0
    sieve = np.ones(last + 1, dtype=bool)
    for n in range(2, last + 1):
        if sieve[n]:
            sieve[n * n :: n] = False
            lead += {1: -1, 3: 1}.get(n % 4, 0)
        if n % 97 == 0 or lead < 0:
            table.add("m", "value", lead, n=n)
        if lead < 0:
            table.add("exact", "value", lead, n=n)
    table.add("m", "value", -1, n=2, case="control")
    return table


def _bounds() -> Iterator[Case]:
    late = _universal("x stays at most 1 at every step.", "at_most", 1.0, 1000, 1000)
    yield Case("bound breaks late, stopped early", "false", "inconclusive", late, _late(1000))
    yield Case("bound breaks late, found", "false", "falsified", late, _late(10_000))
    race = _universal("Primes 4k+3 always lead over primes 4k+1.", "at_least", 0.0, 100, 20_000)
    yield Case("race of primes, stopped early", "false", "toy", race, _race(10_000))
    yield Case("race of primes, found", "false", "falsified", race, _race(30_000))
    euler = _universal("H_n - ln n is at least 0.5772.", "at_least", 0.5772, 1000, 10_000)
    table, total = Table(), 0.0
    for n in range(1, 20_001):
        total += 1 / n
        if n % 7 == 0:
            table.add("m", "value", total - math.log(n), n=n)
    table.add("m", "value", 0.0, n=1, case="control")
    yield Case("bound approached, never met", "true", "verified", euler, table)
    attained = Table()
    for n in range(1, 2001):
        attained.add("m", "value", 1, n=n)
        attained.add("m", "value", 1, n=n, case="control")
    built = _universal("The ratio is at most 1.", "at_most", 1.0, 1000, 1000)
    yield Case("instance on the bound", "open", "inconclusive", built, attained)


def _floats() -> Iterator[Case]:
    """A float that misses a bound by its rounding, and a counterexample that exact arithmetic does not confirm."""
    agreed = _universal("n tenths summed are at most n / 10.", "at_most", 0.0, 100, 100)
    rounded = Table()
    for n in range(1, 201):
        rounded.add("m", "value", sum([0.1] * n) - n / 10, n=n)
    rounded.add("m", "value", 1.0, n=1, case="control")
    yield Case("broken by rounding only", "true", "inconclusive", agreed, rounded)
    cancelled = Table()
    for n in range(1, 201):
        # (1 - cos x) / x^2 for tiny x: floats give 0 or more than 1/2, the exact value lies just below 1/2.
        x = n * 1e-9
        cancelled.add("m", "value", (1 - math.cos(x)) / x**2 - 0.5, n=n)
        cancelled.add("exact", "value", -(Fraction(n, 10**9) ** 2) / 25, n=n)
    cancelled.add("m", "value", 1.0, n=1, case="control")
    yield Case("counterexample of floats", "true", "inconclusive", agreed, cancelled)


def _identities() -> Iterator[Case]:
    rule = {"type": "exact", "method": "left", "reference": "right", "quantity": "value"}
    for name, extra, truth, verdict in (
        ("identity", 0, "true", "verified"),
        ("identity wrong by a constant", 1, "false", "falsified"),
    ):
        table = Table()
        for n in range(1, 201):
            table.add("left", "value", sum(Fraction(1, k * (k + 1)) for k in range(1, n + 1)), n=n)
            table.add("right", "value", Fraction(n, n + 1) + Fraction(extra, 3), n=n)
            table.add("left", "value", n, n=n, case="control")
            table.add("right", "value", n * n + 1, n=n, case="control")
        for method in ("left", "right"):
            table.add(method, "value", 0, n=0, case="degenerate")
        agreed = _sure(
            "identity",
            "The sum of 1/(k(k+1)) to n equals n/(n+1).",
            rule,
            fails(rule),
            degenerate={"what": "the empty sum is 0 on both sides", "rule": rule},
            toy_below={"n": 1},
        )
        yield Case(name, truth, verdict, agreed, table)
    yield from _errors()


def _errors() -> Iterator[Case]:
    rule = {"type": "max_error", "method": "pade", "reference": "exp", "quantity": "value"}
    for limit, truth, verdict in ((0.01, "true", "verified"), (0.001, "false", "falsified")):
        table = Table()
        for x in np.linspace(-1, 1, 81):
            name = f"{x:.3f}"
            table.add("pade", "value", float((1 + x / 2 + x * x / 12) / (1 - x / 2 + x * x / 12)), x=name)
            table.add("exp", "value", math.exp(x), x=name)
            table.add("pade", "value", float((1 + x / 2) / (1 - x / 2)), x=name, case="control")
            table.add("exp", "value", math.exp(x), x=name, case="control")
        agreed = _sure(
            "bound",
            f"The error of the approximation on [-1, 1] is at most {limit}.",
            {**rule, "at_most": limit},
            fails({**rule, "at_most": limit}),
            grid={"x": ("-1.000", "0.000", "1.000")},
        )
        yield Case(f"largest error {limit}", truth, verdict, agreed, table)


def _existence() -> Iterator[Case]:
    """Numbers that are sums of two cubes in two ways; odd perfect numbers below 2,000."""
    cubes = {n: sum(1 for a in range(1, 13) for b in range(a, 13) if a**3 + b**3 == n) for n in range(1, 2001)}
    perfect = {n: 1 if sum(d for d in range(1, n // 2 + 1) if n % d == 0) == n else 0 for n in range(1, 2000, 2)}
    for name, found, bound, truth, verdict in (
        ("existence", cubes, 2.0, "true", "verified"),
        ("existence, altered", perfect, 1.0, "false", "falsified"),
    ):
        rule = {"type": "witness", "method": "m", "quantity": "ways", "relation": "at_least", "bound": bound}
        accept = {**rule, "tried": len(found)}
        agreed = _sure("existence", "Such a number exists below 2,000.", accept, fails(accept), toy_below={"n": 1})
        table = Table()
        for n, ways in found.items():
            table.add("m", "ways", ways, n=n)
            table.add("exact", "ways", ways, n=n)
            table.add("m", "ways", 0, n=n, case="control")
        yield Case(name, truth, verdict, agreed, table)
