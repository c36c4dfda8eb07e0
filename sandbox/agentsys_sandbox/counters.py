"""Counters of the kernel for one container, read from inside: killed for memory, refused for processes, CPU time."""

from __future__ import annotations

from dataclasses import dataclass

_FILES = {
    "/sys/fs/cgroup/memory/memory.oom_control": "oom",  # cgroup v1
    "/sys/fs/cgroup/memory.events": "oom",  # cgroup v2
    "/sys/fs/cgroup/pids/pids.events": "pids",
    "/sys/fs/cgroup/pids.events": "pids",
    "/sys/fs/cgroup/cpu.stat": "cpu",
}
_NANOSECONDS = "/sys/fs/cgroup/cpuacct/cpuacct.usage"  # cgroup v1: a number without a name
_DONE = "done"
_READ = (
    "for f in "
    + " ".join((*_FILES, _NANOSECONDS))
    + '; do if [ -r "$f" ]; then while read -r k v; do echo "$f $k $v"; done < "$f"; fi; done; '
    f"echo {_DONE}"
)
READ = ("/bin/sh", "-c", _READ)
"""Prints the counters with shell builtins only: it needs no further process, which may be refused."""
SWEEP = ("/bin/sh", "-c", f"kill -s KILL -- -1; {_READ}")
"""Ends every process of the same user but itself, then prints the counters."""


@dataclass(frozen=True)
class Counters:
    """Totals since the container started."""

    oom_kills: int = 0
    pids_refused: int = 0
    cpu: float | None = None
    """Seconds that all processes used together; None where the kernel does not say."""

    def since(self, before: Counters) -> Counters:
        """What was added since an earlier reading."""
        cpu = None if self.cpu is None else max(self.cpu - (before.cpu or 0.0), 0.0)
        return Counters(self.oom_kills - before.oom_kills, self.pids_refused - before.pids_refused, cpu)


def parse(output: bytes) -> Counters | None:
    """Read what `READ` or `SWEEP` printed; None where it did not come to its end.

    A counter that the kernel does not have stays at zero; that it is missing was said when the sandbox was opened.
    """
    lines = output.decode("ascii", "replace").split("\n")
    if _DONE not in lines:
        return None
    found: dict[tuple[str, str], int] = {}
    cpu: float | None = None
    for line in lines:
        name, _, rest = line.partition(" ")
        key, _, value = rest.partition(" ")
        if name in _FILES and value.isdigit():
            found[_FILES[name], key] = int(value)
        elif name == _NANOSECONDS and key.isdigit():
            cpu = int(key) / 1e9
    if ("cpu", "usage_usec") in found:
        cpu = found["cpu", "usage_usec"] / 1e6
    return Counters(found.get(("oom", "oom_kill"), 0), found.get(("pids", "max"), 0), cpu)
