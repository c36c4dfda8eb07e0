"""Places to run untrusted code: Docker, podman's socket, or bubblewrap. Knows nothing of agents, papers, policies.

    async with open_sandbox(SandboxSpec(run="demo")) as sandbox:
        await sandbox.write_files({"main.py": b"print('hello')"})
        resolved = await sandbox.resolve(["numpy"])
        installed = await sandbox.install(resolved.lock)
        result = await sandbox.exec(["python", "main.py"], timeout=60)

Other names stand in `base` (the interface, errors), `spec` (what goes in and comes out), `backends`, `fake`, `reap`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentsys_sandbox.choose import open_sandbox as open_sandbox
    from agentsys_sandbox.spec import SandboxSpec as SandboxSpec


def __getattr__(name: str) -> Any:
    """Import the two names above when they are used: the table of backends is read by every command."""
    if name == "open_sandbox":
        from agentsys_sandbox.choose import open_sandbox

        return open_sandbox
    if name == "SandboxSpec":
        from agentsys_sandbox.spec import SandboxSpec

        return SandboxSpec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
