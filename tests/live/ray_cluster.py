"""Ray nodes in network namespaces of their own, joined by a switch in another one: several machines on one.

Nothing of this machine's own network is touched, and no packet leaves it.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

NET = "10.231.0"
PORT = 6399
CLONE_NEWNET = 0x40000000


class Unusable(Exception):
    """Namespaces cannot be made here."""


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unusable(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Cluster:
    """A head with one processor, and other nodes with one each.

    Args:
        folder: for logs.
        env: what programs on the nodes find in their environment.
    """

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder = folder
        self.mark = f"as{os.getpid() % 100000:x}"
        self.names = [f"{self.mark}n{number}" for number in range(nodes)]
        self.switch = f"{self.mark}s"
        self.env = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", "HOME": str(folder)}
        self.env["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        # Short names: sockets of Ray have paths of at most 107 bytes.
        self.temp = Path(f"/tmp/{self.mark}")
        self.address = f"{NET}.1:{PORT}"

    def __enter__(self) -> Self:
        if shutil.which("ip") is None or os.geteuid():
            raise Unusable("network namespaces need root and iproute2")
        try:
            self._wire()
        except Unusable:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in (*self.names, self.switch):
            for pid in self.pids(name):
                _kill(pid)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        shutil.rmtree(self.temp, ignore_errors=True)

    def _wire(self) -> None:
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "add", "name", "sw0", "type", "bridge")
        ip("-n", self.switch, "addr", "add", f"{NET}.254/24", "dev", "sw0")
        ip("-n", self.switch, "link", "set", "sw0", "up")
        for number, name in enumerate(self.names):
            ip("netns", "add", name)
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"v{number}", "netns", self.switch)
            ip("-n", self.switch, "link", "set", f"v{number}", "master", "sw0", "up")
            ip("-n", name, "addr", "add", f"{NET}.{number + 1}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                ip("-n", name, "link", "set", device, "up")

    def listener(self) -> socket.socket:
        """Return a listening socket at the switch's address, which every node reaches."""
        made: list[socket.socket] = []

        def listen() -> None:
            with Path(f"/run/netns/{self.switch}").open() as namespace:  # for this thread alone
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                    return
            made.append(socket.create_server((f"{NET}.254", 0), backlog=256))

        thread = threading.Thread(target=listen)
        thread.start()
        thread.join()
        if not made:
            raise Unusable("a thread may not enter a network namespace")
        return made[0]

    def command(self, number: int, *words: str) -> list[str]:
        """Return the command that runs a program on a node, with the node's name for the host."""
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', f"node{number}", *words]
        return ["ip", "netns", "exec", self.names[number], *named]

    def start(self, number: int) -> subprocess.Popen[bytes]:
        """Start Ray on a node."""
        head = ["--head", f"--port={PORT}", f"--temp-dir={self.temp}", "--include-dashboard=false"]
        where = [f"--address={self.address}"] if number else head
        words = [sys.executable, "-m", "ray.scripts.scripts", "start", *where, f"--node-ip-address={NET}.{number + 1}"]
        words += ["--num-cpus=1", "--object-store-memory=100000000", "--include-log-monitor=false"]
        words += ["--disable-usage-stats", "--block"]
        with (self.folder / f"node{number}.log").open("wb") as log:
            return subprocess.Popen(
                self.command(number, *words), env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_first,
            )  # fmt: skip

    def up(self, number: int) -> None:
        """Start Ray on a node, and wait until it says that it runs; again where the machine was too busy for it.

        Raises: Unusable: Ray itself gives up where one of its processes is not there within 15 seconds.
        """
        log = self.folder / f"node{number}.log"
        for _ in range(3):
            process = self.start(number)
            while process.poll() is None and b"Ray runtime started" not in log.read_bytes():
                time.sleep(0.1)
            if process.poll() is None:
                for pid in self.pids(self.names[number]):
                    _as_others(pid)
                return
            self.kill(number)
        raise Unusable(f"Ray did not start on a node: {log.read_text()[-500:]}")

    def pids(self, name: str) -> list[int]:
        """Return the processes of a namespace."""
        found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def kill(self, number: int) -> None:
        """Take a machine away: every process on it dies at once."""
        while pids := self.pids(self.names[number]):
            for pid in pids:
                _kill(pid)


def _first() -> None:
    """Have this process go before all others: Ray waits 15 seconds for each of its own, on a busy machine too."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _as_others(pid: int) -> None:
    """End that for a process with its threads: nothing of what runs on the node is to go before others."""
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
        except ProcessLookupError:
            continue


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
