"""Which shared libraries of the host a program needs, asked of the host's own loader."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agentsys_sandbox.errors import ImageMissing

# What wheels may expect of the system (PEP 600, the manylinux policies), as far as the host has it.
WHEEL_LIBRARIES = (
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libm.so.6",
    "libdl.so.2",
    "librt.so.1",
    "libc.so.6",
    "libutil.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "libnsl.so.1",
    "libcrypt.so.1",
    "libatomic.so.1",
    "libgomp.so.1",
    "libz.so.1",
    "libexpat.so.1",
    "libglib-2.0.so.0",
    "libgobject-2.0.so.0",
    "libgthread-2.0.so.0",
    "libGL.so.1",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libICE.so.6",
    "libSM.so.6",
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libnuma.so.1",
)
_REQUIRED = ("libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")
_NEEDED = re.compile(r"^\s*(\S+) => (/\S+) \(0x[0-9a-f]+\)$")
_LOADER = re.compile(r"^\s*(/\S+) \(0x[0-9a-f]+\)$")
_CACHED = re.compile(r"^\s*(\S+) \(([^)]*)\) => (/\S+)$")


@dataclass(frozen=True)
class Libraries:
    """Libraries by the name programs ask for, the loader's own path, and the folder the loader searches by itself."""

    by_name: dict[str, Path]
    loader: Path
    folder: Path


def collect(programs: Iterable[Path]) -> Libraries:
    """Find every library that `programs` and manylinux wheels load.

    Raises:
        ImageMissing: not a glibc system, or a library without which no wheel works is absent.
    """
    known = _system_libraries()
    extra = [known[name] for name in WHEEL_LIBRARIES if name in known]
    by_name, loader = _ask_loader([*programs, *extra])
    for path in extra:
        by_name.setdefault(path.name, path)
    by_name.update({name: known[name] for name in WHEEL_LIBRARIES if name in known})
    missing = [name for name in _REQUIRED if name not in by_name]
    if missing or loader is None:
        raise ImageMissing(
            f"the host lacks {', '.join(f'`{name}`' for name in missing) or 'a glibc loader'}, "
            "so its files cannot serve as a base image",
            "install the C++ runtime (`libstdc++6` on Debian), or build from a registry: "
            "`agentsys sandbox build --source registry`",
        )
    # The folder of libc is one that the loader searches without a cache or configuration.
    return Libraries(by_name, loader, by_name["libc.so.6"].parent)


def _ask_loader(paths: list[Path]) -> tuple[dict[str, Path], Path | None]:
    # ldd runs the loader on files of this host only, which the host runs anyway.
    done = subprocess.run(
        ["ldd", *map(str, paths)], capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": _PATH}
    )
    by_name: dict[str, Path] = {}
    loader: Path | None = None
    for line in done.stdout.splitlines():
        if found := _NEEDED.match(line):
            by_name.setdefault(found[1], Path(found[2]))
        elif found := _LOADER.match(line):
            loader = Path(found[1])
    return by_name, loader


def _system_libraries() -> dict[str, Path]:
    ldconfig = shutil.which("ldconfig", path=_PATH)
    if ldconfig is None:
        return {}
    done = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False, env={"LC_ALL": "C"})
    marker = {"x86_64": "x86-64", "aarch64": "AArch64"}.get(platform.machine(), platform.machine())
    found: dict[str, Path] = {}
    for line in done.stdout.splitlines():
        match = _CACHED.match(line)
        if match and marker in match[2]:
            found.setdefault(match[1], Path(match[3]))
    return found


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
