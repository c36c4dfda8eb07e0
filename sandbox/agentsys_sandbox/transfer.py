"""Files into and out of a sandbox, by small programs that run inside it as the code's own user.

The engine's archive calls would do it as root of the host, on a tree that untrusted code has shaped; a link there can
lead at most to what the sandbox may see anyway.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from agentsys_sandbox.box import Helper, HelperEnd
from agentsys_sandbox.errors import SandboxError, SandboxGone
from agentsys_sandbox.paths import INSTRUMENTS, REPO, VENV, WORK, inside, relative
from agentsys_sandbox.spec import ExportReport
from agentsys_sandbox.unpack import Entry, choose_entries, unpack

_REAL = 'realpath -e -- "$p" 2>/dev/null'
_WRITE = (
    '[ -d "$1" ] && [ ! -L "$1" ] || rm -rf -- "$1"; '
    'mkdir -p -- "$1" && [ "$(realpath -e -- "$1")" = "$1" ] || exit 3; '
    'exec tar -x --no-same-owner -f - -C "$1"'
)
_OPEN_UP = 'chmod -R u+rwX -- "$1"'
_REMOVE = 'for p; do [ -L "$p" ] || [ ! -e "$p" ] || chmod -R u+rwX -- "$p" 2>/dev/null; rm -rf -- "$p" || exit 1; done'
_LEFT = 'find -P "$@" -mindepth 1 -maxdepth 1'
_LINK = (
    'cd -- "$1" || exit 3; [ ! -L "$3" ] || rm -f -- "$3"; [ -e "$3" ] || exec ln -s -- "$2" "$3"; '
    'for p in "$2"/* "$2"/.[!.]*; do [ -e "$p" ] || continue; '
    'rm -rf -- "$3/${p##*/}"; ln -s -- "$p" "$3/" || exit 1; done'
)
_DIGESTS = 'cd -- "$1" && exec find -P . ! -type d -exec sha256sum -- {} +'
_READ = f'p=$1; [ "$({_REAL})" = "$p" ] && [ -f "$p" ] || exit 3; exec head -c "$2" -- "$p"'
_LIST = (
    'for p; do if [ -L "$p" ]; then printf "l 0 %s\\0" "$p"; elif [ ! -e "$p" ]; then printf "absent 0 %s\\0" "$p"; '
    f'elif [ "$({_REAL})" != "$p" ]; then printf "l 0 %s\\0" "$p"; '
    'else find -P "$p" -printf "%y %s %p\\0" || true; fi; done'
)
_PACK = ("tar", "-c", "--no-recursion", "--hard-dereference", "--null", "-T", "-", "-f", "-", "-C", "/")
_LISTING_MAX = 32 << 20


async def write_files(helper: Helper, files: Mapping[str, bytes], root: str = REPO) -> None:
    """Write files below `root`. Raises: BadPath, SandboxError where the tree inside does not let them be written."""
    root = inside(root)
    named = {relative(name): data for name, data in files.items()}
    write = ["/bin/sh", "-c", _WRITE, "sh", root]
    end = await helper(write, stdin=archive(named))
    if end.exit_code != 0:
        # The code may have left folders without rights, or folders where files belong.
        await helper(["/bin/sh", "-c", _OPEN_UP, "sh", root])
        await remove(helper, list(named), root)
        end = await helper(write, stdin=archive(named))
    if end.exit_code != 0:
        raise _failure(f"files could not be written below `{root}`", end, "remove what stands in the way")


def archive(files: Mapping[str, bytes]) -> bytes:
    """An archive with an entry for each folder, so that a link in a folder's place is replaced, not followed."""
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in sorted(folders):
            archive.addfile(_header(folder, tarfile.DIRTYPE, 0o755))
        for name, data in files.items():
            header = _header(name, tarfile.REGTYPE, 0o755 if name.endswith(".sh") else 0o644)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def _header(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.mode, header.mtime = kind, mode, int(time.time())
    return header


async def remove(helper: Helper, paths: Sequence[str], root: str = REPO) -> None:
    """Remove files or folders below `root`, but never `root` itself. Raises: BadPath, SandboxError."""
    targets = [inside(relative(path), inside(root)) for path in paths]
    if not targets:
        return
    end = await helper(["/bin/sh", "-c", _REMOVE, "sh", *targets])
    if end.exit_code != 0:
        raise _failure(f"files could not be removed below `{root}`", end)


async def link(helper: Helper, folder: str, root: str) -> None:
    """Have a name below `root` lead to a folder; where there is a folder of this name, to each thing in it.

    Raises: SandboxError.
    """
    end = await helper(["/bin/sh", "-c", _LINK, "sh", inside(root), folder, PurePosixPath(folder).name])
    if end.exit_code != 0:
        raise _failure(f"`{folder}` could not be shown below `{root}`", end)


async def clear(helper: Helper, shown: Sequence[str] = (VENV, INSTRUMENTS)) -> None:
    """Remove everything that can be written but the folders that are `shown`. Raises: SandboxError."""
    left = _LEFT + "".join(f" ! -path {folder}" for folder in shown)
    script = f"{left} ! -type l -exec chmod -R u+rwX -- {{}} + 2>/dev/null; {left} -exec rm -rf -- {{}} +"
    end = await helper(["/bin/sh", "-c", script, "sh", WORK, "/tmp", "/dev/shm"])
    if end.exit_code != 0:
        raise _failure("what programs left could not be removed", end, "open a new sandbox")


async def digests(helper: Helper, folder: str) -> dict[str, str]:
    """SHA-256 of each file below a folder that the code cannot change, by relative path. Raises: SandboxGone."""
    end = await helper(["/bin/sh", "-c", _DIGESTS, "sh", folder])
    if end.exit_code != 0 or end.cut:
        raise SandboxGone(f"`{folder}` could not be read: {_said(end)}")
    rows = (line.partition("  ./") for line in end.stdout.decode("utf-8", "replace").splitlines())
    return {name: digest for digest, _, name in rows}


async def read_file(helper: Helper, path: str, max_bytes: int) -> bytes | None:
    """The first `max_bytes` bytes of a regular file; None where there is none, or a link leads to it.

    Raises: BadPath, SandboxGone.
    """
    argv = ["/bin/sh", "-c", _READ, "sh", inside(path), str(max_bytes)]
    end = await helper(argv, max_output=max_bytes, flood=max_bytes + (1 << 20))
    if end.exit_code == 0 and not end.cut:
        return end.stdout
    if end.exit_code in (1, 3):  # not readable, or not there
        return None
    raise SandboxGone(f"`{path}` could not be read: {_said(end)}")


async def export(helper: Helper, paths: Sequence[str], dest: Path, max_files: int, max_bytes: int) -> ExportReport:
    """Copy regular files and folders to `dest`, each at its path relative to `WORK`.

    Lists first and fetches only what will be kept: one sparse file of terabytes costs nothing.
    """
    targets = [inside(path) for path in paths]
    if not targets:
        return ExportReport(())
    end = await helper(["/bin/sh", "-c", _LIST, "sh", *targets], max_output=_LISTING_MAX, flood=2 * _LISTING_MAX)
    if end.exit_code != 0 or end.cut:
        return ExportReport((), ((", ".join(targets), "too many files to list"),))
    wanted, dropped = choose_entries(_entries(end.stdout), max_files, max_bytes)
    with tempfile.TemporaryFile() as spool:
        await _pack(helper, wanted, spool, max_bytes)
        written, refused = unpack(spool, dest, {entry.path for entry in wanted}, max_bytes)
    return ExportReport(written, (*dropped, *refused))


def _entries(listing: bytes) -> list[Entry]:
    found: list[Entry] = []
    for line in listing.split(b"\0")[:-1]:
        kind, size, name = line.decode("utf-8", "surrogateescape").split(" ", 2)
        found.append(Entry(kind, int(size), name.removeprefix(WORK).lstrip("/")))
    return found


async def _pack(helper: Helper, wanted: Sequence[Entry], spool: BinaryIO, max_bytes: int) -> None:
    names = "".join(f"{WORK[1:]}/{entry.path}\0" for entry in wanted).encode()
    if not names:
        return
    overhead = (len(wanted) + 40) * 4096  # headers, long names, padding

    def keep(stream: str, data: bytes) -> None:
        if stream == "stdout":
            spool.write(data)

    await helper(_PACK, stdin=names, max_output=1 << 16, flood=max_bytes + overhead, on_output=keep)


def _failure(what: str, end: HelperEnd, hint: str = "") -> SandboxError:
    """Without an exit code its time was up, or something ended it: that is the machine's fault and not the tree's."""
    if end.exit_code is None:
        return SandboxGone(f"{what}: the program for it did not end in time", hint)
    return SandboxError(f"{what}: {_said(end)}", hint)


def _said(end: HelperEnd) -> str:
    from agentsys_sandbox.text import clean

    return " ".join(clean(end.stderr).split())[:300] or f"exit code {end.exit_code}"
