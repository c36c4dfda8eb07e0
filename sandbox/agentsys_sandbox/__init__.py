"""Places to run untrusted code: Docker, podman's socket, or bubblewrap. Knows nothing of agents, papers, policies.

    async with open_sandbox(SandboxSpec(run="demo")) as sandbox:
        await sandbox.write_files({"main.py": b"print('hello')"})
        installed = await sandbox.install(["numpy"])
        result = await sandbox.exec(["python", "main.py"], timeout=60)

Names are imported when they are used: importing this package loads no engine's SDK.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentsys_sandbox.base import (
        PYRIGHT,
        REPO,
        VENV,
        WORK,
        ImageMissing,
        OnOutput,
        Sandbox,
        SandboxError,
        SandboxGone,
        Unavailable,
        WeakSandbox,
    )
    from agentsys_sandbox.choose import connect, detect, inspect, open_sandbox
    from agentsys_sandbox.fake import FakeSandbox, Script
    from agentsys_sandbox.reap import Cleaned, Leftover, clean_up
    from agentsys_sandbox.spec import (
        Control,
        Description,
        ExecResult,
        ExportReport,
        InstallResult,
        Limits,
        Outcome,
        Package,
        SandboxSpec,
    )
    from agentsys_sandbox.text import clean

__all__ = [
    "PYRIGHT",
    "REPO",
    "VENV",
    "WORK",
    "Cleaned",
    "Control",
    "Description",
    "ExecResult",
    "ExportReport",
    "FakeSandbox",
    "ImageMissing",
    "InstallResult",
    "Leftover",
    "Limits",
    "OnOutput",
    "Outcome",
    "Package",
    "Sandbox",
    "SandboxError",
    "SandboxGone",
    "SandboxSpec",
    "Script",
    "Unavailable",
    "WeakSandbox",
    "clean",
    "clean_up",
    "connect",
    "detect",
    "inspect",
    "open_sandbox",
]

_MODULES = {
    "base": "PYRIGHT REPO VENV WORK ImageMissing OnOutput Sandbox SandboxError SandboxGone Unavailable WeakSandbox",
    "choose": "connect detect inspect open_sandbox",
    "fake": "FakeSandbox Script",
    "reap": "Cleaned Leftover clean_up",
    "spec": "Control Description ExecResult ExportReport InstallResult Limits Outcome Package SandboxSpec",
    "text": "clean",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
