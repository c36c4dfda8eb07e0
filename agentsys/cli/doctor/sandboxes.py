"""Places to run untrusted code: is one there, does it answer, is it new enough, what was left behind; and what
a throw-away one looks like from inside."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
from importlib.util import find_spec
from pathlib import Path

from agentsys.cli.doctor import Row
from agentsys.core.settings import Settings
from agentsys_sandbox import backends
from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.spec import Description, ExecResult

MIN_ENGINE = (20, 10)
"""Oldest Docker Engine that the sandbox was tested with."""
SOCKET = Path("/var/run/docker.sock")
LOOK_SECONDS = 60.0


def docker_sdk() -> Row:
    """`import docker` is the SDK, not a folder called `docker` that lies in the working directory."""
    spec = find_spec("docker")
    if spec is None:
        return Row("docker sdk", "fail", "not installed", "install agentsys again, or `pip install docker`")
    if spec.origin is None:
        where = ", ".join(spec.submodule_search_locations or ())
        return Row("docker sdk", "fail", f"`docker` is only a folder at {where}", "`pip install docker`")
    return Row("docker sdk", "ok", spec.origin)


def docker_engine(needed: bool) -> Row:
    """Absent, not answering and too old are told apart.

    Args:
        needed: True if no other place to run code is there; without it a missing engine is only a warning.
    """
    bad = "fail" if needed else "warn"
    if not _engine_expected():
        fix = "install Docker Engine, or bubblewrap as the weaker place"
        return Row("docker engine", bad, f"absent: no socket at {SOCKET}, no `docker` program, no DOCKER_HOST", fix)
    from agentsys_sandbox.docker.endpoints import docker

    try:
        engine = docker()
    except SandboxError as error:
        return Row("docker engine", bad, f"not answering: {error.message}", _remedy(error.message))
    engine.close()
    info = engine.info
    seen = f"{info.name} {info.version}, {info.cpus} cpus, {info.memory / 2**30:.0f} GiB, cgroup v{info.cgroup_version}"
    if _version(info.version) < MIN_ENGINE and info.name == "docker":
        floor = ".".join(map(str, MIN_ENGINE))
        return Row("docker engine", bad, f"too old: {seen}", f"update to {floor} or newer")
    return Row("docker engine", "ok", seen)


def base_image() -> Row | None:
    """The base image is there; None where no engine answers."""
    from agentsys_sandbox.docker.endpoints import docker
    from agentsys_sandbox.image import rootfs
    from agentsys_sandbox.image.engine_image import REPOSITORY

    try:
        engine = docker()
    except SandboxError:
        return None
    try:
        name = rootfs.name()
        references = (f"{REPOSITORY}:{name}", f"{REPOSITORY}:registry-{name}")
        found = [reference for reference in references if engine.has_image(reference)]
    except SandboxError as error:
        return Row("base image", "warn", error.message, error.hint or "`agentsys sandbox build`")
    finally:
        engine.close()
    if found:
        return Row("base image", "ok", found[0])
    return Row("base image", "warn", "not there; the first run builds it", "`agentsys sandbox build`")


def bubblewrap(needed: bool) -> Row:
    """Bubblewrap works here.

    Args:
        needed: True if no engine answers.
    """
    try:
        backends.load("bwrap").available()
    except SandboxError as error:
        return Row("bubblewrap", "fail" if needed else "ok", error.message, error.hint if needed else "")
    return Row("bubblewrap", "ok", "works; weaker than Docker, used where no engine answers")


def chosen(settings: Settings) -> Row:
    """The place that a run would take."""
    from agentsys_sandbox.choose import detect

    try:
        backend = detect(settings.backend)
    except SandboxError as error:
        return Row("sandbox", "fail", error.message, error.hint)
    if weakness := backends.load(backend).weakness:
        return Row("sandbox", "warn", weakness, "start a Docker engine")
    return Row("sandbox", "ok", backend)


def endpoints(settings: Settings) -> list[Row]:
    """Each Docker endpoint of the setting: whether it answers, and what of it is taken."""
    if not settings.docker_hosts:
        return []
    from agentsys_sandbox.docker.pool import Pool

    rows: list[Row] = []
    for each in Pool(settings.docker_hosts).health():
        if each.problem:
            rows.append(Row(f"endpoint {each.name}", "warn", each.problem, each.hint))
            continue
        used, whole, version = each.used, each.whole, each.info.version if each.info else ""
        taken = f"{used.cpus:g} of {whole.cpus:g} cpus, {used.memory >> 20} of {whole.memory >> 20} MiB taken"
        gpu = f", {used.gpus} of {whole.gpus} GPU places" if whole.gpus else ""
        rows.append(Row(f"endpoint {each.name}", "ok", f"{version}: {taken}{gpu}"))
    if all(row.status != "ok" for row in rows):
        rows = [Row(row.check, "fail", row.detail, row.fix) for row in rows]
    return rows


def leftovers() -> Row:
    """Containers, volumes and folders that dead runs left behind."""
    from agentsys_sandbox.reap import clean_up

    try:
        seen = clean_up(dry_run=True)
    except SandboxError as error:
        return Row("leftovers", "warn", f"could not look: {error.message}")
    # A place that is not on this machine cannot hold leftovers that matter; an engine that hangs can.
    unseen = [f"{name}: {why}" for name, why in seen.not_looked_at if name == "docker" and _engine_expected()]
    if seen.found:
        return Row("leftovers", "warn", f"{len(seen.found)} of runs that are gone", "`agentsys sandbox clean`")
    return Row("leftovers", "warn", f"could not look: {unseen[0]}") if unseen else Row("leftovers", "ok", "none")


def confinement(settings: Settings) -> list[Row]:
    """Open a sandbox, run a program, and list every control with whether it is effective."""
    try:
        description, result = asyncio.run(_look(settings))
    except SandboxError as error:
        return [Row("sandbox opens", "fail", error.message, error.hint)]
    name = {"bubblewrap": "bwrap"}.get(description.backend, description.backend)  # the program, and its backend
    weakness = backends.load(name).weakness if description.weak else ""
    seen = f"{description.backend} {description.version}"
    rows = [Row("sandbox opens", "warn" if weakness else "ok", f"{seen}; {weakness}" if weakness else seen)]
    if not result.ok:
        rows.append(
            Row("sandbox runs code", "fail", f"{result.outcome.value}: {result.message or result.text()[-200:]}")
        )
    else:
        rows.append(Row("sandbox runs code", "ok", result.text().strip()))
    rows += [
        Row(f"  {each.name}", "ok", each.detail)
        if each.effective
        else Row(f"  {each.name}", "warn", f"not effective: {each.detail}", each.remedy)
        for each in description.controls
    ]
    return rows


async def _look(settings: Settings) -> tuple[Description, ExecResult]:
    from agentsys.verify.sandboxspec import sandbox_spec
    from agentsys_sandbox.base import VENV
    from agentsys_sandbox.choose import open_sandbox

    spec = sandbox_spec(settings, f"doctor-{secrets.token_hex(4)}")
    backend = await asyncio.to_thread(open_sandbox, spec, settings.backend, settings.docker_hosts)
    async with backend as sandbox:
        result = await sandbox.exec(["python3", "--version"], cwd=VENV.rpartition("/")[0], timeout=LOOK_SECONDS)
        return sandbox.describe(), result


def _engine_expected() -> bool:
    return (
        bool(os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT"))
        or SOCKET.exists()
        or shutil.which("docker") is not None
    )


def _remedy(message: str) -> str:
    if "denied" in message.lower():
        return "add yourself to the group `docker` and log in again, or use rootless Docker"
    return "start it, for example with `systemctl start docker`, and check DOCKER_HOST"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
