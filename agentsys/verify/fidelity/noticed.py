"""`rounds/faults.json`: the planted faults that tests noticed in any round; a repair may not lose one of them."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from agentsys.core.artifacts import Artifact

STANDING = "faults.json"


class NoticedFault(Artifact):
    """A fault, and what noticed it last."""

    path: str
    symbol: str
    tests: tuple[str, ...] = Field(description="tests that noticed it, without their parameters")
    round: int


class Standing(Artifact):
    """Everything that was noticed, by a key made of file, function, kind of the fault and the text it changes."""

    version: int = 1
    faults: dict[str, NoticedFault] = Field(default={}, description="key of the fault -> what noticed it")


def read_standing(path: Path) -> Standing:
    """Read what earlier rounds stored; nothing where there is none."""
    return Standing.model_validate_json(path.read_bytes()) if path.is_file() else Standing()
