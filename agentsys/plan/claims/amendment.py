"""Contracts over time: frozen before code, changed only by amendments that are added behind them.

`claims/contracts.json` holds for each claim its contract and every amendment with its reason, each entry with the hash
of the one before it, so that none can be taken out or altered unnoticed. Once results were seen nothing may get looser;
what is not known to be tighter is looser.
"""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from agentsys.core.artifacts import Artifact
from agentsys.core.errors import UsageError
from agentsys.plan.claims.contract import ClaimId, Contract, canonical_hash
from agentsys.plan.claims.rule import AllOf, Fails, Rule, StatisticRule

_RISING = ("seeds",)
_FREE = ("cost",)


class LoosenedRule(UsageError):
    """An amendment after results were seen would make a verdict easier to reach."""


class Entry(Artifact):
    """A contract as frozen, or an amendment of it."""

    contract: Contract
    hash: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the contract")
    reason: str = Field(default="", max_length=1000, description="why it was amended; empty for the first")
    results_seen: bool = False
    previous: str = Field(default="", description="`link` of the entry before, or empty")
    link: str = Field(pattern=r"^[0-9a-f]{64}$", description="hash of all of the above")


class Contracts(Artifact):
    """All contracts of a run, with their amendments: `claims/contracts.json`."""

    claims: dict[ClaimId, tuple[Entry, ...]]

    @model_validator(mode="after")
    def _unaltered(self) -> Self:
        for claim, entries in self.claims.items():
            previous = ""
            for entry in entries:
                again = _entry(entry.contract, entry.reason, entry.results_seen, previous)
                if again != entry or entry.contract.claim != claim:
                    raise ValueError(f"the contract of {claim} was altered after it was frozen: amend it instead")
                previous = entry.link
            if not entries:
                raise ValueError(f"{claim} has no contract")
        return self

    def current(self, claim: str) -> Contract:
        """Return the contract that counts now. Raises: UsageError for an unknown claim."""
        return self._entries(claim)[-1].contract

    def amended(self, contract: Contract, reason: str, *, results_seen: bool) -> Contracts:
        """Return these contracts with an amendment behind them; the old ones stay.

        Args:
            results_seen: rows of this claim exist; nothing may then be looser than before.

        Raises: LoosenedRule naming each looser field; UsageError without a reason, or for an unknown claim.
        """
        entries = self._entries(contract.claim)
        if not reason.strip():
            raise UsageError("an amendment needs its reason", "say why the contract changes")
        seen = results_seen or any(entry.results_seen for entry in entries)
        if seen and (found := loosened(entries[-1].contract, contract)):
            raise LoosenedRule(
                f"the amendment of {contract.claim} is refused, results were seen: {'; '.join(found)}",
                "keep what was agreed, or ask for more: seeds, horizon, grid, or narrower bounds of `accept`",
            )
        entry = _entry(contract, reason.strip(), seen, entries[-1].link)
        return Contracts(claims={**self.claims, contract.claim: (*entries, entry)})

    def _entries(self, claim: str) -> tuple[Entry, ...]:
        if claim not in self.claims:
            raise UsageError(f"there is no claim `{claim}`", f"claims of this run: {', '.join(self.claims)}")
        return self.claims[claim]


def freeze(contracts: tuple[Contract, ...]) -> Contracts:
    """Return the contracts as they are agreed before the first line of code."""
    return Contracts(claims={each.claim: (_entry(each, "", False, ""),) for each in contracts})


def _entry(contract: Contract, reason: str, results_seen: bool, previous: str) -> Entry:
    said = {"hash": contract.hash, "reason": reason, "results_seen": results_seen, "previous": previous}
    return Entry(
        contract=contract,
        hash=contract.hash,
        reason=reason,
        results_seen=results_seen,
        previous=previous,
        link=canonical_hash(said),
    )


def loosened(old: Contract, new: Contract) -> tuple[str, ...]:
    """Return what of a contract an amendment loosens, or changes without being sure to tighten it.

    `falsify` may not change at all: easier it makes a refutation cheap, harder it protects the claim.
    """
    found: list[str] = []
    before, after = dict(old), dict(new)
    for name, value in before.items():
        if value == after[name] or name in _FREE or _tighter(name, old, new):
            continue
        found.append(f"`{name}` {_words(name)}")
    if old.accept is not None and new.accept is not None and old.accept != new.accept:
        found += [f"`accept`: {words}" for words in loosened_rule(old.accept, new.accept)]
    return tuple(found)


def _words(name: str) -> str:
    return "may only ask for more" if name in ("seeds", "horizon", "grid", "toy_below") else "may not change any more"


def _tighter(name: str, old: Contract, new: Contract) -> bool:
    """True where a field that differs is known to ask for more; `accept` is looked at in detail elsewhere."""
    if name in _RISING:
        return new.seeds >= old.seeds
    if name == "accept":
        return old.accept is not None and new.accept is not None
    if name == "horizon":
        longer = old.horizon and new.horizon and old.horizon.axis == new.horizon.axis
        return old.horizon is None or bool(longer and new.horizon and new.horizon.at_least >= old.horizon.at_least)
    if name == "grid":
        return all(set(values) <= set(new.grid.get(key, ())) for key, values in old.grid.items())
    if name == "toy_below":
        return all(new.toy_below.get(key, -math.inf) >= least for key, least in old.toy_below.items())
    if name == "baselines":
        return set(map(repr, old.baselines)) <= set(map(repr, new.baselines))
    if name == "degenerate":
        return old.degenerate is None
    return (name == "padded" and new.padded) or (name == "deterministic" and not new.deterministic)


def loosened_rule(old: Rule, new: Rule) -> tuple[str, ...]:
    """Return what a new acceptance rule asks less of than the old one, or cannot be compared in."""
    if isinstance(old, AllOf) and isinstance(new, AllOf):
        if len(new.rules) < len(old.rules):
            return ("a part was taken out",)
        pairs = zip(old.rules, new.rules, strict=False)
        return tuple(words for one, other in pairs for words in _loosened_statistic(one, other))
    if isinstance(old, AllOf | Fails) or isinstance(new, AllOf | Fails):
        return () if old == new else ("another kind of rule",)
    return _loosened_statistic(old, new)


def _loosened_statistic(old: StatisticRule, new: StatisticRule) -> tuple[str, ...]:
    if type(old) is not type(new):
        return (f"`{new.type}` in the place of `{old.type}`",)
    found: list[str] = []
    before, after = dict(old), dict(new)
    for name, value in before.items():
        sign = old.TIGHTER.get(name)
        if value == after[name] or (sign and _asks_more(name, sign, value, after[name])):
            continue
        found.append(f"`{name}` from {value} to {after[name]}")
    return tuple(found)


def _asks_more(name: str, sign: int, before: float | None, after: float | None) -> bool:
    """An absent `low` is minus infinity, an absent `high` infinity: no bound is the loosest of all."""
    loosest = -math.inf * sign
    return (after if after is not None else loosest) * sign >= (before if before is not None else loosest) * sign
