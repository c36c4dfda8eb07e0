"""One claim of known truth: a contract by hand, rows from a computation, and the verdict that they deserve."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from agentsys.plan.claims.contract import Contract
from agentsys.verify.claims.record import Findings
from agentsys.verify.claims.standalone.rows import HEADER, setting_text

SETTLED = Findings(checker="agrees", reviewer="clean")
Value = float | int | Fraction


@dataclass
class Table:
    """Raw rows that a case computes."""

    lines: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    def add(
        self,
        method: str,
        quantity: str,
        value: Value,
        *,
        seed: int = 0,
        unit: str = "",
        at: Mapping[str, Any] | None = None,
        **setting: Any,
    ) -> None:
        """Write one measured value; an int or a Fraction is exact. The setting comes by `at`, by name, or by both."""
        whole = {**(at or {}), **setting}
        text = setting_text({key: str(each) for key, each in whole.items()})
        number = str(value) if isinstance(value, int | Fraction) else repr(float(value))
        self.lines.append((str(seed), text, method, quantity, number, unit))

    def write(self, file: Path, claim: str) -> None:
        """Write the rows as the CSV that an experiment leaves."""
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(HEADER)
            writer.writerows((claim, *line) for line in self.lines)


@dataclass(frozen=True)
class Case:
    """A claim whose truth is known.

    `truth` is true, false or open (the rows cannot say); `verdict` is what these rows deserve, less where they are few.
    """

    name: str
    truth: str
    verdict: str
    contract: dict[str, Any]
    table: Table
    findings: Findings = SETTLED

    def contract_as(self, claim: str) -> Contract:
        """Return the contract under the id of a claim."""
        return Contract.model_validate({**self.contract, "claim": claim})


def contract(kind: str, text: str, accept: dict[str, Any], falsify: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a contract with the parts that all cases share."""
    return {
        "kind": kind,
        "text": text,
        "place": {"section": "4"},
        "domain": "as stated",
        "accept": accept,
        "falsify": falsify,
        "control": {"what": "a variant on which the claim is known to be wrong"},
        "toy_below": {"seeds": 1},
        **more,
    }


def target(value: float, unit: str = "") -> dict[str, Any]:
    """Return what the paper reports."""
    return {"value": value, "unit": unit, "where": {"section": "4", "label": "Table 1"}}


def fails(rule: dict[str, Any]) -> dict[str, Any]:
    """Return the rule that holds where `rule` fails."""
    return {"type": "fails", "rule": rule}


def doublings(first: int, last: int) -> Iterable[int]:
    """Yield first, 2 first, 4 first, ... up to last."""
    while first <= last:
        yield first
        first *= 2
