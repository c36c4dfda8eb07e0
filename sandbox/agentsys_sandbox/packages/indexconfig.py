"""Where the host itself takes packages from: the configuration of pip and uv, read as these tools read it.

Sources: pip's user guide, "Configuration", and uv's reference, "Environment variables" and "Settings". Credentials in
index addresses stay in this object; nothing of it reaches the sandbox.
"""

from __future__ import annotations

import configparser
import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PYPI = "https://pypi.org/simple/"
_SECTIONS = ("global", "install")
_TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True)
class IndexConfig:
    """Package sources in the order in which they are asked."""

    indexes: tuple[str, ...] = (PYPI,)
    """Addresses of simple indexes (http, https or file)."""
    find_links: tuple[str, ...] = ()
    """Folders of wheels, or pages that link to them."""
    cert: str = ""
    """Bundle of certificate authorities; empty takes the system's."""
    proxy: str = ""
    trusted_hosts: tuple[str, ...] = ()
    """Hosts whose certificate is not checked, because the user said so."""


def read(environ: Mapping[str, str] | None = None, files: Iterable[Path] | None = None) -> IndexConfig:
    """Read the host's configuration.

    Args:
        environ: environment variables; None takes the process's.
        files: pip configuration files, weakest first; None takes pip's own places.
    """
    env = os.environ if environ is None else environ
    pip = _pip_options(env, _pip_files(env) if files is None else files)
    uv = _uv_options(env)
    default = _first(pip.get("index-url"), uv.get("index-url")) or PYPI
    extra = [*_words(pip.get("extra-index-url")), *_words(uv.get("extra-index-url"))]
    no_index = str(pip.get("no-index", "")).lower() in _TRUE
    return IndexConfig(
        indexes=() if no_index else _unique([default, *extra]),
        find_links=_unique([*_words(pip.get("find-links")), *_words(uv.get("find-links"))]),
        cert=pip.get("cert", ""),
        proxy=pip.get("proxy", ""),
        trusted_hosts=_unique(_words(pip.get("trusted-host"))),
    )


def _pip_files(env: Mapping[str, str]) -> list[Path]:
    chosen = env.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    home = Path(env.get("HOME") or "/nonexistent")
    user = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    system = [Path(each) for each in (env.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if each]
    places = [each / "pip" / "pip.conf" for each in system]
    places += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", user / "pip" / "pip.conf"]
    places += [Path(sys.prefix) / "pip.conf"]
    return [*places, Path(chosen)] if chosen else places


def _pip_options(env: Mapping[str, str], files: Iterable[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself complains about it wherever the user runs pip
        for section in _SECTIONS:
            if parser.has_section(section):
                found |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for key, value in env.items():
        if key.startswith("PIP_") and value:
            found[key[4:].lower().replace("_", "-")] = value
    return found


def _uv_options(env: Mapping[str, str]) -> dict[str, str]:
    found = _uv_file(env)
    names = {"UV_INDEX_URL": "index-url", "UV_DEFAULT_INDEX": "index-url", "UV_FIND_LINKS": "find-links"}
    for variable, option in names.items():
        if env.get(variable):
            found[option] = _unnamed(env[variable]) if option == "index-url" else env[variable].replace(",", " ")
    extra = [_unnamed(each) for each in (*_words(env.get("UV_INDEX")), *_words(env.get("UV_EXTRA_INDEX_URL")))]
    if extra:
        found["extra-index-url"] = " ".join(extra)
    return found


def _uv_file(env: Mapping[str, str]) -> dict[str, str]:
    if env.get("UV_NO_CONFIG"):
        return {}
    user = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "/nonexistent") / ".config")
    found: dict[str, str] = {}
    for file in (Path("/etc/uv/uv.toml"), user / "uv" / "uv.toml"):
        try:
            table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue
        found |= _uv_table(table)
        pip = table.get("pip")
        if isinstance(pip, dict):
            found |= _uv_table(pip)  # pyright: ignore[reportUnknownArgumentType]
    return found


def _uv_table(table: Mapping[str, Any]) -> dict[str, str]:
    found = {key: str(table[key]) for key in ("index-url",) if table.get(key)}
    for key in ("extra-index-url", "find-links"):
        if isinstance(table.get(key), list):
            found[key] = " ".join(map(str, table[key]))
    extra: list[str] = []
    for index in table.get("index") or ():
        if index.get("default"):
            found["index-url"] = str(index.get("url", ""))
        elif index.get("url"):
            extra.append(str(index["url"]))
    if extra:
        found["extra-index-url"] = " ".join([*extra, found.get("extra-index-url", "")]).strip()
    return found


def _unnamed(index: str) -> str:
    """uv allows `name=address`."""
    name, equals, address = index.partition("=")
    return address if equals and name.replace("-", "").replace("_", "").isalnum() else index


def _words(value: str | None) -> list[str]:
    return (value or "").split()


def _first(*values: str | None) -> str:
    return next((value.strip() for value in values if value and value.strip()), "")


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
