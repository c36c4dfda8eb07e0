"""Where the host itself takes packages from, and what of the host's environment uv is started with.

uv reads its own variables and its own files (`/etc/uv/uv.toml`, `~/.config/uv/uv.toml`). Many users have
configured only pip: what uv has no setting for is translated from pip's variables and files. Sources: pip's user guide,
"Configuration"; uv's reference, "Environment variables" and "Settings".
"""

from __future__ import annotations

import configparser
import os
import re
import ssl
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

PYPI = "https://pypi.org/simple"
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_SECTIONS = ("global", "install")
_TRUE = ("1", "true", "yes", "on")
_PASSED = re.compile(
    r"PATH|HOME|TMPDIR|LANG|LC_ALL|XDG_\w+|NETRC|(?i:(?:https?|all|no)_proxy)|SSL_CERT_FILE|SSL_CERT_DIR|SSL_CLIENT_CERT"
    r"|UV_(?:INDEX|DEFAULT_INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|INDEX_STRATEGY|KEYRING_PROVIDER|INSECURE_HOST"
    r"|INDEX_\w+_(?:USERNAME|PASSWORD)|OVERRIDE|PRERELEASE|RESOLUTION|TORCH_BACKEND|NATIVE_TLS|SYSTEM_CERTS|CREDENTIALS_DIR"
    r"|HTTP_\w+|REQUEST_TIMEOUT|CONCURRENT_\w+|CONFIG_FILE|NO_CONFIG|OFFLINE)"
)
"""The variables that uv sees. No keys for models, and nothing that would make uv check, build or place otherwise."""


