"""A package index in a folder, and wheels and source distributions made of nothing, for tests without network."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentsys_sandbox.packages.hostconfig import HostConfig


class Shelf:
    """An index (PEP 503) below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def host(self, *find_links: Path, environment: Mapping[str, str] | None = None) -> HostConfig:
        """A configuration in which this is the only source."""
        links = tuple(str(each) for each in find_links)
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "UV_DEFAULT_INDEX": self.folder.as_uri()}
        return HostConfig({**variables, **(environment or {})}, (), (self.folder.as_uri(),), links)

    def wheel(
        self, name: str, version: str, *requires: str, files: Mapping[str, str] | None = None, **more: str
    ) -> str:
        """Add a wheel; returns its SHA-256. `more`: `tag`, `entry` (console script), `metadata` lines."""
        filename, data = wheel(name, version, requires, files or {f"{name}.py": f"version = {version!r}\n"}, **more)
        return self.add(name, filename, data)

    def sdist(self, name: str, version: str, files: Mapping[str, str]) -> str:
        """Add a source distribution; returns its SHA-256."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for path, text in files.items():
                member = tarfile.TarInfo(f"{name}-{version}/{path}")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        return self.add(name, f"{name}-{version}.tar.gz", out.getvalue())

    def add(self, name: str, filename: str, data: bytes) -> str:
        """Add a file to the page of a package."""
        page = self.folder / name
        page.mkdir(exist_ok=True)
        (page / filename).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        with (page / "index.html").open("a") as index:
            index.write(f'<a href="{filename}#sha256={digest}">{filename}</a>\n')
        return digest


def wheel(
    name: str,
    version: str,
    requires: Sequence[str],
    files: Mapping[str, str],
    *,
    tag: str = "py3-none-any",
    entry: str = "",
    metadata: str = "",
) -> tuple[str, bytes]:
    """File name and content."""
    info = f"{name}-{version}.dist-info"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    content = {
        **files,
        f"{info}/METADATA": "\n".join([*lines, *([metadata] if metadata else []), "", ""]),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        **({f"{info}/entry_points.txt": f"[console_scripts]\n{entry}\n"} if entry else {}),
    }
    rows = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-{tag}.whl", out.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
