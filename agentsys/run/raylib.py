"""The package ray, loaded by what runs on a Ray cluster alone."""

from __future__ import annotations

import os
from typing import Any

from agentsys.core.errors import PrerequisiteError


def load_ray() -> Any:
    """Return the package, which has no types of its own here.

    Raises: PrerequisiteError where it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would send who uses it
    try:
        import ray  # pyright: ignore[reportMissingImports]  # the development tools leave it out, it is large
    except ImportError as error:
        hint = "install it with `pip install 'agentsys[ray]'`, or leave out `--on ray`"
        raise PrerequisiteError("`--on ray` needs the package ray", hint) from error
    return ray
