"""The checks of `agentsys doctor`: each returns one or more lines of its table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Row:
    """What was checked, how it stands, what was seen, and what to do; `fix` is empty where all is well."""

    check: str
    status: State
    detail: str
    fix: str = ""
