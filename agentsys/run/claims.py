"""`agentsys claims`: a paper screened, its claims asked for and audited. No sandbox, no code."""

from __future__ import annotations

import asyncio
import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

from agentsys.audit.policy import load_policy
from agentsys.audit.record import refusal
from agentsys.audit.screening import screen
from agentsys.core.errors import BlockedError, LimitReached, PrerequisiteError, UsageError
from agentsys.core.events import EventLog, Subscriber
from agentsys.core.files import write_json
from agentsys.core.runrecord import UsageRecord
from agentsys.core.settings import Settings
from agentsys.llm.client import Model
from agentsys.llm.factory import build_model
from agentsys.paper.model import Paper
from agentsys.plan.claims.amendment import Contracts, freeze
from agentsys.plan.claims.claim import Claims
from agentsys.plan.claims.drafting import contracts_of
from agentsys.plan.claims.extract import claims_of
from agentsys.plan.prompt_text import fence_of, paper_part, rules_part
from agentsys.run.pipeline import read_as_set, store_paper
from agentsys_policies.errors import PolicyError
from agentsys_policies.record import AuditRecord

FILE = "claims.json"
CONTRACTS = "contracts.json"


async def read_claims_of(
    paper: Path,
    settings: Settings,
    *,
    out: Path | None = None,
    given: Sequence[str] = (),
    password: str = "",
    contracts: bool = False,
    subscribers: Sequence[Subscriber] = (),
) -> tuple[Claims, Contracts | None, Path, UsageRecord]:
    """Read a paper and write its claims to `claims.json`; return them, contracts, the folder, and what the model used.

    Answers lie in the folder's `llm`, paper and decisions of the policy beside: the same call asks nothing again.

    Args:
        out: the folder; by default one named after the paper, in the current one.
        given: texts of claims that were handed in.
        contracts: draft a contract for each claim too, and write them to `contracts.json`.

    Raises: PaperError, UsageError, PrerequisiteError, ProviderError, BlockedError, LimitReached.
    """
    read = await read_as_set(paper, settings, password)
    folder = out or Path(f"agentsys-claims-{_slug(read.title or paper.stem)}-{read.sha256[:8]}")
    try:
        read = store_paper(read, paper, folder / "paper", password)
    except OSError as error:
        raise UsageError(
            f"cannot write to `{folder}`: {error.strerror}", "choose another folder with `--out`"
        ) from error
    events = EventLog(folder / "events.jsonl", f"claims-{read.sha256[:8]}")
    for subscriber in subscribers:
        events.subscribe(subscriber)
    deadline = None if settings.time_limit is None else time.monotonic() + settings.time_limit
    model = build_model(settings, folder / "llm", events, deadline=deadline)
    try:
        async with asyncio.timeout(settings.time_limit):
            claims, drafted = await _claims(read, settings, folder, model, given, contracts)
    except TimeoutError as error:
        hint = "the same command with a larger `--time-limit` goes on"
        raise LimitReached(f"the time limit of {settings.time_limit:g} s is used up", hint, "time") from error
    finally:
        await model.close()
        events.close()
    total = model.usage
    usage = UsageRecord(
        calls=model.calls, prompt=total.prompt, cached=total.cached, completion=total.completion, cost=model.cost
    )
    return claims, drafted, folder, usage


async def _claims(
    paper: Paper, settings: Settings, folder: Path, model: Model, given: Sequence[str], contracts: bool
) -> tuple[Claims, Contracts | None]:
    # What is given steers what will be built, like a request of the user.
    await _screen(paper, settings, folder, model, "\n".join(given))
    python = ".".join(platform.python_version_tuple()[:2])
    prefix = rules_part(settings, python, fence_of(paper)), paper_part(paper)
    claims = await claims_of(paper, model, prefix, given=given)
    write_json(folder / FILE, claims)
    if not contracts:
        return claims, None
    drafted = freeze(await contracts_of(claims.claims, paper, model, prefix))
    write_json(folder / CONTRACTS, drafted)
    return claims, drafted


async def _screen(paper: Paper, settings: Settings, folder: Path, model: Model, request: str) -> None:
    policy = load_policy(settings)
    decisions = await screen(policy, model, paper, folder / "paper", request)
    try:
        record = AuditRecord(folder / "audit")
        for decision in decisions:
            record.append(decision)
    except PolicyError as error:
        raise PrerequisiteError(error.message, error.hint) from error
    rows = [decision.model_dump(mode="json") for decision in decisions]
    data = {"paper": paper.sha256, "request": request, "policy": policy.ref.sha256, "decisions": rows}
    write_json(folder / "audit" / "request.json", data)
    if not all(decision.allows for decision in decisions):
        raise BlockedError(*refusal(decisions[-1]))


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "paper"
