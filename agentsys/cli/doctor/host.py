"""The machine and the installation: interpreter, package data, tools, disk, configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from agentsys.cli.doctor import Row
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import config_files

SUPPORTED = ((3, 11), (3, 12), (3, 13))
FREE_GB = 5.0
"""Free disk space below which a run with a large package may not fit."""
START_SECONDS = 60.0


def python() -> Row:
    """The interpreter is one that agentsys is tested with."""
    version, where = ".".join(map(str, sys.version_info[:3])), sys.executable
    if sys.version_info[:2] in SUPPORTED:
        return Row("python", "ok", f"{version} at {where}")
    return Row("python", "fail", f"{version} at {where}", "use Python 3.11, 3.12 or 3.13")


def package_data() -> Row:
    """Prompts, report template, rules and image recipe came with the installation."""
    from agentsys.core.prompts import template_hash, template_names
    from agentsys_policies.engine import Policy
    from agentsys_policies.errors import PolicyError
    from agentsys_sandbox.base import SandboxError
    from agentsys_sandbox.image.engine_image import recipe

    package = Path(__file__).parents[2]
    pages = package / "report" / "view" / "templates"
    missing = [] if (pages / "report.html").is_file() and (pages / "view.css").is_file() else ["the report's templates"]
    prompts = template_names()
    if not prompts:
        missing.append("the prompts")
    try:
        recipe()
        Policy.load()
    except (SandboxError, PolicyError) as error:
        missing.append(error.message)
    if missing:
        return Row("package data", "fail", f"missing: {', '.join(missing)}", "install agentsys again")
    return Row("package data", "ok", f"{len(prompts)} prompts {template_hash()[:12]}, rules, image recipe, template")


def policy(settings: Settings) -> Row:
    """The safety policy that the settings name can be loaded."""
    from agentsys_policies.engine import Policy
    from agentsys_policies.errors import PolicyError

    try:
        Policy.load(settings.policy)
    except PolicyError as error:
        return Row("policy", "fail", error.message, error.hint or "choose `default`, or correct the file")
    return Row("policy", "ok", f"`{settings.policy}` is valid")


def git() -> Row:
    """Git keeps the rounds of the delivered repository."""
    found = shutil.which("git")
    return Row("git", "ok", found) if found else Row("git", "fail", "not found", "install git")


def pyright() -> Row:
    """The type checker starts: its own Node.js, its own JavaScript."""
    from agentsys_sandbox.base import SandboxError
    from agentsys_sandbox.image.hostfiles import tools

    try:
        found = tools()
        done = subprocess.run(
            [str(found.node), str(found.pyright / "index.js"), "--version"],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
            env={"PATH": os.defpath, "HOME": os.devnull},
        )
    except SandboxError as error:
        return Row("pyright", "fail", error.message, error.hint or "install agentsys again")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Row("pyright", "fail", f"does not start: {error}", "install `pyright[nodejs]` again")
    if done.returncode != 0:
        return Row("pyright", "fail", f"exit code {done.returncode}: {done.stderr[-200:]}", "install it again")
    return Row("pyright", "ok", done.stdout.strip())


def disk(settings: Settings) -> Row:
    """There is room for runs."""
    folder = settings.runs_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if not os.access(folder, os.W_OK):
        return Row("runs folder", "fail", f"`{folder}` cannot be written", "choose another with `--runs-dir`")
    if free < FREE_GB:
        return Row("runs folder", "warn", f"{free:.1f} GB free at `{folder}`", "make room: `agentsys runs rm`")
    return Row("runs folder", "ok", f"`{settings.runs_dir}`, {free:.0f} GB free")


def configuration(env: Mapping[str, str]) -> Row:
    """Which configuration files are read."""
    read = [str(path) for path, exists in config_files(None, env, Path.cwd()) if exists]
    return Row("configuration", "ok", ", ".join(read) or "no file; defaults and environment only")


def nougat() -> Row:
    """The optional reader for formulas: in this environment, or in one of its own."""
    from agentsys.paper.nougat import INSTALL

    own = os.environ.get("AGENTSYS_NOUGAT_PYTHON", "")
    if own and not shutil.which(own):
        return Row("nougat (optional)", "warn", f"AGENTSYS_NOUGAT_PYTHON names no program: {own}", INSTALL)
    if own or find_spec("nougat") is not None:
        place = f"in `{own}`" if own else "installed"
        return Row("nougat (optional)", "ok", f"nougat-ocr {place}; weights are looked for when it is used")
    return Row("nougat (optional)", "ok", "nougat-ocr is not installed; the built-in reader is used", INSTALL)
