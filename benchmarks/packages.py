"""What dependencies cost: numpy, pandas and scikit-learn resolved, fetched and linked for a new sandbox.

    python benchmarks/packages.py [--no-pip]

Prints seconds and ratios beside uv on the bare host and pip.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from agentsys_sandbox.image import hostfiles
from agentsys_sandbox.packages.hostconfig import read
from agentsys_sandbox.packages.store import PackageStore
from agentsys_sandbox.packages.target import ASK, Target, parse_target
from agentsys_sandbox.packages.wish import Wish
from agentsys_sandbox.spec import IndexRules

PACKAGES = ("numpy", "pandas", "scikit-learn")
# Through the package gateway that came before (commit 2e66ebe, bubblewrap), measured by turns with this on two cores
# under other load: 5.8 to 20.7 s with nothing at hand (6 runs), 7.4 to 23.2 s with the downloads at hand (12 runs).


async def install(store: PackageStore, target: Target) -> Path:
    """Resolve and link, as a sandbox does."""
    found = await store.resolve(Wish(PACKAGES), target, IndexRules())
    assert found.lock is not None, found.result
    made = await store.link(found.lock, target)
    assert made.folder is not None, made.result
    return made.folder


def bare(cache: Path, offline: bool) -> None:
    """uv alone, into a folder."""
    uv, python = hostfiles.uv(), hostfiles.host_python().executable
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        argv = [uv, "pip", "install", "-q", "--prefix", folder, "--python", python, "--cache-dir", cache / "alone"]
        argv += ["--only-binary", ":all:", "--link-mode", "hardlink", *(["--offline"] if offline else []), *PACKAGES]
        subprocess.run(argv, check=True, env={**os.environ, **read().environment})


def pip(cache: Path) -> None:
    """What a user would do without a sandbox; wheels only, since a source distribution would run code here."""
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        argv = [sys.executable, "-m", "pip", "install", "-q", "--no-cache-dir", "--only-binary", ":all:"]
        subprocess.run([*argv, "--target", folder, *PACKAGES], check=True)


async def timed(work: Callable[[], Coroutine[Any, Any, object]]) -> float:
    """Seconds."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def run(with_pip: bool) -> None:
    """Measure and print."""
    python = hostfiles.host_python().executable
    said = await asyncio.to_thread(subprocess.run, [python, *ASK[1:]], capture_output=True, check=True)
    target = parse_target(said.stdout)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        cache = Path(folder)
        store = PackageStore(cache)
        rows = {"cold: resolve, fetch, link": await timed(lambda: install(store, target))}
        rows["same process: a new sandbox, the same wish"] = await timed(lambda: install(store, target))
        rows["new process: resolve again, link what is there"] = await timed(
            lambda: install(PackageStore(cache), target)
        )
        for each in (cache / "environments").iterdir():
            each.rename(cache / each.name)
        rows["new process: resolve again, link afresh from uv's cache"] = await timed(
            lambda: install(PackageStore(cache), target)
        )
        rows["uv alone, cold"] = await timed(lambda: asyncio.to_thread(bare, cache, False))
        rows["uv alone, offline"] = await timed(lambda: asyncio.to_thread(bare, cache, True))
        if with_pip:
            rows["pip alone"] = await timed(lambda: asyncio.to_thread(pip, cache))
    print(f"{'numpy, pandas, scikit-learn':58} {'seconds':>8} {'of uv alone':>12}")
    for name, seconds in rows.items():
        print(f"{name:58} {seconds:8.3f} {seconds / rows['uv alone, offline']:12.2f}")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--no-pip", action="store_true", help="leave out pip, which takes longest")
    asyncio.run(run(not parser.parse_args().no_pip))


if __name__ == "__main__":
    main()
