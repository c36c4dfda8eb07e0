"""The environment variables that a program in a sandbox sees: a fixed list, nothing of the host."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from agentsys_sandbox.errors import SandboxError
from agentsys_sandbox.paths import VENV

IMAGE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Search path where the image names none."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def base_environment(cpus: float, path: str = IMAGE_PATH) -> dict[str, str]:
    """Variables of every program.

    Numeric libraries take the machine's core count as number of threads, because a CPU quota is not visible inside:
    the thread variables say what may be used.
    """
    threads = str(max(1, math.ceil(cpus)))
    return {
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PATH": path,
        "PYTHONUNBUFFERED": "1",
        "TERM": "dumb",
        "TMPDIR": "/tmp",
        **{f"{name}_NUM_THREADS": threads for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "BLIS")},
    }


def run_environment(cpus: float, path: str = IMAGE_PATH, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables of the run phase: the project's environment first on the search path, then the caller's.

    Raises: SandboxError where a name or value of `extra` cannot be an environment variable.
    """
    found = base_environment(cpus, f"{VENV}/bin:{path}")
    found["VIRTUAL_ENV"] = VENV
    found["MPLBACKEND"] = "Agg"  # no display here: plots go to files
    for name, value in (extra or {}).items():
        if not _NAME.match(name) or "\0" in value:
            raise SandboxError(f"`{name!r}` cannot be set as an environment variable")
        found[name] = value
    return found
