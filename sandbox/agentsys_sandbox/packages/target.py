"""For which Python and platform distributions are chosen: what the sandbox's own interpreter says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from packaging.tags import Tag, compatible_tags, cpython_tags

_ASK = (
    "import json, platform, sys, sysconfig\n"
    "print(json.dumps({'version': platform.python_version(), 'implementation': sys.implementation.name,"
    " 'machine': platform.machine(), 'libc': platform.libc_ver(),"
    " 'free_threaded': bool(sysconfig.get_config_var('Py_GIL_DISABLED')), 'executable': sys.executable}))"
)
ASK = ("python3", "-I", "-S", "-c", _ASK)
"""Run inside the base, before anything is installed; `parse_target` reads what it prints."""

_MACHINES = ("x86_64", "aarch64")
_MANYLINUX = (17, 28, *range(31, 41))
"""Minor versions of glibc 2 for which uv has a platform name (`uv pip compile --python-platform`)."""
_VERSION = re.compile(r"3\.\d{1,2}\.\d{1,2}(?:(?:a|b|rc)\d{1,2})?")
_PATH = re.compile(r"/[\w./+-]{1,200}")


class TargetError(ValueError):
    """Nothing can be installed for this interpreter; the message says why."""


@dataclass(frozen=True)
class Target:
    """An interpreter and its platform.

    Attributes:
        python: full version, such as `3.11.7`.
        platform: as uv names it, such as `x86_64-manylinux_2_36`.
        interpreter: its path inside the sandbox.
    """

    python: str
    platform: str
    interpreter: str = "/usr/local/bin/python3"

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version of Python."""
        major, minor = self.python.split(".")[:2]
        return int(major), int(minor)

    @cached_property
    def tags(self) -> Sequence[Tag]:
        """What its installer takes, best first (PEP 425, PEP 600)."""
        machine, _, libc = self.platform.partition("-")
        if "_2_" in libc:
            most = int(libc.rpartition("_")[2])
            platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(most, 4, -1)]
            old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
            for minor, name in old.items():
                platforms.insert(platforms.index(f"manylinux_2_{minor}_{machine}") + 1, f"{name}_{machine}")
        else:
            platforms = [f"musllinux_1_{minor}_{machine}" for minor in range(2, -1, -1)]
        platforms.append(f"linux_{machine}")
        interpreter = f"cp{self.minor[0]}{self.minor[1]}"
        return [*cpython_tags(self.minor, platforms=platforms), *compatible_tags(self.minor, interpreter, platforms)]


def parse_target(printed: bytes) -> Target:
    """Read what `ASK` printed.

    Args:
        printed: output from inside the sandbox, not to be trusted.

    Raises: TargetError.
    """
    try:
        said: Any = json.loads(printed[:4096])
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise TargetError(f"the sandbox's Python does not say what it is: {printed[:80]!r}")
    told = cast("dict[str, Any]", said)
    version, machine, libc = str(told.get("version")), str(told.get("machine")), told.get("libc")
    if told.get("implementation") != "cpython" or told.get("free_threaded") or not _VERSION.fullmatch(version):
        what = f"{told.get('implementation')} {version}"[:80]
        raise TargetError(f"the sandbox's Python is {what!r}; CPython 3 with its global lock is what is supported")
    if machine not in _MACHINES:
        raise TargetError(f"the sandbox's machine is {machine[:40]!r}; supported are {' and '.join(_MACHINES)}")
    executable = str(told.get("executable"))
    if not _PATH.fullmatch(executable):
        raise TargetError(f"the sandbox's Python lies at {executable[:80]!r}, which is no plain path")
    return Target(version, _platform(machine, libc), executable)


def _platform(machine: str, libc: Any) -> str:
    parts = [str(each) for each in cast("list[Any]", libc)] if isinstance(libc, list) else []
    said = " ".join(parts)[:80]
    if len(parts) == 2 and parts[0] == "glibc" and re.fullmatch(r"2\.\d{1,3}", parts[1]):
        minor = int(parts[1].partition(".")[2])
        known = [each for each in _MANYLINUX if each <= minor]
        if not known:
            raise TargetError(f"the sandbox's C library is glibc {parts[1]}; 2.17 or newer is needed")
        return f"{machine}-manylinux_2_{known[-1]}"
    if parts in (["", ""], ["musl", ""]) or parts[:1] == ["musl"]:
        return f"{machine}-unknown-linux-musl"  # musl does not tell its version to `platform`
    raise TargetError(f"the sandbox's C library is {said!r}; glibc and musl are supported")
