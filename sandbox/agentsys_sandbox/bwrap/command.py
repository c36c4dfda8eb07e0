"""The command line of bubblewrap: what is mounted, unshared and bounded. Source: bwrap(1)."""

from __future__ import annotations

import resource
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsys_sandbox.bwrap.cgroup import OVERHEAD
from agentsys_sandbox.bwrap.identity import PATH, Identity, tasks_of
from agentsys_sandbox.errors import Unavailable
from agentsys_sandbox.image.rootfs import UID
from agentsys_sandbox.paths import DATA, INSTRUMENTS, VENV, WORK
from agentsys_sandbox.spec import Limits

CPU_FACTS = "/sys/devices/system/cpu"
"""Read-only facts about the processors, which numeric libraries read when they start."""
# Prints the mark only if the shell cannot become the program. The mark is new each time and comes as the first line of
# the input: on a command line the program could read it, and pretend never to have been there.
_LAUNCH = (
    "unset agentsys_mark; read -r agentsys_mark; command -v shopt >/dev/null && shopt -s execfail; "
    'trap \'printf "\\n%s" "$agentsys_mark" >&2\' EXIT; cd -- "$1" || exit 126; shift; exec "$@"'
)


@dataclass(frozen=True)
class Bubblewrap:
    """The installed bubblewrap and what it can do."""

    path: str
    version: str
    options: frozenset[str]

    @classmethod
    def find(cls) -> Bubblewrap:
        """Look for it. Raises: Unavailable where it is absent, or too old for what a sandbox needs."""
        path, prlimit = shutil.which("bwrap", path=PATH), shutil.which("prlimit", path=PATH)
        if path is None or prlimit is None:
            name, package = ("bwrap", "bubblewrap") if path is None else ("prlimit", "util-linux")
            raise Unavailable(f"`{name}` is not installed", f"install the package `{package}`")
        text = _output([path, "--help"])
        options = frozenset(word for word in text.split() if word.startswith("--"))
        version = _output([path, "--version"]).removeprefix("bubblewrap").strip()
        missing = {"--size", "--perms", "--json-status-fd", "--die-with-parent", "--new-session"} - options
        if missing:
            raise Unavailable(
                f"bubblewrap {version} lacks {', '.join(f'`{each}`' for each in sorted(missing))}",
                "install bubblewrap 0.7 or newer",
            )
        return cls(path, version, options)


@dataclass(frozen=True)
class Layout:
    """What one sandbox is made of on the host."""

    rootfs: Path
    work: Path
    venv: Path
    """The environment; read-only inside."""
    instruments: Path
    """What the code can read only, and is not its own."""
    limits: Limits
    identity: Identity
    data: Path | None = None
    """Data that the code can read only."""


@dataclass(frozen=True)
class Launch:
    """A complete command, and the mark that its standard error ends with if the program could not be started."""

    argv: list[str]
    mark: bytes

    @property
    def mark_line(self) -> bytes:
        """What has to stand before the program's input."""
        return self.mark.strip() + b"\n"


def launch(
    bubblewrap: Bubblewrap,
    layout: Layout,
    argv: Sequence[str],
    cwd: str,
    environment: Mapping[str, str],
    *,
    enter: Sequence[str] = (),
    status_fd: int,
    seccomp_fd: int | None = None,
) -> Launch:
    """Compose the command: into the control group, to the other uid, under the limits, then bubblewrap, the program."""
    mark = secrets.token_hex(16)
    command = [*enter, *layout.identity.prefix, *_prlimit(layout), bubblewrap.path]
    command += ["--json-status-fd", str(status_fd)]
    command += ["--seccomp", str(seccomp_fd)] if seccomp_fd is not None else []
    command += [*_namespaces(bubblewrap), *_mounts(layout), "--clearenv"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    command += ["--chdir", "/", "--", "/bin/sh", "-c", _LAUNCH, "sh", cwd, *argv]
    return Launch(command, f"\n{mark}".encode())


def try_out(bubblewrap: Bubblewrap, identity: Identity) -> str:
    """Run a program in all of the namespaces; what bubblewrap says where that fails, otherwise empty. Blocks."""
    argv = [*identity.prefix, bubblewrap.path, *_namespaces(bubblewrap), "--ro-bind", "/", "/", "--", "/bin/true"]
    try:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=20, cwd="/", env={"PATH": PATH})
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = " ".join(done.stderr.decode(errors="replace").split())[-300:]
    return "" if done.returncode == 0 else said or f"exit code {done.returncode}"


def _namespaces(bubblewrap: Bubblewrap) -> list[str]:
    names = ["user", "ipc", "pid", "net", "uts"]
    found = [f"--unshare-{name}" for name in names] + ["--unshare-cgroup-try"]
    found += ["--uid", str(UID), "--gid", str(UID), "--hostname", "sandbox"]
    found += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    return found + (["--disable-userns"] if "--disable-userns" in bubblewrap.options else [])


def _mounts(layout: Layout) -> list[str]:
    limits = layout.limits
    found = ["--ro-bind", str(layout.rootfs), "/", "--proc", "/proc", "--dev", "/dev"]
    # The owner of a namespace may set what the kernel keeps for each namespace, such as the limits of shared memory.
    found += ["--ro-bind", "/proc/sys", "/proc/sys"]
    found += ["--perms", "1777", "--size", str(limits.shm), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    found += ["--ro-bind-try", CPU_FACTS, CPU_FACTS]
    found += ["--perms", "1777", "--size", str(limits.tmp), "--tmpfs", "/tmp"]
    found += ["--bind", str(layout.work), WORK, "--ro-bind", str(layout.venv), VENV]
    found += ["--ro-bind", str(layout.data), DATA] if layout.data is not None else []
    return [*found, "--ro-bind", str(layout.instruments), INSTRUMENTS]


def _prlimit(layout: Layout) -> list[str]:
    limits = layout.limits
    # The limit counts everything that runs under the uid, on the whole machine.
    processes = tasks_of(layout.identity.uid) + limits.pids + OVERHEAD
    wanted = {"core": 0, "nofile": limits.open_files, "fsize": limits.disk, "nproc": processes}
    numbers = {
        "core": resource.RLIMIT_CORE,
        "nofile": resource.RLIMIT_NOFILE,
        "fsize": resource.RLIMIT_FSIZE,
        "nproc": resource.RLIMIT_NPROC,
    }
    found = ["prlimit"]
    for name, value in wanted.items():
        hard = resource.getrlimit(numbers[name])[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        found.append(f"--{name}={most}:{most}")
    return [*found, "--"]


def _output(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10, env={"LC_ALL": "C"})
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"`{argv[0]}` cannot be run: {error}") from error
    return done.stdout
