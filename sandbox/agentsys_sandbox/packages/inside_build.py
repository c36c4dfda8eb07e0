"""Runs inside the sandbox, never on the host: builds one wheel by the hooks of PEP 517 and PEP 660.

    python inside_build.py SOURCE OUT GIVEN

SOURCE is an archive, or `-` for an editable wheel of /work/repo. OUT becomes one line of JSON, followed by the wheel.
GIVEN is a JSON list of the build requirements that are installed; where the backend wants others, OUT names them.
"""

import importlib
import json
import os
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

LEGACY = "setuptools.build_meta:__legacy__"


def unpacked(archive: str) -> Path:
    """The folder that the archive holds."""
    place = Path(tempfile.mkdtemp(prefix="source-", dir=Path(archive).parent))
    if archive.endswith(".zip"):
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(place)
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(place, filter="data")
    found = [each for each in place.iterdir() if each.is_dir()]
    return found[0] if len(found) == 1 else place


def main() -> int:
    """Build; the exit code is 0 also where more is needed first."""
    source, out, given = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    editable = source == "-"
    os.chdir("/work/repo" if editable else unpacked(source))
    described = Path("pyproject.toml")
    table: Any = tomllib.loads(described.read_text("utf-8")) if described.is_file() else {}
    system: Any = table.get("build-system", {})
    sys.path[:0] = [str(Path(each).resolve()) for each in system.get("backend-path", [])]
    module, _, attribute = str(system.get("build-backend", LEGACY)).partition(":")
    backend: Any = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        backend = getattr(backend, part)
    kind = "editable" if editable else "wheel"
    build = getattr(backend, f"build_{kind}", None)
    if build is None:
        sys.exit(f"the build backend `{module}` cannot build an editable wheel (PEP 660)")
    ask = getattr(backend, f"get_requires_for_build_{kind}", None)
    asked: list[str] = ask(None) if ask is not None else []
    if more := sorted(set(asked) - set(given)):
        out.write_bytes(json.dumps({"requires": more}).encode() + b"\n")
        return 0
    folder = tempfile.mkdtemp(prefix="wheel-", dir=out.parent)
    name = build(folder, None, None)
    out.write_bytes(json.dumps({"wheel": name}).encode() + b"\n" + Path(folder, name).read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
