"""Looks at its own confinement from inside a sandbox and prints what it sees as JSON.

Runs as a program of its own with the sandbox's Python; standard library only. Every attempt is harmless where it
succeeds: nothing is sent, sockets are closed at once.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import resource
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

# Numbers of the same calls on the two architectures (kernel: syscall_64.tbl, asm-generic/unistd.h).
CALLS = {
    "x86_64": {"keyctl": 250, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425},
    "aarch64": {"keyctl": 219, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425},
}
ARGUMENTS = {
    "keyctl": (0, -2, 0),  # KEYCTL_GET_KEYRING_ID of the process keyring, without making one
    "bpf": (0, 0, 0),
    "perf_event_open": (0, 0, -1, -1, 0),
    "userfaultfd": (0,),
    "io_uring_setup": (1, 0),
}
# Address family, socket type and protocol that the kernel has, where nothing forbids it; netlink: netfilter.
FAMILIES = {"netlink": (16, 3, 12), "packet": (17, 3, 0), "alg": (38, 5, 0), "vsock": (40, 1, 0)}
CLONE_NEWUSER = 0x10000000
SIOCGIFFLAGS, IFF_UP = 0x8913, 1  # netdevice(7)
CGROUP = {
    "memory": ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"),
    "swap": ("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "/sys/fs/cgroup/memory.swap.max"),
    "oom": ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events"),
    "pids": ("/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max"),
    "cpu_quota": ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us",),
    "cpu_period": ("/sys/fs/cgroup/cpu/cpu.cfs_period_us",),
    "cpu": ("/sys/fs/cgroup/cpu.max",),
}
SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock")


def error_of(attempt: Callable[[], object]) -> str:
    """The name of the error that an attempt ends with; empty where it succeeds."""
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "unknown")
    return ""


def syscall(number: int, *arguments: int) -> None:
    """Make a system call. Raises: OSError."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    result = call(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if number in (323, 282, 425):  # these return a file descriptor
        os.close(result)


def unshare_user() -> None:
    """Try to enter a user namespace of its own. Raises: OSError."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def first(paths: tuple[str, ...]) -> str:
    """The first of these files that can be read, stripped; empty where there is none."""
    for path in paths:
        try:
            return Path(path).read_text().strip()
        except OSError:
            continue
    return ""


def write_to(path: str) -> Callable[[], None]:
    """An attempt to open a file for writing; nothing is written."""
    return lambda: os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def status() -> dict[str, str]:
    """Fields of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def interfaces() -> list[str]:
    """Names of the network interfaces that are up; kernels with tunnels make some that are down in every namespace."""
    names = [line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return sorted(name for name in names if is_up(any_socket, name))


def is_up(any_socket: socket.socket, name: str) -> bool:
    """Ask for an interface's flags; True too where they cannot be read."""
    try:
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16s16x", name.encode()))
    except OSError:
        return True
    return bool(struct.unpack_from("H", answer, 16)[0] & IFF_UP)


def threads() -> str:
    """The error of starting a thread; empty where it works."""
    try:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    except RuntimeError as error:
        return str(error)
    return ""


def space(path: str) -> int:
    """Size of the file system at a path in bytes, 0 where it is not one of its own."""
    if not os.path.ismount(path):
        return 0
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize


def owner(path: str) -> int:
    """Uid that a folder belongs to; -1 where there is none."""
    try:
        return os.stat(path).st_uid  # noqa: PTH116
    except OSError:
        return -1


def limits() -> dict[str, int]:
    """Hard limits of this process."""
    names = {"core": resource.RLIMIT_CORE, "nofile": resource.RLIMIT_NOFILE, "fsize": resource.RLIMIT_FSIZE}
    return {name: resource.getrlimit(number)[1] for name, number in names.items()}


def look() -> dict[str, object]:
    """Everything."""
    own = status()
    numbers = CALLS.get(platform.machine(), {})
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "capabilities": own.get("CapEff", ""),
        "bounding": own.get("CapBnd", ""),
        "no_new_privs": own.get("NoNewPrivs", ""),
        "seccomp": own.get("Seccomp", ""),
        "root_write": error_of(write_to("/agentsys-probe")),
        "usr_write": error_of(write_to("/usr/agentsys-probe")),
        "work_write": error_of(write_to("/work/.agentsys-probe"))
        or error_of(lambda: os.unlink("/work/.agentsys-probe")),  # noqa: PTH108
        "venv_write": error_of(write_to("/work/venv/.agentsys-probe")),
        "sysctl_write": error_of(lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))),
        # Not by if_nameindex: it needs a netlink socket, which a filter may refuse.
        "interfaces": interfaces(),
        "threads": threads(),
        "sockets": {name: error_of(lambda n=n: socket.socket(*n).close()) for name, n in FAMILIES.items()},
        "calls": {name: error_of(lambda n=n, a=ARGUMENTS[name]: syscall(n, *a)) for name, n in numbers.items()},
        "mknod": error_of(lambda: os.mknod("/tmp/agentsys-probe", 0o600 | 0o020000, os.makedev(1, 3))),
        "keeper": error_of(lambda: os.kill(1, 0)),
        "engine_sockets": [path for path in SOCKETS if os.path.exists(path)],  # noqa: PTH110
        "environment": dict(os.environ),
        "cgroup": {name: first(paths) for name, paths in CGROUP.items()},
        "limits": limits(),
        "tmp": space("/tmp"),
        "shm": space("/dev/shm"),
        "apparmor": first(("/proc/self/attr/apparmor/current", "/proc/self/attr/current")),
        # Last, because it changes this process where it succeeds.
        "user_namespace": error_of(unshare_user),
    }


if __name__ == "__main__":
    print(json.dumps(look()))  # noqa: T201 - the answer