@dataclass(frozen=True)
class HostConfig:
    """Package sources and the way to them.

    Attributes:
        environment: variables for uv; credentials of indexes are among them.
        arguments: options of `uv pip compile`.
        indexes: addresses of simple indexes (http, https or file), for source distributions.
        find_links: folders of wheels, or pages that link to them.
        cert: bundle of certificate authorities; empty takes the system's.
    """

    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    arguments: tuple[str, ...] = ()
    indexes: tuple[str, ...] = field(default=(PYPI,), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    cert: str = ""
    proxy: str = field(default="", repr=False)
    trusted_hosts: tuple[str, ...] = ()


def read(environ: Mapping[str, str] | None = None, files: Iterable[Path] | None = None) -> HostConfig:
    """Read the host's configuration; uv's own settings win over pip's, kind by kind.

    Args:
        environ: environment variables; None takes the process's.
        files: pip configuration files, weakest first; None takes pip's own places.
    """
    env = os.environ if environ is None else environ
    pip = _pip_options(env, _pip_files(env) if files is None else files)
    uv = _uv_options(env)
    passed = {key: value for key, value in env.items() if value and _PASSED.fullmatch(key)}
    arguments = [part for file in _constraints(env, pip) for part in ("--constraints", file)]
    chosen = uv if uv.keys() & {"index-url", "extra-index-url"} else pip
    no_index = pip.get("no-index", "").lower() in _TRUE
    if chosen is pip:
        _translate_indexes(pip, passed)
    arguments += ["--no-index"] if no_index else []
    links = [_absolute(each) for each in _words(uv.get("find-links") or pip.get("find-links"))]
    links = [each for each in links if "://" in each or Path(each).exists()]  # pip passes absent ones over, uv fails
    if links:
        passed["UV_FIND_LINKS"] = ",".join(links)
    _translate_transport(pip, passed)
    default = (chosen.get("index-url") or PYPI).strip()
    return HostConfig(
        environment=passed,
        arguments=tuple(arguments),
        indexes=() if no_index else tuple(dict.fromkeys([default, *_words(chosen.get("extra-index-url"))])),
        find_links=tuple(dict.fromkeys(links)),
        cert=pip.get("cert", "") or env.get("SSL_CERT_FILE", ""),
        proxy=pip.get("proxy", ""),
        trusted_hosts=tuple(_words(pip.get("trusted-host")) + _words(env.get("UV_INSECURE_HOST"))),
    )


def missing_certificates(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """What is wrong with a variable that names certificates, and what to do about it; None where nothing is.

    Python writes the keys of connections to SSLKEYLOGFILE, and makes no connection where that fails.
    """
    log = environ.get("SSLKEYLOGFILE", "")
    try:
        if log:
            Path(log).open("a").close()
    except OSError:
        return f"the environment variable SSLKEYLOGFILE names no file that can be written: `{log}`", "unset it"
    for name in _CERTIFICATES:
        place = environ.get(name, "")
        if not place or (Path(place).is_dir() and name != "SSL_CERT_FILE"):
            continue
        if what := _no_certificates(place, _stamp(place)):
            return (
                f"the environment variable {name} names {what}: `{place}`",
                f"correct {name}, or unset it to take the usual certificates",
            )
    return None


def _stamp(place: str) -> tuple[int, int]:
    """Tell a file from what it was before."""
    try:
        found = Path(place).stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=64)
def _no_certificates(place: str, _stamp: tuple[int, int]) -> str:
    """Say what else a file is; each version of it is read once, as several variables name one and it takes long."""
    try:
        ssl.create_default_context(cafile=place)
    except OSError as error:  # that it holds no certificate is one too
        return "no certificate" if isinstance(error, ssl.SSLError) else "no file that can be read"
    return ""


def local_path(place: str) -> Path | None:
    """The path of a `file:` address or of a plain path; None for an address elsewhere."""
    if place.startswith("file:"):
        return Path(unquote(urlsplit(place).path))
    return None if "://" in place else Path(place)


def _translate_indexes(pip: Mapping[str, str], passed: dict[str, str]) -> None:
    if pip.get("index-url", "").strip():
        passed["UV_DEFAULT_INDEX"] = pip["index-url"].strip()
    if extra := _words(pip.get("extra-index-url")):
        passed["UV_INDEX"] = " ".join(extra)
        # pip looks for the best version in all of them; uv would stop at the first that knows the name.
        passed.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")


def _translate_transport(pip: Mapping[str, str], passed: dict[str, str]) -> None:
    if pip.get("cert"):
        passed.setdefault("SSL_CERT_FILE", pip["cert"])
    if pip.get("proxy") and not any(key.lower().endswith("s_proxy") for key in passed):
        passed["ALL_PROXY"] = pip["proxy"]
    if hosts := _words(pip.get("trusted-host")):
        passed.setdefault("UV_INSECURE_HOST", " ".join(hosts))
    paths = ssl.get_default_verify_paths()
    if "UV_NATIVE_TLS" not in passed and (paths.cafile or paths.capath):
        passed.setdefault("UV_SYSTEM_CERTS", "1")


def _constraints(env: Mapping[str, str], pip: Mapping[str, str]) -> list[str]:
    # As arguments, since the variable would be passed over as soon as there is one argument.
    return [_absolute(each) for each in _words(env.get("UV_CONSTRAINT")) or _words(pip.get("constraint"))]


def _absolute(place: str) -> str:
    # uv does not run in the caller's folder.
    return place if "://" in place else str(Path(place).expanduser().absolute())


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
    for variable in ("UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        if env.get(variable):
            found["index-url"] = _unnamed(env[variable])
    if env.get("UV_FIND_LINKS"):
        found["find-links"] = " ".join([*env["UV_FIND_LINKS"].split(","), found.get("find-links", "")])
    extra = [_unnamed(each) for each in (*_words(env.get("UV_INDEX")), *_words(env.get("UV_EXTRA_INDEX_URL")))]
    if extra:
        found["extra-index-url"] = " ".join([*extra, found.get("extra-index-url", "")])
    return found


def _uv_file(env: Mapping[str, str]) -> dict[str, str]:
    user = Path(env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "/nonexistent") / ".config")
    files = [Path("/etc/uv/uv.toml"), user / "uv" / "uv.toml"]
    if env.get("UV_CONFIG_FILE"):
        files = [Path(env["UV_CONFIG_FILE"])]
    found: dict[str, str] = {}
    for file in () if env.get("UV_NO_CONFIG") else files:
        try:
            table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue  # uv itself complains
        found |= _uv_table(table)
        if isinstance(pip := table.get("pip"), dict):
            found |= _uv_table(pip)  # pyright: ignore[reportUnknownArgumentType]
    return found


def _uv_table(table: Mapping[str, Any]) -> dict[str, str]:
    found = {"index-url": str(table["index-url"])} if table.get("index-url") else {}
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
