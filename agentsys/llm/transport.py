"""The way to an endpoint as the environment describes it: proxies, their exceptions, and certificates."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast
from urllib.parse import urlsplit

from agentsys.core.errors import PrerequisiteError
from agentsys_sandbox.packages.hostconfig import missing_certificates

if TYPE_CHECKING:
    from ssl import SSLContext

_SCHEMES = ("http", "https", "socks5", "socks5h")
_SOCKS = "install the package `socksio` (`pip install socksio`), or name an http proxy"


class Transport(TypedDict):
    """Arguments of the SDKs' HTTP clients."""

    proxy: str | None
    verify: SSLContext | bool
    trust_env: bool


def transport(url: str, environ: Mapping[str, str] | None = None) -> Transport:
    """Return how an endpoint is reached. The environment is read here and not by the HTTP client, which fails with
    errors that name no variable, and takes the exceptions of NO_PROXY in fewer forms than users write.

    Raises: PrerequisiteError naming the variable that cannot be used.
    """
    env = os.environ if environ is None else environ
    return {"proxy": _proxy(url, env), "verify": _certificates(env), "trust_env": False}


def broken(client: type) -> type[Exception]:
    """Return the base of the errors that the HTTP library under an SDK's client raises when a body breaks off."""
    library = next(base.__module__.partition(".")[0] for base in client.__mro__ if base.__name__ == "AsyncClient")
    return cast("type[Exception]", import_module(library).HTTPError)


def _proxy(url: str, env: Mapping[str, str]) -> str | None:
    parts = urlsplit(url)
    names = [f"{parts.scheme}_proxy", "all_proxy"]
    name = next((each for low in names for each in (low, low.upper()) if env.get(each, "").strip()), "")
    if not name or bypassed(parts.hostname or "", env.get("no_proxy") or env.get("NO_PROXY") or ""):
        return None
    proxy = env[name].strip()
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = _scheme(proxy)
    if scheme not in _SCHEMES:  # the address is not quoted: it may hold a password
        kinds = ", ".join(f"`{kind}://`" for kind in _SCHEMES)
        raise PrerequisiteError(
            f"the environment variable {name} holds no proxy that can be used",
            f"write it as `http://host:port` ({kinds} are known), or name the endpoint's host in NO_PROXY",
        )
    if scheme.startswith("socks"):
        try:
            import socksio  # pyright: ignore[reportMissingImports, reportUnusedImport] # noqa: F401
        except ImportError as error:
            raise PrerequisiteError(
                f"the environment variable {name} names a SOCKS proxy, and the package for it is not installed",
                f"{_SOCKS}, or name the endpoint's host in NO_PROXY",
            ) from error
    return proxy


def _scheme(proxy: str) -> str:
    """Return the scheme of a proxy's address; nothing if it has no host or no possible port."""
    try:
        found = urlsplit(proxy)
        return found.scheme if found.hostname and found.port != 0 else ""
    except ValueError:
        return ""


def bypassed(host: str, exceptions: str) -> bool:
    """Return whether a host is reached without a proxy: this machine always is, others by a list as NO_PROXY has it.

    Entries are names (with all that is below them), addresses, networks (`10.0.0.0/8`) or `*`, parted by commas
    or blanks.
    """
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for entry in re.split(r"[\s,;]+", exceptions.lower()):
        bare = entry if entry.count(":") > 1 else entry.partition(":")[0]
        bare = re.sub(r"^\[(.*)\](?::\d+)?$", r"\1", bare)
        if entry == "*":
            return True
        if address is not None and _within(address, bare):
            return True
        name = bare.lstrip("*").lstrip(".")
        if name and (host.lower() == name or host.lower().endswith(f".{name}")):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _certificates(env: Mapping[str, str]) -> SSLContext | bool:
    """Return a context with the authorities that the environment names; True leaves them to the SDK."""
    if fault := missing_certificates(env):
        raise PrerequisiteError(*fault)
    file = env.get("SSL_CERT_FILE") or env.get("REQUESTS_CA_BUNDLE") or ""
    folder = env.get("SSL_CERT_DIR") or (file if file and Path(file).is_dir() else "")
    return _context(file if file != folder else "", folder) if file or folder else True


@lru_cache(maxsize=8)
def _context(file: str, folder: str) -> SSLContext:
    """Return what all clients of one process share: reading a machine's authorities takes longer than the rest."""
    return ssl.create_default_context(cafile=file or None, capath=folder or None)
