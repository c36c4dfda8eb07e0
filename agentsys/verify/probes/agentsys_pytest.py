"""Runs inside the sandbox: pytest with our plugin, our configuration, and no other plugin than those it is told.

Usage: python agentsys_pytest.py OPTION_OF_PYTEST..., with a JSON object on the standard input: that of agentsys_probe,
and "plugins": distributions whose pytest plugins are loaded. Pytest and the plugins are imported before the repository
is on the module search path, so that no module of it can stand in for one of theirs.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    job: dict[str, Any] = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    root = f"{Path.cwd()}{os.sep}"
    outside = [item for item in sys.path if not (item + os.sep).startswith(root)]
    inside = [item for item in sys.path if item not in outside]
    sys.path[:] = outside  # what is installed in place adds the repository to the path at once
    import agentsys_probe
    import pytest

    plugins = plugin_modules(job["plugins"])
    sys.path += inside
    probe = agentsys_probe.start(job)
    loaded = {str(module.__file__) for module in (pytest, *plugins)}
    digest = hashlib.sha256(Path(agentsys_probe.__file__).read_bytes()).hexdigest()
    probe.write({"probe": agentsys_probe.__file__, "sha256": digest, "loaded": sorted(loaded)})
    sys.argv[:] = ["pytest", *sys.argv[1:]]
    return int(pytest.main(sys.argv[1:], plugins=[probe, *plugins]))


def plugin_modules(distributions: list[str]) -> list[Any]:
    found: list[Any] = []
    for name in distributions:
        for point in importlib.metadata.distribution(name).entry_points:
            if point.group == "pytest11":
                found.append(importlib.import_module(point.module))
    return found


if __name__ == "__main__":
    sys.exit(main())
