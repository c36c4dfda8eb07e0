"""The system calls that programs in a container may make: an allow-list for the engine, narrower than its own.

Left out besides what needs privileges anyway: io_uring, user namespaces, ptrace, key rings, bpf, perf, userfaultfd,
file handles, and sockets of every family but Unix, IPv4, IPv6 and route netlink: a virtual machine's vsock leads out of
the sandbox; packet and other netlink sockets are the kernel's larger attack surface. Routes stay, because listing the
interfaces needs them, and with it torch.distributed on one machine.

Sources: seccomp(2), the kernel's syscall_64.tbl and include/uapi/asm-generic/unistd.h for the names, and the Engine's
"Seccomp security profiles" for the format.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentsys_sandbox.cachedir import cache_dir
from agentsys_sandbox.docker.records import EngineInfo

_ARCHITECTURES = {
    "x86_64": "SCMP_ARCH_X86_64",
    "amd64": "SCMP_ARCH_X86_64",
    "aarch64": "SCMP_ARCH_AARCH64",
    "arm64": "SCMP_ARCH_AARCH64",
}
# Names that an architecture does not have are skipped by the engine.
_ALLOWED = """
accept accept4 access alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_getres clock_gettime
clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr
fsetxattr fstat fstatat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat
get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups
getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage
getsid getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch inotify_init inotify_init1
inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioctl ioprio_get ioprio_set kill
landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listxattr
llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack mbind membarrier memfd_create mincore mkdir
mkdirat mknod mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend
mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat open openat
openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv
preadv2 prlimit64 process_mrelease pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom
recvmmsg recvmsg remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select
semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto set_mempolicy set_mempolicy_home_node set_robust_list
set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid
setresuid setreuid setrlimit setsid setsockopt setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd
signalfd4 splice stat statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill
truncate umask uname unlink unlinkat utime utimensat utimes vfork vmsplice wait4 waitid write writev
"""
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
_NETLINK, _ROUTE = 16, 0
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* flag that clone(2) takes
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)  # Linux, 32-bit uname, and the query
_EPERM, _ENOSYS = 1, 38


def profile(architecture: str) -> str | None:
    """The profile as the JSON text that the engine wants; None for an architecture that it was not written for.

    Args:
        architecture: as the engine names it, such as `x86_64`.
    """
    if architecture not in _ARCHITECTURES:
        return None
    rules: list[dict[str, Any]] = [
        _rule(_ALLOWED.split()),
        _rule(["clone"], [_argument(0, "SCMP_CMP_MASKED_EQ", _NEW_NAMESPACES, 0)]),
        *(_rule(["personality"], [_argument(0, "SCMP_CMP_EQ", value)]) for value in _PERSONALITIES),
        *(_rule(["socket", "socketpair"], [_argument(0, "SCMP_CMP_EQ", family)]) for family in _FAMILIES),
        _rule(["socket"], [_argument(0, "SCMP_CMP_EQ", _NETLINK), _argument(2, "SCMP_CMP_EQ", _ROUTE)]),
        # clone3 hides its flags behind a pointer; libraries fall back to clone where it does not exist.
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
    ]
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": _EPERM,
            # This one only: programs for 32 bits would come in by other numbers.
            "architectures": [_ARCHITECTURES[architecture]],
            "syscalls": rules,
        }
    )


def _rule(names: Sequence[str], arguments: list[dict[str, int | str]] | None = None) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", "args": arguments or []}


def _argument(index: int, operator: str, value: int, second: int = 0) -> dict[str, int | str]:
    return {"index": index, "value": value, "valueTwo": second, "op": operator}


def option(info: EngineInfo) -> str | None:
    """What to give an engine as its `seccomp` option; None where it cannot take a profile of ours.

    Docker wants the text. Podman wants the name of a file on its own machine, and refuses text.
    """
    text = profile(info.architecture)
    if text is None or info.name != "podman":
        return text
    if not info.local:
        return None
    folder = cache_dir() / "seccomp"
    file = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as part:
            part.write(text)
        Path(part.name).replace(file)
    return str(file)
