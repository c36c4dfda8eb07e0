"""Dependencies of a sandbox: resolved and fetched by uv on the host as wheels only, and linked in without network.

Nothing that a distribution brings along runs on the host: no build backend, no `setup.py`, no `.pth` file.
"""

from agentsys_sandbox.packages.lock import Lock, LockError, Wheel, parse_lock
from agentsys_sandbox.packages.store import Environment, PackageStore, Resolution
from agentsys_sandbox.packages.target import Target, TargetError, parse_target
from agentsys_sandbox.packages.wish import Builder, BuildJob, Built, ProjectSource, Wish, project_source

__all__ = [
    "BuildJob",
    "Builder",
    "Built",
    "Environment",
    "Lock",
    "LockError",
    "PackageStore",
    "ProjectSource",
    "Resolution",
    "Target",
    "TargetError",
    "Wheel",
    "Wish",
    "parse_lock",
    "parse_target",
    "project_source",
]
