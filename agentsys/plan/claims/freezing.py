"""The step `claims`: what would show and what would refute each claim is agreed and committed before any code."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from agentsys.core.errors import NoUsableAnswer, PrerequisiteError, UsageError
from agentsys.core.files import write_json
from agentsys.plan.claims.amendment import Contracts, freeze
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.drafting import contracts_of
from agentsys.plan.claims.extract import claims_of
from agentsys.plan.context import Context
from agentsys.plan.data import here_lines
from agentsys.plan.workspace import CONTRACTS

FOLDER = "claims"
"""Folder of the record in the repository."""
BY_HAND = "edited by hand before any code"


async def freeze_claims(context: Context) -> str:
    """Ask for the claims and their contracts, and freeze them in the run and in the repository's git.

    Contracts that a person edited since are taken as an amendment; nothing is asked then. A recording without answers
    for this, or a model that gives none of use, leaves the run without claims, and a warning says so.

    Raises: ProviderError, LimitReached; PrerequisiteError outside of a replay; UsageError for a bad edit.
    """
    ws = context.ws
    committed, file = ws.run.repo / FOLDER / CONTRACTS, ws.run.claims / CONTRACTS
    if committed.is_file() and file.is_file():
        contracts = _edited(Contracts.model_validate_json(committed.read_bytes()), file.read_bytes())
    else:
        try:
            contracts = await _asked(context)
        except (PrerequisiteError, NoUsableAnswer) as error:
            if isinstance(error, PrerequisiteError) and context.settings.replay is None:
                raise
            return _without(context, error)
    write_json(file, contracts)
    write_json(committed, contracts)
    context.git.commit_files([f"{FOLDER}/{CONTRACTS}"], "Contracts of the claims, before any code")
    ws.mark({"claims": ws.claim_inputs()})
    with_rules = sum(1 for claim in contracts.claims if contracts.current(claim).accept is not None)
    return f"contracts of {len(contracts.claims)} claims are frozen, {with_rules} of them with rules"


async def _asked(context: Context) -> Contracts:
    ws, prefix = context.ws, (context.rules(), *context.paper())
    claims = await claims_of(ws.paper, context.model, prefix, given=ws.given, request=ws.request)
    write_json(ws.run.claims / "claims.json", claims)
    data = here_lines(ws.require_plan(), ws.run.path)
    return freeze(await contracts_of(claims.claims, ws.paper, context.model, prefix, data))


def _without(context: Context, error: PrerequisiteError | NoUsableAnswer) -> str:
    missing = "the recording holds no answers for them" if isinstance(error, PrerequisiteError) else error.message
    context.events.emit("warning", stage="claims", message=f"the run goes on without claims: {missing}")
    context.ws.mark({"claims": context.ws.claim_inputs()})
    return "no claims"


def _edited(frozen: Contracts, raw: bytes) -> Contracts:
    """Return the frozen contracts with an amendment for each that the edited file has otherwise."""
    for claim, contract in _last(raw).items():
        if claim in frozen.claims and contract != frozen.current(claim):
            frozen = frozen.amended(contract, BY_HAND, results_seen=False)
    return frozen


def _last(raw: bytes) -> dict[str, Contract]:
    try:
        rows: dict[str, Any] = json.loads(raw)["claims"]
        found = {claim: Contract.model_validate(entries[-1]["contract"]) for claim, entries in rows.items()}
    except ValidationError as error:
        said = "; ".join(f"`{'.'.join(map(str, row['loc']))}` {row['msg']}".strip("` ") for row in error.errors()[:5])
        raise UsageError(f"an edited contract is not consistent: {said}", f"correct `{FOLDER}/{CONTRACTS}`") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        words = f"`{FOLDER}/{CONTRACTS}` of the run is no longer a file of contracts"
        raise UsageError(words, "edit only what stands under `contract`, or take the repository's file") from error
    if wrong := [claim for claim, contract in found.items() if contract.claim != claim]:
        raise UsageError(f"the contract under {wrong[0]} is called otherwise", "keep `claim` as it is")
    return found
