"""A system call filter for bubblewrap, assembled as classic BPF: what escapes and host reconnaissance use is refused.

Sources: seccomp(2); the kernel's syscall_64.tbl and include/uapi/asm-generic/unistd.h for the numbers. It is a list of
refusals and not of permissions: namespaces, capabilities and the read-only system carry the isolation, this lessens the
surface of the kernel. Calls that libraries try and can do without answer ENOSYS, so that they fall back.
"""

from __future__ import annotations

import errno
import platform
import struct

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# name: (x86_64, aarch64); None where the architecture has no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
}
_ABSENT: dict[str, tuple[int | None, int | None]] = {
    # clone3 hides its flags from a filter; libraries fall back to clone.
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_CLONE, _SOCKET, _IOCTL = (56, 220), (41, 198), (16, 29)
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
_AF_NETLINK, _NETLINK_ROUTE = 16, 0
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* flag that clone(2) takes
_TIOCSTI = 0x5412  # types into the terminal of whoever started agentsys
_X32_BIT = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _ARGUMENT = 0, 4, (16, 24, 32)


def compile_filter(machine: str = "") -> bytes:
    """Assemble the filter for `bwrap --seccomp`; empty where the architecture is not known.

    Args:
        machine: as `platform.machine` names it; empty takes this machine's.
    """
    machine = machine or platform.machine()
    if machine not in _AUDIT_ARCH:
        return b""
    column = list(_AUDIT_ARCH).index(machine)
    code = [_op(_LOAD, _ARCH), _op(_EQUAL, _AUDIT_ARCH[machine], 1, 0), _op(_RETURN, _KILL), _op(_LOAD, _NUMBER)]
    if machine == "x86_64":
        code += [_op(_AT_LEAST, _X32_BIT, 0, 1), _fail(errno.ENOSYS)]
    code += _refuse(_REFUSED, column, errno.EPERM) + _refuse(_ABSENT, column, errno.ENOSYS)
    code += _on(_CLONE[column], [_op(_LOAD, _ARGUMENT[0]), _op(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _fail(errno.EPERM)])
    code += _on(_IOCTL[column], [_op(_LOAD, _ARGUMENT[1]), _op(_EQUAL, _TIOCSTI, 0, 1), _fail(errno.EPERM)])
    code += _on(_SOCKET[column], _sockets())
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def _sockets() -> list[bytes]:
    """Local and internet sockets; of netlink only the routing protocol, which lists the interfaces."""
    families = [_op(_EQUAL, family, len(_FAMILIES) + 3 - at, 0) for at, family in enumerate(_FAMILIES)]
    route = [_op(_EQUAL, _AF_NETLINK, 0, 2), _op(_LOAD, _ARGUMENT[2]), _op(_EQUAL, _NETLINK_ROUTE, 1, 0)]
    return [_op(_LOAD, _ARGUMENT[0]), *families, *route, _fail(errno.EAFNOSUPPORT)]


def _refuse(calls: dict[str, tuple[int | None, int | None]], column: int, error: int) -> list[bytes]:
    code: list[bytes] = []
    for numbers in calls.values():
        number = numbers[column]
        if number is not None:
            code += [_op(_EQUAL, number, 0, 1), _fail(error)]
    return code


def _on(number: int, body: list[bytes]) -> list[bytes]:
    """Run `body` for one call only. A body that falls through allows the call."""
    return [_op(_EQUAL, number, 0, len(body) + 1), *body, _op(_RETURN, _ALLOW)]


def _fail(error: int) -> bytes:
    return _op(_RETURN, _ERRNO | error)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction (struct sock_filter): code, two jump distances, a constant."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
