"""Compares the confinement that was asked for with what a probe inside the sandbox sees."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, cast

from agentsys_sandbox.box import Helper
from agentsys_sandbox.errors import SandboxGone
from agentsys_sandbox.paths import VENV
from agentsys_sandbox.spec import Control

_REFUSED = ("EPERM", "EACCES", "EROFS", "ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ENOSPC")
_ENGINE = "update the Docker engine, and start it without options that weaken containers"
_OF_THE_HOST = ("system call filter", "memory limit", "memory kills are counted", "process limit", "processor limit")
_SECCOMP = "use Docker 25 or newer, whose default profile blocks it"


@dataclass(frozen=True)
class Expected:
    """What was asked for: bytes, numbers, processors."""

    memory: int
    pids: int
    cpus: float
    tmp: int
    shm: int
    ulimits: Mapping[str, int]
    known: frozenset[str] = frozenset()
    """Environment variables that the sandbox or its image sets: alike on the host by chance, not leaked."""
    uid: int = 1000
    own_kernel: bool = False
    """True for a runtime with a kernel of its own (gVisor): it shows neither the host's control groups nor its filter.

    These controls are then listed as not effective, because nobody saw them, but not demanded.
    """


@dataclass(frozen=True)
class Checked:
    """All controls, and those that were demanded and are not effective."""

    controls: tuple[Control, ...]
    missing: tuple[Control, ...]


async def check(helper: Helper, expected: Expected) -> Checked:
    """Run the probe and judge. Raises: SandboxGone where it does not answer."""
    return judge(await look(helper, "rebuild the base image"), expected)


async def look(helper: Helper, remedy: str) -> dict[str, Any]:
    """What the probe sees from inside. Raises: SandboxGone where it does not answer."""
    source = resources.files("agentsys_sandbox").joinpath("probe.py").read_text(encoding="utf-8")
    end = await helper(["python3", "-I", "-S", "-"], stdin=source.encode())
    try:
        seen: Any = json.loads(end.stdout)
    except ValueError:
        seen = None
    if end.exit_code != 0 or not isinstance(seen, dict):
        said = end.stderr.decode(errors="replace").strip()[-300:]
        raise SandboxGone(f"the probe of the confinement did not answer: {said}", remedy)
    return cast(dict[str, Any], seen)


def judge(seen: Mapping[str, Any], expected: Expected) -> Checked:
    """Compare a probe's answer with what was expected; what is missing in the answer counts as not effective."""
    demanded = (*_identity(seen, expected), *_isolation(seen, expected), *_bounds(seen, expected))
    wished = _wished(seen)
    unseen = _OF_THE_HOST if expected.own_kernel else ()
    missing = tuple(control for control in demanded if not control.effective and control.name not in unseen)
    return Checked((*demanded, *wished), missing)


def _identity(seen: Mapping[str, Any], expected: Expected) -> tuple[Control, ...]:
    uid, capabilities = seen.get("uid"), (seen.get("capabilities"), seen.get("bounding"))
    return (
        Control("ordinary user", uid == expected.uid, f"uid {uid}", _ENGINE),
        Control("no capabilities", all(_zero(each) for each in capabilities), f"effective {capabilities[0]}", _ENGINE),
        Control("no new privileges", seen.get("no_new_privs") == "1", "setuid programs have no effect", _ENGINE),
        Control("system call filter", seen.get("seccomp") == "2", f"mode {seen.get('seccomp')}", _ENGINE),
        _refused("keeper out of reach", seen.get("keeper"), "the code may signal the first process"),
    )


def _isolation(seen: Mapping[str, Any], expected: Expected) -> tuple[Control, ...]:
    interfaces, sockets = seen.get("interfaces"), seen.get("engine_sockets")
    writes = (seen.get("root_write"), seen.get("usr_write"))
    leaked = _leaked(cast(Mapping[str, str], seen.get("environment") or {}), expected.known)
    return (
        Control("no network", interfaces in ([], ["lo"]), f"interfaces: {interfaces}", _ENGINE),
        Control("read-only system", all(each in ("EROFS", "EACCES") for each in writes), f"{writes}", _ENGINE),
        Control(
            "writable work folder",
            seen.get("work_write") == "",
            f"{seen.get('work_write') or 'yes'}",
            "rebuild the base image: its `/work` must belong to 1000:1000",
        ),
        read_only_environment(seen),
        _refused("no kernel settings", seen.get("sysctl_write"), "/proc/sys can be written"),
        _refused("no device nodes", seen.get("mknod"), "device nodes can be made"),
        _refused("no user namespaces", seen.get("user_namespace"), "user namespaces can be made"),
        Control("no engine socket", sockets == [], f"{sockets}", "do not mount the engine's socket"),
        Control("threads can be started", seen.get("threads") == "", str(seen.get("threads", "unknown")), _ENGINE),
        Control(
            "no host environment", "environment" in seen and not leaked, ", ".join(leaked), "unset these variables"
        ),
    )


