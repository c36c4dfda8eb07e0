"""Docker's own contexts: which one is in use, and where its engine listens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from agentsys_sandbox.docker.records import Certificates
from agentsys_sandbox.errors import Unavailable

DEFAULT = "default"
"""The context that stands for no context."""
_LIST = "`docker context ls` lists them"


def current(environ: Mapping[str, str]) -> str:
    """Return the name of the context in use: DOCKER_CONTEXT, or the one that `docker context use` chose; else nothing.

    Raises: Unavailable if docker's configuration cannot be read.
    """
    file = _folder(environ) / "config.json"
    name = environ.get("DOCKER_CONTEXT", "")
    if not name and file.is_file():
        chosen = _read(file).get("currentContext")
        name = chosen if isinstance(chosen, str) else ""
    return "" if name == DEFAULT else name


def address(name: str, environ: Mapping[str, str]) -> tuple[str, Certificates | None]:
    """Return address and certificates of a context. Raises: Unavailable."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    file = _folder(environ) / "contexts" / "meta" / digest / "meta.json"
    if not file.is_file():
        raise Unavailable(f"there is no docker context `{name}`", _LIST)
    endpoints = _read(file).get("Endpoints")
    docker = cast("dict[str, object]", endpoints).get("docker") if isinstance(endpoints, dict) else None
    host = cast("dict[str, object]", docker).get("Host") if isinstance(docker, dict) else None
    if not isinstance(host, str) or not host:
        raise Unavailable(f"the docker context `{name}` names no engine (`{file}`)", _LIST)
    keys = _folder(environ) / "contexts" / "tls" / digest / "docker"
    return host, Certificates.of(keys) if keys.is_dir() and any(keys.iterdir()) else None


def _folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home()) / ".docker")


def _read(file: Path) -> dict[str, object]:
    try:
        found: object = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise Unavailable(f"docker's `{file}` cannot be read: {error}", "repair it, or set DOCKER_HOST") from error
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}
