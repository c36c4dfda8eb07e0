"""Puts one evaluation together, from names and settings: subject, paper, rubric, judge, sandbox and policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsys.core.errors import SandboxUnavailable, UsageError
from agentsys.core.events import EventLog, Subscriber
from agentsys.core.settings import Settings
from agentsys.report.evaluate.execution import Refuses
from agentsys.report.evaluate.result import Evaluation, Order
from agentsys_sandbox.base import Sandbox, SandboxError
from agentsys_sandbox.spec import Package


@dataclass(frozen=True)
class Asked:
    """What the user wants to have evaluated. `out` None makes a folder here, named after the repository."""

    repo: Path
    paper: Path
    rubric: Path | None = None
    code_only: bool = False
    gold: Path | None = None
    judged: bool = False
    samples: int = 3
    mutants: int = 20
    static: bool = False
    out: Path | None = None


async def evaluate(asked: Asked, settings: Settings, subscribers: Sequence[Subscriber] = ()) -> Evaluation:
    """Read repository and paper, measure, let the judge (the settings' model) judge, and write `evaluation.json`.

    Raises: UsageError, PaperError, PrerequisiteError, SandboxUnavailable, ProviderError, LimitReached.
    """
    if (asked.rubric or asked.gold) and not asked.judged:
        raise UsageError("`--rubric` and `--gold` need a judge", "name one with `--judge MODEL`")
    if asked.code_only and asked.rubric is None:
        raise UsageError("`--code-only` needs `--rubric`")
    order = await asyncio.to_thread(_order, asked, settings)
    _make(order.out, asked.repo)
    try:
        return await _carry_out(order, settings, None if asked.static else _factory(order, settings), subscribers)
    except SandboxError as error:
        hint = error.hint or "`agentsys doctor` says what is missing; `--static` runs nothing"
        raise SandboxUnavailable(error.message, hint) from error


def _order(asked: Asked, settings: Settings) -> Order:
    from agentsys.paper import ReadOptions, read_paper
    from agentsys.report.evaluate.rubric import read_rubric
    from agentsys.report.evaluate.subject import read_subject

    subject = read_subject(asked.repo)
    tree = read_rubric(asked.rubric) if asked.rubric else None
    gold = read_subject(asked.gold) if asked.gold else None
    options = ReadOptions(reader=settings.reader, ocr=settings.ocr, nougat_model=settings.nougat_model)
    return Order(
        subject,
        read_paper(asked.paper, options),
        asked.out or Path(f"agentsys-evaluation-{subject.name or 'repository'}-{subject.tree[:8]}"),
        rubric=tree,
        code_only=asked.code_only,
        gold=gold,
        samples=asked.samples,
        mutants=asked.mutants,
        timeout=settings.round_timeout,
        judged=asked.judged,
        refuses=(lambda _: "") if asked.static else _refusal(settings),
    )


def _make(folder: Path, repo: Path) -> None:
    """Make the evaluation's folder; inside the repository it would be evaluated the next time."""
    if folder.resolve().is_relative_to(repo.resolve()):
        raise UsageError(f"`{folder}` lies inside the repository", "choose another folder with `--out`")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder `{folder}`: {error.strerror}", "choose another with `--out`"
        ) from error


async def _carry_out(
    order: Order, settings: Settings, factory: Callable[[], Sandbox] | None, subscribers: Sequence[Subscriber]
) -> Evaluation:
    from agentsys.llm.factory import build_model
    from agentsys.report.evaluate.run import evaluate as carry_out

    events = EventLog(order.out / "events.jsonl", f"evaluate-{order.subject.tree[:8]}")
    for subscriber in subscribers:
        events.subscribe(subscriber)
    if not order.judged:
        return await carry_out(order, factory, None, events)
    model = build_model(settings, order.out / "llm", events, again="give the same command again")
    try:
        return await carry_out(order, factory, model, events)
    finally:
        await model.close()


def _refusal(settings: Settings) -> Refuses:
    """Return what the policy of these settings never lets be installed."""
    from agentsys.audit.policy import load_advisories, load_policy
    from agentsys.verify.environment import judge_packages, why_refused

    policy, data = load_policy(settings), load_advisories(settings)

    def refuses(packages: Sequence[Package]) -> str:
        decision = judge_packages(policy, data, packages)
        return "" if policy.may_run([decision]) else why_refused(decision)

    return refuses


def _factory(order: Order, settings: Settings) -> Callable[[], Sandbox]:
    from agentsys.verify.sandboxspec import sandbox_spec
    from agentsys_sandbox.choose import open_sandbox

    spec = sandbox_spec(settings, f"evaluate-{order.subject.tree[:8]}")
    return lambda: open_sandbox(spec, settings.backend, settings.docker_hosts)
