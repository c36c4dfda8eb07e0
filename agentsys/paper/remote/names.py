"""What a word on the command line names: a paper of arXiv or OpenReview, the address of a PDF, or none of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from agentsys.core.errors import PaperError

ARXIV = "https://arxiv.org"
OPENREVIEW = "https://openreview.net"
_ID = r"(?P<id>\d{4}\.\d{4,5}|[a-z-]{2,20}(?:\.[A-Z]{2})?/\d{7})(?:v(?P<version>[1-9]\d?))?"
_NUMBER = re.compile(rf"(?:arxiv:)?{_ID}", re.I)
_PATH = re.compile(rf"/(?:abs|pdf|html|e-print|src|format)/{_ID}(?:\.pdf)?/?")
_ARXIV_HOSTS = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org"})


@dataclass(frozen=True, slots=True)
class Remote:
    """A paper that must be fetched."""

    site: Literal["arxiv", "openreview", "address"]
    name: str
    """The number or identity at its site; for a plain address the address."""
    version: int | None = None


def remote_paper(text: str, arxiv: str = ARXIV) -> Remote | None:
    """Return what `text` names, or None if it is a path.

    Args:
        text: such as `2402.01868v2`, `arxiv:hep-ph/9412269`, or an address.
        arxiv: base address of arXiv, or of a copy of it.

    Raises: PaperError for an address that is not fetched.
    """
    text = text.strip()
    if found := _NUMBER.fullmatch(text):
        return _arxiv(found)
    if not re.match(r"[a-z][a-z0-9+.-]*://", text, re.I):
        return None
    check_address(text)
    parts = urlsplit(text)
    host = (parts.hostname or "").lower()
    if host in _ARXIV_HOSTS or text.startswith(f"{arxiv.rstrip('/')}/"):
        found = _PATH.fullmatch(parts.path.removeprefix(urlsplit(arxiv).path.rstrip("/")))
        if found is None:
            raise PaperError(f"`{text}` names no paper of arXiv", "give its number, such as `2402.01868`")
        return _arxiv(found)
    if host == "openreview.net":
        identity = parse_qs(parts.query).get("id", [""])[0]
        if not re.fullmatch(r"[\w-]{4,40}", identity):
            raise PaperError(f"`{text}` names no paper of OpenReview", "its address ends in `?id=...`")
        return Remote("openreview", identity)
    return Remote("address", text)


def check_address(address: str) -> None:
    """Refuse an address that is not https; `http` is for servers on this machine.

    Raises: PaperError.
    """
    parts = urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or (parts.scheme != "https" and not local):
        raise PaperError(f"`{address}` is not fetched: it is no `https://` address", "give an https address, or a file")
    if parts.username or parts.password:
        raise PaperError("an address with a user name or a password is not fetched", "download the paper yourself")


def _arxiv(found: re.Match[str]) -> Remote:
    return Remote("arxiv", found["id"], int(found["version"]) if found["version"] else None)
