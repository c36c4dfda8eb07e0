"""Records what an endpoint answers on claims; what is asked beside them has answers of ours."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from unittest.mock import patch

from agentsys.core.events import EventLog
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.llm.client import Model
from agentsys.llm.factory import build_providers
from agentsys.llm.ledger import Ledger
from agentsys.llm.limits import Limits
from agentsys.llm.pool import Pool
from agentsys.llm.replay import ReplaySource
from agentsys.llm.source import LiveSource, Source
from agentsys.llm.store import Recording, Store, load
from agentsys.llm.types import CallKey, Feedback, Prompt
from agentsys.run.pipeline import implement, resume
from benchmarks.claims_papers import Subject
from benchmarks.truth_recording import write_recording

PATIENCE = 36_000.0
"""Seconds that an endpoint may be silent: a person may be answering."""
BUDGET = 7200.0
_ASKED = {("planner", "claims"), ("planner", "contradictions"), ("planner", "contracts")}


def is_asked(key: CallKey) -> bool:
    """Return whether a call is about claims: only those are asked of the endpoint."""
    return (key.role, key.item) in _ASKED or key.item.startswith("claims/")


class Mixed:
    """Answers of ours for plan and repository, the endpoint's for claims."""

    def __init__(self, ours: ReplaySource, live: Source) -> None:
        self._ours, self._live = ours, live

    def model_of(self, role: str) -> str:
        """Return nothing: what was answered already is taken, whoever gave it."""
        return ""

    async def fetch(self, key: CallKey, prompt: Prompt, hashes: dict[str, str], feedback: Feedback) -> Recording:
        """Return an answer. Raises: as both sources do."""
        return await (self._live if is_asked(key) else self._ours).fetch(key, prompt, hashes, feedback)

    async def close(self) -> None:
        """Close the endpoint's connections."""
        await self._live.close()


def record(subject: Subject, folder: Path, url: str, model: str, sandbox: str) -> Path:
    """Run the program with a live endpoint, put its answers on claims beside the paper, and return the run.

    Args:
        folder: keeps the run; a run that was interrupted there goes on.

    Raises: SystemExit where the run did not end verified.
    """
    request = "\n".join(known.text for known in subject.claims)
    ours = write_recording(folder / "ours", subject.case, request)
    settings = Settings.model_validate(
        {
            "model": model,
            "base_url": url,
            "replay": ours,
            "provider": "openai",
            "call_timeout": PATIENCE,
            "claim_budget": BUDGET,
            "runs_dir": folder / "runs",
            "backend": sandbox,
            "display": "quiet",
            "mutants": 0,
            "full_seconds": 0,
            "allow_weak_sandbox": True,
        }
    )

    def build(settings: Settings, llm_dir: Path, events: EventLog, *, deadline: float | None = None) -> Model:
        store = Store(llm_dir)
        ledger, limits = Ledger(llm_dir / "ledger.jsonl", store, {}), Limits(deadline=deadline, free=True)
        providers = build_providers(settings, {})
        live = LiveSource(providers, limits, ledger, events, attempts=settings.attempts, turns=Pool(32))
        return Model(Mixed(ReplaySource(ours), live), store, ledger, limits, events)

    runs = [file.parent for file in (folder / "runs").glob("*/run.json") if not file.parent.is_symlink()]
    claims = [known.text for known in subject.claims]
    if not runs:
        planning = settings.model_copy(update={"replay": ours, "stop_after": "plan"})
        runs = [asyncio.run(implement(subject.case.paper, planning, claims=claims)).run.path]
    with patch("agentsys.run.assemble.build_model", build):
        result = asyncio.run(resume(RunDir(runs[0]), settings))
    if result.exit_code:
        raise SystemExit(f"{subject.name}: {result.record.status}, {result.record.reason}: {result.run.path}")
    _keep(subject, result.run.path)
    return result.run.path


def _keep(subject: Subject, run: Path) -> None:
    """Put the endpoint's answers and the versions that were installed beside the paper, in place of older ones."""
    shutil.rmtree(subject.answers, ignore_errors=True)
    answers = [load(file) for file in Store(run / "llm").paths()]
    for answer in answers:
        if is_asked(answer.key):
            Store(subject.answers).write(answer)
    environment = run / "llm" / "environment.txt"
    (subject.answers / environment.name).write_bytes(environment.read_bytes())
