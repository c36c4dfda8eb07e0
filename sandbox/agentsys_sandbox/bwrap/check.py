"""What a bubblewrap sandbox is seen to hold back: a probe inside, and what the host sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from agentsys_sandbox.box import Helper
from agentsys_sandbox.bwrap.cgroup import OVERHEAD, Cgroup
from agentsys_sandbox.bwrap.identity import Identity
from agentsys_sandbox.image.rootfs import UID
from agentsys_sandbox.selfcheck import look, read_only_environment
from agentsys_sandbox.spec import Control, Limits

_REFUSED = (
    "EPERM",
    "EACCES",
    "ENOSYS",
    "EAFNOSUPPORT",
    "EPROTONOSUPPORT",
    "ENOSPC",
    "EINVAL",
    "ESOCKTNOSUPPORT",
    "EROFS",
)
_NEWER = "install bubblewrap 0.8 or newer"
_GROUPS = "use Docker, or run as root where control groups may be made"
_OWNER_PROBE = ".agentsys-owner"


async def check(
    helper: Helper, work: Path, identity: Identity, limits: Limits, cgroup: Cgroup | None
) -> tuple[tuple[Control, ...], tuple[Control, ...]]:
    """Look, and return all controls and those demanded ones that are not effective.

    Raises: SandboxGone where the probe does not answer.
    """
    seen = await look(helper, "remove the cache of base systems")
    owner = await _owner(helper, work)
    tasks = await helper(["bash", "-c", "ulimit -Hu"])
    isolation = (*_identity(seen, owner, identity), *_isolation(seen))
    bounds = (*_bounds(seen, limits, cgroup), _processes(tasks.stdout, limits, cgroup))
    return (*isolation, *bounds, *_wished(seen)), tuple(each for each in isolation if not each.effective)


async def _owner(helper: Helper, work: Path) -> int | None:
    """Uid on the host of a file that the sandbox makes."""
    end = await helper(["touch", f"/work/{_OWNER_PROBE}"])
    file = work / _OWNER_PROBE
    if end.exit_code != 0 or not file.exists():
        return None
    uid = file.lstat().st_uid
    file.unlink()
    return uid


def _identity(seen: Mapping[str, Any], owner: int | None, identity: Identity) -> tuple[Control, ...]:
    capabilities = (str(seen.get("capabilities")), str(seen.get("bounding")))
    return (
        Control("ordinary user", seen.get("uid") == UID, f"uid {seen.get('uid')} inside", _NEWER),
        Control("not root outside", owner == identity.uid != 0, f"uid {owner} on the host", "run as an ordinary user"),
        Control("no capabilities", all(set(each) == {"0"} for each in capabilities), f"{capabilities}", _NEWER),
        Control("no new privileges", seen.get("no_new_privs") == "1", "setuid programs have no effect", _NEWER),
    )


def _isolation(seen: Mapping[str, Any]) -> tuple[Control, ...]:
    writes = (seen.get("root_write"), seen.get("usr_write"))
    interfaces, sockets = seen.get("interfaces"), seen.get("engine_sockets")
    return (
        Control("no network", interfaces in ([], ["lo"]), f"interfaces: {interfaces}", _NEWER),
        Control("read-only system", all(each in ("EROFS", "EACCES") for each in writes), f"{writes}", _NEWER),
        Control("writable work folder", seen.get("work_write") == "", str(seen.get("work_write") or "yes")),
        read_only_environment(seen),
        _refused("no kernel settings", seen.get("sysctl_write"), "/proc/sys can be written"),
        _refused("no device nodes", seen.get("mknod"), "device nodes can be made"),
        _refused("no user namespaces", seen.get("user_namespace"), "user namespaces can be made", _NEWER),
        Control("no engine socket", sockets == [], f"{sockets}"),
    )


def _bounds(seen: Mapping[str, Any], limits: Limits, cgroup: Cgroup | None) -> tuple[Control, ...]:
    """Limits on resources: told as they are, not demanded, because an ordinary user may not have them."""
    groups = cgroup.seen() if cgroup else {}
    found = cast(Mapping[str, int], seen.get("limits") or {})
    files = all(0 <= found.get(name, -1) <= most for name, most in _file_limits(limits).items())
    return (
        _memory(groups.get("memory"), limits.memory),
        _grouped("processor limit", groups.get("cpu"), int(limits.cpus * 100)),
        _sized("temporary folder limit", seen.get("tmp"), limits.tmp),
        _sized("shared memory limit", seen.get("shm"), limits.shm),
        Control("file limits", files, f"{dict(found)}"),
        Control("hard disk quota", False, "the size of the work folder is watched, not enforced by the file system"),
    )


def _processes(told: bytes, limits: Limits, cgroup: Cgroup | None) -> Control:
    """A limit by control group, or the one on all processes of the user, which counts those outside as well."""
    grouped = cgroup.seen().get("pids") if cgroup else None
    if grouped:
        return _grouped("process limit", grouped, limits.pids + OVERHEAD)
    number = int(told) if told.strip().isdigit() else 0
    return Control("process limit", number > 0, f"{number} for all processes of this user", _GROUPS)


def _file_limits(limits: Limits) -> dict[str, int]:
    return {"core": 0, "nofile": limits.open_files, "fsize": limits.disk}


def _wished(seen: Mapping[str, Any]) -> tuple[Control, ...]:
    sockets = cast(Mapping[str, str], seen.get("sockets") or {})
    calls = cast(Mapping[str, str], seen.get("calls") or {})
    return (
        _refused("first process out of reach", seen.get("keeper"), "it runs under the same user; signals do nothing"),
        Control("system call filter", seen.get("seccomp") == "2", f"mode {seen.get('seccomp')}", "use Docker"),
        *(
            _refused(f"no {name} sockets", sockets.get(name), "can be opened")
            for name in ("vsock", "packet", "netlink")
        ),
        *(_refused(f"no {name}", calls.get(name), "can be called") for name in sorted(calls)),
    )


def _refused(name: str, error: Any, detail: str, remedy: str = "use Docker") -> Control:
    """A control that holds if an attempt ended with one of the errors of a refusal."""
    if error in _REFUSED:
        return Control(name, True, str(error))
    return Control(name, False, detail if error == "" else f"unclear: {error}", remedy)


def _memory(grouped: int | None, expected: int) -> Control:
    if grouped:
        return _grouped("memory limit", grouped, expected)
    return Control("memory limit", False, "the memory of all processes is watched, not enforced by the kernel", _GROUPS)


def _grouped(name: str, found: int | None, expected: int) -> Control:
    if not found:
        return Control(name, False, "no control group could be made", _GROUPS)
    return Control(name, found <= expected, f"{found} of {expected}", _GROUPS)


def _sized(name: str, found: Any, expected: int) -> Control:
    size = int(found or 0)
    return Control(name, 0 < size <= expected + 4096, f"{size} of {expected}", _NEWER)
