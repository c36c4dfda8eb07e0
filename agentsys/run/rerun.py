"""`agentsys claims rerun`: one claim again, under an amendment that asks for more; what was agreed before is kept."""

from __future__ import annotations

from pydantic import ValidationError

from agentsys.core.errors import UsageError
from agentsys.core.files import write_json
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.plan.claims.amendment import Contracts
from agentsys.plan.claims.contract import Contract
from agentsys.plan.claims.freezing import FOLDER
from agentsys.plan.workspace import CONTRACTS, forget
from agentsys.verify.claims.celllog import CellLog


def amend(run: RunDir, claim: str, *, seeds: int | None, horizon: float | None, reason: str) -> None:
    """Put an amendment behind a claim's contract, in the run and in the repository's git.

    `pipeline.resume` then runs the cells that are missing, and judges anew. The same amendment again adds
    nothing; what the budget was too small for is run then.

    Args:
        horizon: how far the contract's axis is swept at least.

    Raises: UsageError (no contracts, no such claim, no rules, no axis, another process has the run); LoosenedRule.
    """
    run.lock()
    try:
        committed = run.repo / FOLDER / CONTRACTS
        if run.read().status != "verified" or not committed.is_file():
            raise UsageError(f"run `{run.path.name}` has no verified repository with claims", "finish it with `resume`")
        contracts = Contracts.model_validate_json(committed.read_bytes())
        contract = _asking_more(contracts.current(claim), seeds, horizon)
        if contract != contracts.current(claim):
            contracts = contracts.amended(contract, reason, results_seen=True)
        write_json(run.claims / CONTRACTS, contracts)
        write_json(committed, contracts)
        GitRepo(run.repo).commit_files([f"{FOLDER}/{CONTRACTS}"], f"Contract of {claim} amended: {reason}")
        forget(run, "experiments")
    finally:
        run.unlock()


def with_budget(run: RunDir, settings: Settings) -> Settings:
    """Return settings whose budget of CPU seconds counts from here on."""
    return settings.model_copy(update={"claim_budget": settings.claim_budget + CellLog(run.claims).spent})


def _asking_more(contract: Contract, seeds: int | None, horizon: float | None) -> Contract:
    if contract.accept is None:
        raise UsageError(f"{contract.claim} has no rules, so that nothing of it can be run", "see its `missing`")
    more: dict[str, object] = {}
    if seeds is not None:
        more["seeds"] = seeds
    if horizon is not None:
        if contract.horizon is None:
            raise UsageError(f"the contract of {contract.claim} sweeps no axis", "leave `--horizon` out")
        more["horizon"] = {"axis": contract.horizon.axis, "at_least": horizon}
    try:
        return Contract.model_validate({**contract.model_dump(), **more})
    except ValidationError as error:
        fault = error.errors()[0]["msg"].removeprefix("Value error, ")
        words = f"the contract of {contract.claim} would not be consistent: {fault}"
        raise UsageError(words, "ask for other seeds, or another horizon") from error
