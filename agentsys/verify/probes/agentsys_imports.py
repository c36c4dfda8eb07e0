"""Runs inside the sandbox: imports modules one after another and writes what happened to each.

Usage: python agentsys_imports.py, with a JSON object on the standard input: {"out": ..., "path": [...], "repo": ...,
"checked": {absolute path: SHA-256}, "modules": [{"name", "file", "folder"}, ...]}. OUT gets a JSON line when a module
is started and one when it is done, so that a module that ends the process is named. The parent never imports anything
itself; the child goes on after a module that ended the process before it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from agentsys_compiled import Watch

Module = dict[str, str]


def main() -> int:
    job: dict[str, Any] = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    out = Path(job["out"])
    if "from" in job:
        return import_from(job, out, int(job["from"]))
    position = 0
    while position < len(job["modules"]):
        told = json.dumps({**job, "from": position}).encode()
        ended = subprocess.run([sys.executable, __file__], input=told, check=False)
        done, crashed = count(out)
        if crashed:
            write(out, {"done": done, "ok": False, "crash": ended.returncode})
            done += 1
        if done <= position:
            return 1
        position = done
    return 0


def import_from(job: dict[str, Any], out: Path, start: int) -> int:
    """Import the modules from number `start` on; they do not see this script's folder."""
    here = sys.path[0]
    sys.argv = [""]
    sys.path[:] = [*job["path"], *[item for item in sys.path if item != here]]
    Watch(job["repo"], job["checked"], lambda line: write(out, line))
    modules: list[Module] = job["modules"]
    for position in range(start, len(modules)):
        write(out, {"start": position})
        began = time.monotonic()
        line: dict[str, object] = {"done": position, "ok": True}
        try:
            load(modules[position])
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - SystemExit while importing is a finding like any other
            line["ok"] = False
            line["error"] = traceback.format_exc()[-20000:]
        line["seconds"] = round(time.monotonic() - began, 3)
        write(out, line)
    return 0


def load(module: Module) -> None:
    folder = module["folder"]
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    imported = importlib.import_module(module["name"])
    origin = getattr(imported, "__file__", None) or ""
    if origin == module["file"]:
        return
    if folder:
        load_by_path(module)
    else:
        raise ImportError(f"`{module['name']}` is imported from {origin or 'nowhere'}, not from the repository")


def load_by_path(module: Module) -> None:
    """Two test folders may hold files of the same name; the second is loaded by its path."""
    name = "agentsys_" + "".join(char if char.isalnum() else "_" for char in module["file"])
    spec = importlib.util.spec_from_file_location(name, module["file"])
    if spec is None or spec.loader is None:
        raise ImportError(f"`{module['file']}` cannot be loaded")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)


def write(out: Path, line: dict[str, object]) -> None:
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def count(out: Path) -> tuple[int, bool]:
    """Return how many modules are done, and whether the next one was started and never finished."""
    started = done = -1
    if out.exists():
        for text in out.read_text(encoding="utf-8").splitlines():
            line: dict[str, Any] = json.loads(text)
            started = max(started, int(line.get("start", -1)))
            done = max(done, int(line.get("done", -1)))
    return done + 1, started > done


if __name__ == "__main__":
    sys.exit(main())
