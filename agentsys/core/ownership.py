"""Whether the settings in a run directory were written there by this user: a stranger's folder decides nothing.

A run directory can be handed on. Its settings say where models are asked, by which policy, in which sandbox, and at
what cost; they are taken up again only with a mark that needs this user's key, which no run holds (HMAC, RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agentsys.core.runrecord import RunRecord, SettingValue

_BYTES = 32


def key_file() -> Path:
    """Return where this user's key lies: `$XDG_STATE_HOME/agentsys/key`, below `~/.local/state` by default."""
    base = os.environ.get("XDG_STATE_HOME", "")
    home = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state"
    return home / "agentsys" / "key"


def mark(run: str, settings: Mapping[str, SettingValue]) -> str:
    """Return this user's mark for a run with these settings; empty where no key can be kept."""
    key = _key(make=True)
    return _mark(key, run, settings) if key else ""


def is_own(record: RunRecord) -> bool:
    """True where this user's mark is on the settings of a run, as they stand there now."""
    key = _key(make=False)
    return bool(key and record.owner) and hmac.compare_digest(
        record.owner.encode(), _mark(key, record.id, record.settings).encode()
    )


def _mark(key: bytes, run: str, settings: Mapping[str, SettingValue]) -> str:
    values = {name: item.value for name, item in settings.items()}
    text = json.dumps([run, values], sort_keys=True, ensure_ascii=True, default=str)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool) -> bytes:
    path = key_file()
    if make:
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_BYTES))
    try:
        data = path.read_bytes()
    except OSError:
        return b""
    return data if len(data) == _BYTES else b""
