"""Units: what compares, what does not, and what is never evaluated."""

from __future__ import annotations

import pytest

from agentsys.verify.claims.units import Units, UnitsError, conversions, units_of


@pytest.mark.parametrize(
    ("source", "target", "pair"),
    [
        ("ms", "s", (0.001, 0.0)),
        ("%", "", (0.01, 0.0)),
        ("", "1", (1.0, 0.0)),
        ("degC", "K", (1.0, 273.15)),
        ("1/s", "Hz", (1.0, 0.0)),
        ("s/batch", "s/trajectory", (0.02, 0.0)),
        ("kg*m**2", "g*cm^2", (1e7, 0.0)),
        ("s", "m", None),
        ("token", "trajectory", None),
        ("token", "", None),
        ("dB", "", None),
        ("nats", "bits", (1.4426950408889634, 0.0)),
        ("fps", "frame/s", (1.0, 0.0)),
        ("pp", "%", (1.0, 0.0)),
        ("pt", "%", (1.0, 0.0)),
        ("M", "k", (1000.0, 0.0)),
        ("kB", "bit", (8000.0, 0.0)),
        ("GB", "B", (1e9, 0.0)),
    ],
)
def test_units_convert_or_do_not_compare(source: str, target: str, pair: tuple[float, float] | None) -> None:
    found = Units({"batch": "50 trajectory"}).conversion(source, target)
    assert found == (pytest.approx(pair) if pair else None)


@pytest.mark.parametrize("text", ["m**999", "a;b", "__class__", "f(x)", "s/", "9m", "m" * 50 + "*" * 40, "[length]"])
def test_what_is_no_unit_is_refused_and_never_evaluated(text: str) -> None:
    with pytest.raises(UnitsError, match="cannot be read"):
        Units({}).conversion(text, "s")


@pytest.mark.parametrize("counts", [{"m": "50 s"}, {"batch": "50 batch"}, {"batch": "fifty"}, {"a b": "2 c"}])
def test_a_count_that_redefines_or_says_nothing_is_refused(counts: dict[str, str]) -> None:
    with pytest.raises(UnitsError):
        Units(counts)


def test_what_does_not_compare_is_not_in_the_table() -> None:
    assert conversions({}, ["s"], ["ms", "m", "9m"]) == {"s": {"ms": (0.001, 0.0)}}


def test_the_units_of_a_contract_are_found_at_any_depth() -> None:
    document = {"accept": {"rules": [{"unit": "s"}, {"unit": "%"}]}, "target": {"unit": "ms"}, "baselines": []}
    assert units_of(document) == ["%", "ms", "s"]


@pytest.mark.parametrize("counts", [{"batch": "fifty runs"}, {"second": "50 run"}])
def test_counts_that_cannot_be_read_relate_nothing_and_break_nothing(counts: dict[str, str]) -> None:
    assert conversions(counts, ["ms/run"], ["s/run", "s/batch"]) == {"ms/run": {"s/run": (1000.0, 0.0)}}
