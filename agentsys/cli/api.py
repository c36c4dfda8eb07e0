"""The Python API: what `import agentsys` offers. Each call works with and without an event loop, in a notebook too."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar

from agentsys.core.errors import UsageError
from agentsys.core.events import Event, Subscriber
from agentsys.core.rundir import RunDir, find
from agentsys.core.runrecord import RunRecord
from agentsys.core.settings_layers import load_settings, reproduction_settings, resume_settings

if TYPE_CHECKING:
    from agentsys.core.settings import Settings
    from agentsys.paper import Paper
    from agentsys.report.claims import ClaimRow
    from agentsys.report.evaluate.result import Evaluation
    from agentsys.run.reproduce import Reproduced

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """What a progress callback is given; as text one plain line, so that `progress=print` shows a run."""

    event: Event
    """As docs/run-directory.md describes it: `type`, `stage`, `round`, `data` ..."""

    def __str__(self) -> str:
        from agentsys.report.describe import describe

        return f"{self.event.get('stage', '')!s:<9} {describe(self.event)}".strip()


OnProgress = Callable[[Progress], object]


class Both(Generic[P, T]):
    """A function in two forms: called it waits for its result, `.aio` is awaited.

    The first works in a running event loop as well, such as a notebook's: the work has a loop and a thread of its own.
    Ctrl-C (or a notebook's stop button) brings the work to a safe end first.
    """

    def __init__(self, work: Callable[P, Coroutine[Any, Any, T]]) -> None:
        self._work = work
        update_wrapper(self, work)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return _wait_for(lambda: self._work(*args, **kwargs))

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        """Do the same in the caller's event loop; cancelling it brings the work to a safe end."""
        return self._work(*args, **kwargs)


def _wait_for(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    loop = asyncio.new_event_loop()
    task = loop.create_task(make())
    # An interrupted `Thread.join` takes the thread for ended (Python 3.11), so that it cannot be waited for again.
    ended = threading.Event()
    threading.Thread(target=_turn, args=(loop, task, ended), name="agentsys", daemon=True).start()
    try:
        ended.wait()
    except KeyboardInterrupt:
        with suppress(RuntimeError):  # the loop is closed: the work ended just now
            loop.call_soon_threadsafe(task.cancel, "SIGINT")
        ended.wait()
        raise
    return task.result()


def _turn(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], ended: threading.Event) -> None:
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_ended(task))
    finally:
        ended.set()


async def _ended(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])


class Run:
    """A run, read from its directory: what it is, what came of it, and how it goes on."""

    def __init__(self, folder: RunDir) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"<agentsys.Run {self.id}: {self.status}>"

    @property
    def id(self) -> str:
        """The name that every command takes."""
        return self.path.name

    @property
    def path(self) -> Path:
        """The run directory (docs/run-directory.md)."""
        return self._folder.path

    @property
    def repo(self) -> Path:
        """The delivered repository; it may not be there yet."""
        return self._folder.repo

    @property
    def record(self) -> RunRecord:
        """What `run.json` holds now: status, reason, hint, usage, seconds ..."""
        return self._folder.state()

    @property
    def status(self) -> str:
        """As in docs/exit-codes.md, or `running`; `verified` only with its evidence on disk."""
        from agentsys.report.data import collect
        from agentsys.report.verdict import effective_status

        return effective_status(collect(self._folder))

    @property
    def verified(self) -> bool:
        """True where every check passed, and again in a new sandbox."""
        return self.status == "verified"

    def claims(self) -> tuple[ClaimRow, ...]:
        """Return the paper's claims with their verdicts; none where the run has no contracts."""
        from agentsys.report.claim_reading import read_claims
        from agentsys.report.reading import Problems

        return read_claims(self._folder, Problems())

    def report(self, form: Literal["text", "md", "html"] = "text") -> str:
        """Return the report made anew from the files of the run."""
        from agentsys.report.data import collect
        from agentsys.report.markdown import markdown
        from agentsys.report.pages import html
        from agentsys.report.summary import summary

        make = {"text": summary, "md": markdown, "html": html}[form]
        return make(collect(self._folder))

    def events(self) -> Iterator[Progress]:
        """Yield what has happened so far, oldest first."""
        import json

        if self._folder.events_file.is_file():
            for line in self._folder.events_file.read_text(encoding="utf-8").splitlines():
                yield Progress(json.loads(line))

    def resume(self, *, progress: OnProgress | None = None, password: str = "", **settings: object) -> Run:
        """Go on where the run stopped; see `implement` for the arguments. `resume_async` is awaited.

        Raises: UsageError where it is under way elsewhere or verified already, and what `implement` raises.
        """
        return _wait_for(lambda: self.resume_async(progress=progress, password=password, **settings))

    async def resume_async(self, *, progress: OnProgress | None = None, password: str = "", **settings: object) -> Run:
        """Do what `resume` does in the caller's event loop."""
        from agentsys.run import pipeline

        if self.record.status == "verified":
            raise UsageError(f"run `{self.id}` is verified; there is nothing to resume", "start a new run for new work")
        chosen, _ = resume_settings(self._folder.state(), flags=settings)
        chosen = chosen.model_copy(update={"runs_dir": self.path.parent})
        await _check(chosen)
        await pipeline.resume(self._folder, chosen, subscribers=_subscribers(progress), password=password)
        return self


@Both
async def read_paper(paper: str | Path, *, password: str = "", **settings: object) -> Paper:
    """Read a paper: a file (.pdf, .tex, .tar.gz, .html, .md, .txt), an arXiv number, or an address. No model is asked.

    Args:
        password: opens an encrypted PDF.
        settings: any of docs/configuration.md by name, such as `reader`, `ocr`, `source`, `max_pages`, `offline`.

    Returns: title, sections, equations, tables, figures, `warnings`, `doubts` ...
    Raises: PaperError, UsageError.
    """
    from agentsys.run.pipeline import read_as_set

    chosen, _ = load_settings(flags=settings)
    file, chosen = await _local(paper, chosen)
    return await read_as_set(file, chosen, password)


