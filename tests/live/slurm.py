"""A Slurm cluster of one node for the tests: munge, controller and node, in a folder and on ports of their own."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DEADLINE = 300.0
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=20
KillWait=2
MessageTimeout=10
BatchStartTimeout=300
MinJobAge=300
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory={memory} State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
"""


def absent() -> str:
    """Why there can be no cluster here; empty where there can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Cluster:
    """One controller and one node; `environment` leads Slurm's commands to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().partition(".")[0]
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": _PATH}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("state", "spool"):
            (folder / name).mkdir()
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        text = _CONF.format(
            host=self.host,
            controller=_free_port(),
            node=_free_port(),
            user=getpass.getuser(),
            folder=folder,
            memory=memory - 500,
        )
        (folder / "slurm.conf").write_text(text)
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)

    def start(self) -> None:
        """Start everything, and wait until the node is idle."""
        files = [f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
        self._start("munged", "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", *files)
        self.until(lambda: (self.folder / "munge.socket").exists(), "munge")
        self.start_controller()
        self.start_node()

    def start_controller(self) -> None:
        self._start("slurmctld", "slurmctld", "-D", "-f", f"{self.folder}/slurm.conf")
        self.until(lambda: self.ask("scontrol", "ping").returncode == 0, "the controller")

    def start_node(self) -> None:
        self._start("slurmd", "slurmd", "-D", "-f", f"{self.folder}/slurm.conf")
        self.until(lambda: self.node_state() in ("idle", "mixed", "allocated"), "the node")

    def stop_controller(self) -> None:
        """Have it end in order: it saves its state."""
        self._stop("slurmctld", signal.SIGTERM)

    def kill_node(self) -> None:
        """Kill everything of the node at once, as when its power goes, and wait until the controller sees it."""
        for pid in (*self.node_processes(), self._processes["slurmd"].pid):
            _kill(pid)
        self._processes.pop("slurmd").wait()
        self.until(lambda: self.node_state() == "down", "the end of the node")

    def node_processes(self) -> list[int]:
        """Return the processes of jobs: Slurm's own for each step, and what they started."""
        steps = [pid for pid, words in _commands().items() if words.startswith("slurmstepd:") or "/spool/" in words]
        return [*steps, *(each for pid in steps for each in descendants(pid))]

    def node_state(self) -> str:
        """Return the node's state, which Slurm says once for each partition."""
        said = self.ask("sinfo", "-h", "-N", "-p", "main", "-o", "%T").stdout
        return said.strip().rstrip("*")

    def jobs(self) -> dict[str, str]:
        """Return the state of every job that is known."""
        said = self.ask("squeue", "-h", "-r", "-t", "all", "-o", "%i %T").stdout
        return dict(line.split() for line in said.splitlines())

    def ask(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(argv, capture_output=True, text=True, check=False, env=self.environment, timeout=30)

    def until(self, reached: Callable[[], bool], what: str, patience: float = DEADLINE) -> None:
        """Wait for something; it is an error if it does not come."""
        end = time.monotonic() + patience
        while not reached():
            assert time.monotonic() < end, f"{what} did not come: {self.said()}"
            time.sleep(0.1)

    def said(self) -> str:
        """Return the end of every log."""
        return "\n".join(f"{file.name}: {file.read_text()[-1500:]}" for file in self.folder.glob("*.out"))

    def stop(self) -> None:
        for pid in self.node_processes():
            _kill(pid)
        for name in ("slurmd", "slurmctld", "munged"):
            if name in self._processes:
                self._stop(name, signal.SIGTERM)

    def _start(self, name: str, *argv: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            self._processes[name] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment
            )

    def _stop(self, name: str, number: int) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def descendants(pid: int) -> list[int]:
    """Return the processes below one."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(file.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(file.parent.name))
    found, open_ = list[int](), [pid]
    while open_:
        below = children.get(open_.pop(), [])
        found += below
        open_ += below
    return found


def naming(words: str) -> Sequence[int]:
    """Return the processes whose command line has these words."""
    return [pid for pid, line in _commands().items() if words in line and pid != os.getpid()]


def _commands() -> dict[int, str]:
    found: dict[int, str] = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(file.parent.name)] = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])
