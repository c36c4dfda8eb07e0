"""The filter for containers allows what programs need and nothing that leads out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsys_sandbox.docker.seccomp_profile import profile

NAMES = """
io_uring_setup io_uring_enter io_uring_register ptrace process_vm_readv process_vm_writev bpf perf_event_open keyctl
add_key request_key userfaultfd unshare setns mount umount2 pivot_root chroot open_by_handle_at name_to_handle_at
kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct quotactl syslog
settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname iopl ioperm modify_ldt pidfd_getfd kcmp
fsopen fsmount fsconfig fspick move_mount open_tree mount_setattr fanotify_init lookup_dcookie nfsservctl vhangup
memfd_secret uselib process_madvise
"""


def rules() -> list[dict[str, Any]]:
    text = profile("x86_64")
    assert text is not None
    found = json.loads(text)
    assert found["defaultAction"] == "SCMP_ACT_ERRNO"
    return found["syscalls"]


@pytest.mark.parametrize("name", NAMES.split())
def test_a_dangerous_call_is_in_no_rule(name: str) -> None:
    assert [rule for rule in rules() if name in rule["names"]] == []


@pytest.mark.parametrize("name", ["clone", "socket", "socketpair", "personality"])
def test_calls_that_can_do_harm_are_allowed_only_with_harmless_arguments(name: str) -> None:
    found = [rule for rule in rules() if name in rule["names"]]
    assert found
    assert all(rule["args"] for rule in found)


def test_clone3_does_not_exist_so_that_libraries_fall_back() -> None:
    (found,) = [rule for rule in rules() if "clone3" in rule["names"]]
    assert (found["action"], found["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


def test_only_one_architecture_is_let_in_and_unknown_ones_get_no_profile() -> None:
    text = profile("x86_64")
    assert text is not None
    assert json.loads(text)["architectures"] == ["SCMP_ARCH_X86_64"]
    assert profile("riscv64") is None
