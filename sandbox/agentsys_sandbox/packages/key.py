"""Keys of what is stored."""

from __future__ import annotations

import hashlib
import json


def key_of(*parts: object) -> str:
    """A stable name for plain values: 32 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
