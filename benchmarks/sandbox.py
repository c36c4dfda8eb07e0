"""What the sandbox costs: opening, a program, a repair round, an installation, many at once.

    python benchmarks/sandbox.py [--backend docker] [--index] [--torch] [--parallel 16]

Prints a table with the median, the slowest, and the bar. `--index` also resolves and installs numpy, pandas and
scikit-learn: with nothing at hand, again in the same sandbox (what a second round costs), in a new one, and beside
these with pip on the open network of this machine. `--torch` installs torch, from a wheel folder of pip's
configuration if one has it. `benchmarks/packages.py` measures the host's side alone.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from agentsys_sandbox.base import Sandbox
from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.choose import open_sandbox
from agentsys_sandbox.spec import SandboxSpec

REPEATS = 5
PACKAGES = ("numpy", "pandas", "scikit-learn")


async def timed(work: Callable[[], Awaitable[object]], repeats: int = REPEATS) -> list[float]:
    """Seconds that each call took."""
    found: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        await work()
        found.append(time.perf_counter() - start)
    return found


class Table:
    """Prints a line for each measurement and remembers whether a bar was missed."""

    def __init__(self) -> None:
        self.missed = False
        print(f"{'seconds':60} {'median':>7} {'slowest':>7}   bar")

    def row(self, name: str, seconds: list[float], bar: float | None = None) -> None:
        """One line; `bar` is the most that the median may be."""
        median = statistics.median(seconds)
        over = bar is not None and median >= bar
        self.missed = self.missed or over
        said = "" if bar is None else f"< {bar:g}{'  MISSED' if over else ''}"
        print(f"{name:60} {median:7.2f} {max(seconds):7.2f}   {said}")


def fresh(backend: str, cache: Path | None = None) -> Sandbox:
    """A sandbox, not yet open."""
    return open_sandbox(SandboxSpec(run="bench", allow_weak=True, cache_dir=cache), backend)


async def open_and_close(backend: str) -> None:
    """The life of a sandbox in which nothing happens."""
    async with fresh(backend):
        pass


async def repair_round(sandbox: Sandbox) -> None:
    """What a repair costs beside the tests themselves: files in, a program, a result out."""
    await sandbox.write_files({f"package/module_{i}.py": b"x = 1\n" * 200 for i in range(12)})
    result = await sandbox.exec(["python3", "-c", "open('result.json', 'w').write('{}')"])
    found = await sandbox.read_file("repo/result.json")
    assert result.ok, result
    assert found == b"{}"


async def inside(table: Table, backend: str, index: bool) -> None:
    """Everything that happens in one open sandbox."""
    async with fresh(backend) as sandbox:
        table.row("program that does nothing", await timed(lambda: sandbox.exec(["true"])))
        table.row("repair round: 12 files, python, result", await timed(lambda: repair_round(sandbox)), 1)
        table.row("50 MB of output", await timed(lambda: sandbox.exec(["head", "-c", "50000000", "/dev/zero"]), 3))
    if index:
        await packages(table, backend)


async def packages(table: Table, backend: str) -> None:
    """Resolving and installing. Bars: a twentieth and a third of what commit 2e66ebe took on an idle machine."""
    name = ", ".join(PACKAGES)
    with tempfile.TemporaryDirectory(dir=shared_dir()) as folder:
        cache = Path(folder)
        await asyncio.to_thread(cache.chmod, 0o755)
        async with fresh(backend, cache) as sandbox:
            table.row(f"install {name}, nothing at hand", await timed(lambda: install(sandbox), 1), 7.6 / 3)
            table.row("the same in a second round", await timed(lambda: install(sandbox)), 0.2)
        found: list[float] = []
        for _ in range(REPEATS):
            async with fresh(backend, cache) as sandbox:
                found += await timed(partial(install, sandbox), 1)
        table.row("the same in a new sandbox, warm", found, 6.5 / 20)
    table.row("the same with pip on the open network", await timed(lambda: asyncio.to_thread(pip_on_the_host), 1))


async def torch(table: Table, backend: str) -> None:
    """A large wheel, and its first import."""
    async with fresh(backend) as sandbox:
        table.row("install torch, first", await timed(lambda: install(sandbox, ("torch", "numpy")), 1))
    async with fresh(backend) as sandbox:
        table.row("install torch, warm", await timed(lambda: install(sandbox, ("torch", "numpy")), 1), 15)
        command = ["python", "-c", "import torch"]
        table.row("import torch", await timed(lambda: sandbox.exec(command), 2))


def pip_on_the_host() -> None:
    """What a user would do without a sandbox; wheels only, since a source distribution would run code here."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--no-cache-dir", "--only-binary", ":all:"]
        subprocess.run([*pip, *PACKAGES], check=True)


async def install(sandbox: Sandbox, packages: Sequence[str] = PACKAGES) -> None:
    """Resolve and install the packages."""
    found = await sandbox.resolve(packages)
    assert found.lock is not None, found.result
    installed = await sandbox.install(found.lock)
    assert installed.result.ok, installed.result


async def many(backend: str, count: int) -> None:
    """Sandboxes side by side, each with one program."""

    async def one() -> None:
        async with fresh(backend) as sandbox:
            assert (await sandbox.exec(["true"])).ok

    await asyncio.gather(*(one() for _ in range(count)))


async def run(options: argparse.Namespace) -> int:
    """Measure and print; 1 if a bar was missed."""
    table = Table()
    table.row("open and close", await timed(lambda: open_and_close(options.backend)))
    await inside(table, options.backend, options.index)
    if options.torch:
        await torch(table, options.backend)
    table.row(f"{options.parallel} sandboxes at once", await timed(lambda: many(options.backend, options.parallel), 1))
    return int(table.missed)


def main() -> int:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--index", action="store_true", help="also install packages from the package index")
    parser.add_argument("--torch", action="store_true", help="also install torch")
    parser.add_argument("--parallel", type=int, default=16)
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
