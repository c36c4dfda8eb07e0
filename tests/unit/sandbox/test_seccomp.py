"""The system call filter, run by a small machine for classic BPF: what is refused, and what still works."""

from __future__ import annotations

import errno
import struct

import pytest

from agentsys_sandbox.seccomp import compile_filter

X86, ARM = 0xC000003E, 0xC00000B7
ALLOW, KILL = 0x7FFF0000, 0x80000000


def run(program: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = X86) -> int:
    """The filter's answer to one call (struct seccomp_data on a little-endian machine)."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *(*arguments, *[0] * (6 - len(arguments))))
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            at += if_true if holds else if_false


def refused(error: int) -> int:
    return 0x00050000 | error


@pytest.mark.parametrize(
    ("call", "number", "arguments"),
    [
        ("ptrace", 101, ()),
        ("keyctl", 250, ()),
        ("bpf", 321, ()),
        ("unshare", 272, (0x10000000,)),
        ("setns", 308, ()),
        ("mount", 165, ()),
        ("process_vm_readv", 310, ()),
        ("clone with a user namespace", 56, (0x10000000 | 17,)),
        ("clone with a network namespace", 56, (0x40000000,)),
        ("ioctl that types into a terminal", 16, (0, 0x5412)),
    ],
)
def test_calls_that_lead_out_are_refused(call: str, number: int, arguments: tuple[int, ...]) -> None:
    assert run(compile_filter("x86_64"), number, arguments) == refused(errno.EPERM), call


@pytest.mark.parametrize("number", [425, 426, 427, 435])
def test_calls_that_libraries_can_do_without_seem_absent(number: int) -> None:
    assert run(compile_filter("x86_64"), number) == refused(errno.ENOSYS)


@pytest.mark.parametrize(
    ("family", "protocol", "answer"),
    [
        (1, 0, ALLOW),
        (2, 6, ALLOW),
        (10, 17, ALLOW),
        (16, 0, ALLOW),
        (16, 12, refused(errno.EAFNOSUPPORT)),
        (17, 3, refused(errno.EAFNOSUPPORT)),
        (38, 0, refused(errno.EAFNOSUPPORT)),
        (40, 0, refused(errno.EAFNOSUPPORT)),
    ],
)
def test_only_local_and_internet_sockets_and_the_list_of_interfaces(family: int, protocol: int, answer: int) -> None:
    assert run(compile_filter("x86_64"), 41, (family, 1, protocol)) == answer


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (0, ()),
        (1, ()),
        (9, ()),
        (59, ()),
        (57, ()),
        (56, (0x3D0F00,)),
        (56, (17,)),
        (16, (1, 0x5401)),
        (202, ()),
        (257, ()),
    ],
    ids=["read", "write", "mmap", "execve", "fork", "clone a thread", "clone a child", "ioctl", "futex", "openat"],
)
def test_ordinary_calls_are_allowed(number: int, arguments: tuple[int, ...]) -> None:
    assert run(compile_filter("x86_64"), number, arguments) == ALLOW


def test_another_architecture_is_killed_and_the_32_bit_table_refused() -> None:
    assert run(compile_filter("x86_64"), 0, arch=0x40000003) == KILL
    assert run(compile_filter("x86_64"), 0x40000000 | 101) == refused(errno.ENOSYS)


def test_arm_has_its_own_numbers() -> None:
    program = compile_filter("aarch64")
    assert run(program, 117, arch=ARM) == refused(errno.EPERM)
    assert run(program, 198, (40, 1, 0), arch=ARM) == refused(errno.EAFNOSUPPORT)
    assert run(program, 63, arch=ARM) == ALLOW
    assert run(program, 101, arch=X86) == KILL


def test_an_unknown_machine_gets_no_filter() -> None:
    assert compile_filter("sparc64") == b""
