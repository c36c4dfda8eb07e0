"""Slurm, by submitit: an array of tasks, each a batch job. Source: Slurm's manual pages of sbatch, squeue, scontrol.

States come from `squeue`, which every cluster has; `sacct` needs a database. What Slurm no longer knows has ended: it
forgets a job `MinJobAge` seconds after its end. A node that fails, or a preemption, has Slurm put the task back into
the queue; before its time limit a task is told by a signal, and puts itself back.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from agentsys.core.errors import PrerequisiteError
from agentsys.core.text import clean_line
from agentsys.run.jobs.engine import Need, Seen, TaskState
from agentsys.run.jobs.submitting import submit_by

OWN_MEMORY_MB = 512
"""What our process needs beside the sandbox."""
NOTICE_SIGNAL = "URG"
"""Slurm sends it to every process of a task; those of the sandbox are not ended by this one, unless they ask for it."""
NOTICE = 90
"""Seconds before the end at which a task is told; a third of its time where that is less."""
_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
_RUNNING = {"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "SUSPENDED", "STOPPED", "RESIZING"}
_PATIENCE = 60
"""Seconds that a command of Slurm may take."""
_FORGOTTEN = "Invalid job id"
_OPTION = re.compile(r"[a-z][a-z0-9-]*")
_PASSED = (
    "PATH,HOME,USER,LOGNAME,SHELL,LANG,LC_ALL,TMPDIR,LD_LIBRARY_PATH,VIRTUAL_ENV,PYTHONPATH,AGENTSYS_CACHE_DIR,"
    "XDG_CACHE_HOME,XDG_RUNTIME_DIR,SLURM_CONF"
)
"""What a task sees of the environment; no keys among it."""


class SlurmEngine:
    """The cluster that `sbatch` on this machine leads to."""

    offline = True
    puts_back = True

    def submit(self, folder: Path, name: str, submission: int, tasks: int, need: Need) -> tuple[str, ...]:
        """Submit an array; a task is told of its end NOTICE seconds before. Raises: PrerequisiteError."""
        if not shutil.which("sbatch"):
            raise PrerequisiteError("there is no `sbatch` here", "run this on a login node of the cluster")
        minutes = max(1, round(need.seconds / 60))
        own = {"export": _PASSED, "requeue": True, "signal": f"{NOTICE_SIGNAL}@{min(NOTICE, minutes * 20)}"}
        options: dict[str, object] = {
            "job_name": name,
            "time": minutes,
            "cpus_per_task": math.ceil(need.cpus),
            "mem": f"{need.memory_mb + OWN_MEMORY_MB}MB",
            "array_parallelism": tasks,
            "srun_args": ["--export=ALL"],  # of the job's own, short environment: submitit adds to it in the script
            "additional_parameters": {**own, **_checked(need.asked)},
        }
        if need.partition:
            options["partition"] = need.partition
        if need.gpus:
            options["gres"] = f"gpu:{need.gpus}"
        return submit_by("slurm", folder / "slurm", options, folder, submission, tasks)

    def find(self, name: str) -> tuple[str, ...]:
        """Ask for a submission by its name."""
        said = _ask("squeue", "-h", "-r", "-t", "all", "--name", name, "-o", "%i")
        return tuple(sorted(said.split(), key=_task))

    def states(self, ids: Sequence[str]) -> tuple[Seen, ...]:
        """Ask the controller, once for all; where it does not answer nothing is known."""
        jobs = ",".join(dict.fromkeys(each.partition("_")[0] for each in ids))
        try:
            said = _ask("squeue", "-h", "-r", "-t", "all", "-j", jobs, "-o", "%i|%T")
        except PrerequisiteError as error:
            if _FORGOTTEN not in error.message:
                return tuple(Seen("unknown", error.message) for _ in ids)
            said = ""
        found = dict(line.strip().split("|", 1) for line in said.splitlines() if "|" in line)
        return tuple(_seen(found.get(each, "")) for each in ids)

    def cancel(self, ids: Sequence[str]) -> None:
        """Take the tasks out of the queue; Slurm ends what runs, after `KillWait` seconds by force."""
        seen = self.states(ids)
        if left := [one for one, state in zip(ids, seen, strict=True) if state.state in ("waiting", "running")]:
            _ask("scancel", *left)
        if any(state.state == "unknown" for state in seen):
            raise PrerequisiteError("Slurm does not answer, so that nothing was cancelled", "try again when it does")

    def own_id(self) -> str:
        """Return the id of the task, or of the job where there is one task alone."""
        array = os.environ.get("SLURM_ARRAY_JOB_ID", "")
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID", "?")

    def again(self) -> bool:
        """Put the task back into the queue, which ends it here."""
        _ask("scontrol", "requeue", self.own_id())
        return True


def _seen(word: str) -> Seen:
    state: TaskState = "waiting" if word in _WAITING else "running" if word in _RUNNING else "ended"
    return Seen(state, word or "Slurm no longer knows it")


def _task(identity: str) -> tuple[int, ...]:
    return tuple(int(part) for part in identity.split("_"))


def _checked(asked: dict[str, str]) -> dict[str, str]:
    for name, value in asked.items():
        if not _OPTION.fullmatch(name) or not value.isprintable() or name in ("array", "output", "error", "export"):
            raise PrerequisiteError(f"`{clean_line(name, 60)}` cannot be asked of Slurm", "see `man sbatch`")
    return asked


def _ask(*argv: str) -> str:
    """Raises: PrerequisiteError with what Slurm said."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PrerequisiteError(f"`{argv[0]}` failed: {error}", "see whether Slurm answers: `sinfo`") from error
    if done.returncode:
        raise PrerequisiteError(
            f"`{argv[0]}` failed: {clean_line(done.stderr, 300)}", "see whether Slurm answers: `sinfo`"
        )
    return done.stdout
