"""The version of the installed distribution."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version


@cache
def agentsys_version() -> str:
    """Return the version, as `pip` knows it."""
    return version("agentsys")
