"""Environments on the host as a sandbox sees them at `/work/venv`: made once for a locked set, shared read-only."""

from __future__ import annotations

import os
import re
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from agentsys_sandbox.box import OnOutput
from agentsys_sandbox.packages.lock import Wheel, write_pylock
from agentsys_sandbox.packages.scratch import scratch
from agentsys_sandbox.packages.target import Target
from agentsys_sandbox.packages.uv import Uv
from agentsys_sandbox.paths import VENV
from agentsys_sandbox.spec import ExecResult, Outcome

RECIPE = "1"
"""Raise this when the layout changes, so that older environments are not taken for the new one."""
_SHEBANG = re.compile(rb"\A#!(?!/usr/bin/env )(\S*python[\w.]*)")
_TRAMPOLINE = re.compile(rb"\A(#!/bin/sh\n'''exec' )(\S+)( )")
_ACTIVATE = f"""\
VIRTUAL_ENV={VENV}
PATH="$VIRTUAL_ENV/bin:$PATH"
export VIRTUAL_ENV PATH
unset PYTHONHOME
"""


@dataclass(frozen=True)
class Environment:
    """How linking ended, and the folder to mount at `/work/venv` where it succeeded."""

    result: ExecResult
    folder: Path | None = None


async def make_environment(
    uv: Uv, store: Path, key: str, wheels: Sequence[Wheel], target: Target, limit: float, on_output: OnOutput | None
) -> Environment:
    """The environment that holds exactly these files; fetched where uv's cache lacks them.

    Args:
        store: folder of all environments.
        key: names it in the store.
        limit: seconds.
    """
    folder = store / key
    start = time.monotonic()
    if folder.is_dir():
        os.utime(folder)  # says that it is in use
        return Environment(ExecResult(Outcome.OK, 0, b"", b"", time.monotonic() - start), folder)
    with scratch(store) as place:
        made = place / "venv"
        _skeleton(made)
        result = await _install(uv, place, made, wheels, target, limit, on_output)
        if not result.ok:
            return Environment(result)
        _finish(made, target)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another sandbox was first, and made the same
                raise
    return Environment(replace(result, seconds=time.monotonic() - start), folder)


def pack(folder: Path, out: BinaryIO) -> None:
    """Write an environment as a tar stream, all root's, for an engine that does not share this machine's files."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        archive.add(folder, ".", filter=_roots)


def _roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


async def _install(
    uv: Uv, place: Path, made: Path, wheels: Sequence[Wheel], target: Target, limit: float, on_output: OnOutput | None
) -> ExecResult:
    if not wheels:
        return ExecResult(Outcome.OK, 0, b"", b"", 0.0)
    listed = place / "pylock.toml"
    listed.write_text(write_pylock(wheels), encoding="utf-8")
    argv = ["install", "--prefix", str(made), "-r", str(listed), "--preview-features", "pylock"]
    argv += ["--python-version", target.python, "--python-platform", target.platform, "--only-binary", ":all:"]
    argv += ["--require-hashes", "--link-mode", "hardlink", "--no-sources", "--break-system-packages"]
    start = time.monotonic()
    result = await uv.run([*argv, "--offline"], limit=limit)
    if not result.ok:
        result = await uv.run(argv, limit=limit - (time.monotonic() - start), on_output=on_output)
    return result


def _skeleton(made: Path) -> None:
    """What uv installs into."""
    (made / "bin").mkdir(parents=True)
    (made / "lib").mkdir()
    (made / "lib64").symlink_to("lib")  # where some builds of Python look for compiled modules


def _interpreter(made: Path, target: Target) -> None:
    """Only after the installation: a distribution may bring a `bin/python` along, and no link may lead it outside."""
    names = ("python", "python3", f"python{target.minor[0]}.{target.minor[1]}")
    for name, leads_to in zip(names, (target.interpreter, "python", "python"), strict=True):
        (made / "bin" / name).unlink(missing_ok=True)
        (made / "bin" / name).symlink_to(leads_to)
    home = str(Path(target.interpreter).parent)
    lines = (f"home = {home}", "implementation = CPython", f"version_info = {target.python}")
    for file, text in (
        (made / "pyvenv.cfg", "\n".join([*lines, "include-system-site-packages = false", ""])),
        (made / "bin/activate", _ACTIVATE),
    ):
        file.unlink(missing_ok=True)
        file.write_text(text, encoding="utf-8")


def _finish(made: Path, target: Target) -> None:
    """What uv did for the host's interpreter and this folder, made right for the sandbox's."""
    library = made / "lib" / f"python{target.minor[0]}.{target.minor[1]}"
    for found in (made / "lib").glob("python3.*"):
        if found != library:
            found.rename(library)
    (library / "site-packages").mkdir(parents=True, exist_ok=True)
    (made / ".lock").unlink(missing_ok=True)
    for script in (made / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            _point_inside(script)
    _interpreter(made, target)
    _readable(made)


def _point_inside(script: Path) -> None:
    with script.open("rb") as file:
        if file.read(2) != b"#!":
            return
    data = script.read_bytes()
    python = f"{VENV}/bin/python".encode()
    changed = _TRAMPOLINE.sub(rb"\g<1>" + python + rb"\g<3>", _SHEBANG.sub(b"#!" + python, data))
    if changed != data:
        # A new file: this one may be the cache's own.
        new = script.with_name(f".{script.name}.new")
        new.write_bytes(changed)
        new.chmod(0o755)
        new.replace(script)


def _readable(made: Path) -> None:
    """For another uid, whatever the umask; nobody but the owner may write."""
    for folder, _, files in os.walk(made):
        os.chmod(folder, 0o755)  # noqa: PTH101 -- some ten thousand files: objects for each would be felt
        for name in files:
            path = os.path.join(folder, name)  # noqa: PTH118
            mode = os.lstat(path).st_mode
            wanted = 0o755 if mode & 0o111 else 0o644
            if mode & 0o7777 != wanted and mode & 0o170000 == 0o100000:
                os.chmod(path, wanted)  # noqa: PTH101
