"""`agentsys evaluate REPO --paper PAPER`: how good any repository is as an implementation of a paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentsys.cli import options as opt
from agentsys.cli.output import json_errors, show_json
from agentsys.core.errors import SandboxUnavailable, UsageError
from agentsys.core.text import clean_text

if TYPE_CHECKING:
    from agentsys.core.events import Event
    from agentsys.core.settings import Settings
    from agentsys.report.evaluate.execution import Refuses
    from agentsys.report.evaluate.result import Evaluation, Order
    from agentsys_sandbox.base import Sandbox
    from agentsys_sandbox.spec import Package


def evaluate(
    repo: Annotated[Path, typer.Argument(help="A repository, or a run by path or id.", metavar="REPO")],
    paper: Annotated[
        Path | None, typer.Option(help="The paper that it should implement; of a run its own.", metavar="PAPER")
    ] = None,
    rubric: Annotated[
        Path | None, typer.Option(help="Rubric as a tree, in PaperBench's form.", metavar="R.json")
    ] = None,
    code_only: Annotated[bool, typer.Option("--code-only", help="Only the rubric's leaves about code.")] = False,
    gold: Annotated[Path | None, typer.Option(help="The authors' own repository.", metavar="DIR")] = None,
    judge: Annotated[str | None, typer.Option(help="Model that judges; without one, what is measured.")] = None,
    samples: Annotated[int, typer.Option(help="Judgements whose mean is a score.", min=1, max=32)] = 3,
    mutants: Annotated[int, typer.Option(help="Most faults planted; 0 plants none.", min=0, max=500)] = 20,
    static: Annotated[bool, typer.Option("--static", help="Run nothing.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the evaluation.", metavar="DIR")] = None,
    sandbox: opt.Sandbox = None,
    budget: opt.Budget = None,
    prices: opt.Prices = None,
    max_tokens: opt.MaxTokens = None,
    replay: Annotated[Path | None, typer.Option(help="Take the judge's answers from here.", metavar="DIR")] = None,
    json: opt.JsonRows = False,
    quiet: opt.Quiet = False,
    config: opt.Config = None,
    sets: opt.Sets = None,
    env_file: opt.EnvFile = None,
) -> None:
    """Install, import, type-check and test a repository in a sandbox, plant faults in it, and let a model judge it.

    Any repository will do. The judge sees neither where it comes from nor which tool wrote it. Its answers lie in the
    evaluation's folder; the same command goes on there after an interruption.
    """
    with json_errors(json):
        from agentsys.core.settings_layers import load_settings

        opt.use_env_file(env_file)
        inner, run = opt.repository_of(str(repo))
        repo = run or inner
        paper = paper or (opt.paper_of(run) if run is not None else None)
        if paper is None:
            raise UsageError("which paper `REPO` should implement is not known", "name it with `--paper PAPER`")
        replay = opt.recording_of(replay)
        flags = {
            "backend": sandbox,
            "budget": budget,
            "prices": prices or None,
            "max_tokens": max_tokens,
            "replay": replay,
        }
        settings, _ = load_settings(flags=flags, sets=sets or (), config=config)
        if judge is None:
            judge = settings.agent_models.get("judge") or None
        settings = settings.model_copy(update={"model": judge or "", "agent_models": {}})
        judged = judge is not None or replay is not None
        if (rubric or gold) and not judged:
            raise UsageError("`--rubric` and `--gold` need a judge", "name one with `--judge MODEL`")
        if code_only and rubric is None:
            raise UsageError("`--code-only` needs `--rubric`")
        order = replace(
            _order(repo, paper, rubric, gold, settings),
            code_only=code_only,
            samples=samples,
            mutants=mutants,
            judged=judged,
        )
        order = replace(order, out=out) if out else order
        order = order if static else replace(order, refuses=_refusal(settings))
        _make(order.out, repo)
        found = _carry_out(order, settings, static, quiet=quiet or json)
    _show(found, json)


def _order(repo: Path, paper: Path, rubric: Path | None, gold: Path | None, settings: Settings) -> Order:
    from agentsys.paper import ReadOptions, read_paper
    from agentsys.report.evaluate.result import Order
    from agentsys.report.evaluate.rubric import read_rubric
    from agentsys.report.evaluate.subject import read_subject

    subject = read_subject(repo)
    tree = read_rubric(rubric) if rubric else None
    reference = read_subject(gold) if gold else None
    options = ReadOptions(reader=settings.reader, ocr=settings.ocr, nougat_model=settings.nougat_model)
    folder = Path(f"agentsys-evaluation-{subject.name or 'repository'}-{subject.tree[:8]}")
    read = read_paper(paper, options)
    return Order(subject, read, folder, rubric=tree, gold=reference, timeout=settings.round_timeout)


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


def _carry_out(order: Order, settings: Settings, static: bool, *, quiet: bool) -> Evaluation:
    import asyncio

    from agentsys_sandbox.base import SandboxError

    try:
        return asyncio.run(_evaluate(order, settings, None if static else _factory(order, settings), quiet=quiet))
    except SandboxError as error:
        hint = error.hint or "`agentsys doctor` says what is missing; `--static` runs nothing"
        raise SandboxUnavailable(error.message, hint) from error


async def _evaluate(
    order: Order, settings: Settings, factory: Callable[[], Sandbox] | None, *, quiet: bool
) -> Evaluation:
    from agentsys.core.events import EventLog
    from agentsys.llm.factory import build_model
    from agentsys.report.evaluate.run import evaluate as carry_out

    events = EventLog(order.out / "events.jsonl", f"evaluate-{order.subject.tree[:8]}")
    if not quiet:
        events.subscribe(_progress)
    if not order.judged:
        return await carry_out(order, factory, None, events)
    model = build_model(settings, order.out / "llm", events, again="give the same command again")
    try:
        return await carry_out(order, factory, model, events)
    finally:
        await model.close()


def _progress(event: Event) -> None:
    """Show what is being done, one line each, on standard error."""
    from agentsys.cli.display.describe import describe

    if event["type"] in ("check.started", "sandbox.exec", "llm.call", "llm.retry", "warning", "limit.reached"):
        typer.echo(describe(event), err=True)


def _refusal(settings: Settings) -> Refuses:
    """What the policy of these settings never lets be installed."""
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


def _show(found: Evaluation, json: bool) -> None:
    from agentsys.report.evaluate.result import as_data, lines

    if json:
        show_json(as_data(found))
        return
    for line in lines(found):
        typer.echo(clean_text(line)[:400])
    typer.echo(f"written to {found.order.out}", err=True)
