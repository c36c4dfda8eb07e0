"""Handing tasks to submitit, whose import is not cheap and whose pickles hold a function's name and plain arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentsys.core.errors import PrerequisiteError
from agentsys.core.text import clean_line
from agentsys.run.jobs.engine import missing_extra
from agentsys.run.jobs.work import work

_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TMPDIR|TZ|LD_LIBRARY_PATH|VIRTUAL_ENV|PYTHON\w+|XDG_\w+|SLURM_\w+"
    r"|DOCKER_\w+|CONTAINER_HOST|AGENTSYS_CACHE_DIR|SSL_CERT_\w+|UV_\w+|PIP_\w+|(?i:\w+_proxy)"
)
"""What a task of this machine sees of the environment: no keys of models. Slurm is told its own, shorter list."""


def submit_by(
    kind: str, kept: Path, options: Mapping[str, object], folder: Path, submission: int, tasks: int
) -> tuple[str, ...]:
    """Submit `work(folder, submission, task)` for each task.

    Args:
        kind: of submitit's executors.
        kept: folder of submitit's scripts, pickles and logs.

    Returns: submitit's ids.
    Raises: PrerequisiteError where submitit is not installed, or the submission was refused.
    """
    try:
        import submitit
    except ImportError as error:
        raise missing_extra(error) from error
    kept.mkdir(parents=True, exist_ok=True)
    try:
        executor: Any = submitit.SlurmExecutor(kept) if kind == "slurm" else submitit.LocalExecutor(kept)
        executor.update_parameters(**options)
        numbers = range(tasks)
        with without_secrets():
            if tasks == 1:
                return (str(executor.submit(work, str(folder), submission, 0).job_id),)
            jobs = executor.map_array(work, [str(folder)] * tasks, [submission] * tasks, list(numbers))
    except (RuntimeError, ValueError, OSError) as error:  # submitit's own are RuntimeErrors
        raise PrerequisiteError(f"the job was refused: {clean_line(error, 400)}", "ask for something else") from error
    return tuple(str(job.job_id) for job in jobs)


@contextmanager
def without_secrets() -> Generator[None]:
    """What is started here inherits an environment without keys of models."""
    before = dict(os.environ)
    for name in before:
        if not _PASSED.fullmatch(name):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)