def read_only_environment(seen: Mapping[str, Any]) -> Control:
    """The code under test cannot change what later programs of the same sandbox import."""
    error = seen.get("venv_write")
    return Control("read-only environment", error == "EROFS", f"{VENV}: {error or 'can be written'}", _ENGINE)


def _bounds(seen: Mapping[str, Any], expected: Expected) -> tuple[Control, ...]:
    group = cast(Mapping[str, str], seen.get("cgroup") or {})
    found = cast(Mapping[str, int], seen.get("limits") or {})
    files = all(0 <= found.get(name, -1) <= most for name, most in expected.ulimits.items())
    quota = _cpus(group)
    hint = "boot with the memory, pids and cpu control groups enabled"
    return (
        _most("memory limit", _number(group.get("memory")), expected.memory, hint),
        Control("memory kills are counted", "oom_kill " in group.get("oom", ""), "", hint),
        _most("process limit", _number(group.get("pids")), expected.pids, hint),
        Control("processor limit", 0 < quota <= expected.cpus * 1.01, f"{quota:g} of {expected.cpus:g}", hint),
        _most("temporary folder limit", int(seen.get("tmp") or 0), expected.tmp, hint),
        _most("shared memory limit", int(seen.get("shm") or 0), expected.shm, hint),
        Control("file limits", files, f"{dict(found)}", _ENGINE),
    )


def _wished(seen: Mapping[str, Any]) -> tuple[Control, ...]:
    """Further layers: good to have, said plainly where they are missing, not demanded."""
    sockets = cast(Mapping[str, str], seen.get("sockets") or {})
    calls = cast(Mapping[str, str], seen.get("calls") or {})
    group = cast(Mapping[str, str], seen.get("cgroup") or {})
    swap = _number(group.get("swap"))
    return (
        *(
            _refused(f"no {name} sockets", sockets.get(name), "can be opened", _SECCOMP)
            for name in ("vsock", "packet", "netlink", "alg")
        ),
        *(
            _refused(f"no {name}", calls.get(name), "can be called", _SECCOMP)
            for name in ("io_uring_setup", "userfaultfd", "bpf", "perf_event_open", "keyctl")
        ),
        Control(
            "no swap",
            swap is not None and swap <= (_number(group.get("memory")) or 0),
            f"{group.get('swap')}",
            "boot with `swapaccount=1`",
        ),
        Control(
            "AppArmor",
            bool(seen.get("apparmor")) and "unconfined" not in str(seen.get("apparmor")),
            str(seen.get("apparmor") or "absent"),
            "enable AppArmor on the host",
        ),
        Control("hard disk quota", False, "the size of the work folder is watched, not enforced by the file system"),
    )


def _refused(name: str, error: Any, detail: str, remedy: str = _ENGINE) -> Control:
    """A control that holds if an attempt ended with one of the errors of a refusal."""
    if error in _REFUSED:
        return Control(name, True, str(error))
    # Any other error comes from behind the door: the call was let in and did not like its arguments.
    return Control(name, False, f"{detail} ({error})" if error else detail, remedy)


def _most(name: str, found: int | None, expected: int, remedy: str) -> Control:
    effective = found is not None and 0 < found <= expected
    return Control(name, effective, f"{found} of {expected}", remedy)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _zero(text: Any) -> bool:
    return isinstance(text, str) and bool(text) and set(text) == {"0"}


def _cpus(group: Mapping[str, str]) -> float:
    """Processors that the group may use; 0 where it is not bounded."""
    quota, _, period = (group.get("cpu") or "").partition(" ")
    quota, period = quota or group.get("cpu_quota", ""), period or group.get("cpu_period", "")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else 0.0


def _leaked(inside: Mapping[str, str], known: frozenset[str]) -> list[str]:
    """Names of variables that have the host's value inside, though nobody set them there."""
    shell = {"PWD", "OLDPWD", "SHLVL", "_", "HOSTNAME", "container"}
    return sorted(name for name in inside if name not in known | shell and os.environ.get(name) == inside[name])