@Both
async def implement(
    paper: str | Path,
    *,
    request: str = "",
    claims: Sequence[str] = (),
    progress: OnProgress | None = None,
    password: str = "",
    sure: bool = False,
    **settings: object,
) -> Run:
    """Turn a paper into a repository that was run, repaired and replayed in a sandbox.

    Args:
        paper: a file, an arXiv number, or an address.
        request: what matters to you, in your own words.
        claims: claims to settle instead of the paper's own.
        progress: called with every event, from the thread of the work; `print` will do.
        password: opens an encrypted PDF; never stored.
        sure: go on although the file does not look like a paper.
        settings: any of docs/configuration.md by name: `model`, `budget` (US dollars), `max_rounds`, `time_limit`
            (seconds), `runs_dir`, `backend`, `replay` ...; files and environment are read as on the command line.

    Returns: the run, whatever its status: `verified` is one of several.
    Raises: DoubtfulPaper, PaperError, UsageError, PrerequisiteError (no model, no key) before a run exists.
    """
    from agentsys.run import pipeline

    chosen, sources = load_settings(flags=settings)
    await _check(chosen)
    file, chosen = await _local(paper, chosen)
    done = await pipeline.implement(
        file,
        chosen,
        request=request,
        claims=claims,
        sources=sources,
        subscribers=_subscribers(progress),
        password=password,
        sure=sure or chosen.stop_after == "read",
    )
    return Run(done.run)


def open_run(run: str | Path = "latest", *, runs_dir: str | Path | None = None) -> Run:
    """Return a run that is there: by id, unique part of an id, path, or the latest one.

    Raises: UsageError where none or more than one fits.
    """
    return Run(find(Path(runs_dir) if runs_dir is not None else load_settings()[0].runs_dir, str(run)))


@Both
async def reproduce(
    run: Run | str | Path,
    *,
    profile: Literal["full", "smoke"] = "full",
    data_dir: str | Path | None = None,
    timeout: float = 86400.0,
    on_output: Callable[[Literal["stdout", "stderr"], bytes], None] | None = None,
    **settings: object,
) -> Reproduced:
    """Run a profile of a run's repository in the sandbox and compare its results with the paper's.

    Args:
        data_dir: folder whose files the run finds under `data/`; without, the full profile finds what was fetched.
        timeout: seconds of the run.
        on_output: called with each piece that the running program writes.
        settings: such as `memory_mb` (MiB), `cpus`, `backend`.

    Returns: the record (`record.passed`), the rows of the comparison, and the folder with logs and results.
    Raises: UsageError (no repository), BlockedError (the audit does not allow it), SandboxUnavailable,
        PrerequisiteError where the full profile needs data that is not here.
    """
    from agentsys.run.reproduce import Order
    from agentsys.run.reproduce import reproduce as work

    chosen = run if isinstance(run, Run) else open_run(run)
    folder = RunDir(chosen.path)
    stored, _ = reproduction_settings(folder.state(), flags={**settings, "data_dir": _path(data_dir)})
    return await work(folder, stored, Order(profile, timeout, on_output=on_output))


@Both
async def evaluate(
    repo: str | Path,
    paper: str | Path,
    *,
    judge: str = "",
    rubric: str | Path | None = None,
    gold: str | Path | None = None,
    samples: int = 3,
    mutants: int = 20,
    static: bool = False,
    out: str | Path | None = None,
    progress: OnProgress | None = None,
    **settings: object,
) -> Evaluation:
    """Score any repository as an implementation of a paper: measured in the sandbox, and by a judge if you name one.

    Args:
        judge: model that judges; none by default, and nothing is spent.
        rubric: JSON file in PaperBench's form.
        gold: the authors' own repository.
        samples: judgements whose mean is a score.
        mutants: most faults planted.
        static: run nothing.
        out: folder of the evaluation; by default one in the working folder, named after the repository.

    Returns: `measured.total` (points of 100), its parts, and the judge's scores.
    Raises: UsageError, PaperError, PrerequisiteError, SandboxUnavailable, ProviderError, LimitReached.
    """
    from agentsys.run.evaluation import Asked
    from agentsys.run.evaluation import evaluate as carry_out

    chosen, _ = load_settings(flags=settings)
    chosen = chosen.model_copy(update={"model": judge, "agent_models": {}})
    asked = Asked(
        Path(repo),
        Path(paper),
        rubric=_path(rubric),
        gold=_path(gold),
        judged=bool(judge) or settings.get("replay") is not None,
        samples=samples,
        mutants=mutants,
        static=static,
        out=_path(out),
    )
    return await carry_out(asked, chosen, _subscribers(progress))


def _path(name: str | Path | None) -> Path | None:
    return None if name is None else Path(name)


async def _local(paper: str | Path, settings: Settings) -> tuple[Path, Settings]:
    from agentsys.paper.remote.library import local_paper

    found = await asyncio.to_thread(
        local_paper, str(paper), arxiv=settings.arxiv_url, offline=settings.offline, say=_silent
    )
    return found.paper, settings.model_copy(update={"source": settings.source or found.source})


def _silent(_text: str) -> None:
    return None


async def _check(settings: Settings) -> None:
    from agentsys.cli.running import check_prerequisites

    await asyncio.to_thread(check_prerequisites, settings)


def _subscribers(progress: OnProgress | None) -> tuple[Subscriber, ...]:
    if progress is None:
        return ()

    def tell(event: Mapping[str, object]) -> None:
        progress(Progress(event))

    return (tell,)
