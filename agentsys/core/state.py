"""Where a run stands, read from disk: all that the router looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agentsys.core.artifacts import Owner
from agentsys.core.errors import ReasonCode
from agentsys.core.events import Step

STEP_OF_OWNER: Mapping[Owner, Step] = {"planner": "plan", "analyzer": "analyse", "coder": "code", "debugger": "debug"}
"""The step in which the owner of a diagnosis acts on it."""

Screened = Literal["no", "allowed", "stopped"]
Verified = Literal["no", "failed", "passed"]
Replayed = Literal["no", "passed"]


@dataclass(frozen=True)
class State:
    """Where the run stands. Every field is derived from files, so a resumed run sees what the stopped one saw."""

    screened: Screened = "no"
    planned: bool = False
    data_due: bool = False
    """The plan names data, and nobody has looked yet what of it can be had."""
    claimed: bool = False
    """The contracts of the claims are frozen, or there are to be none."""
    analyses_missing: int = 0
    files_missing: int = 0
    pending: Owner | None = None
    """The agent to which the last diagnosis handed the matter, if it is still open."""
    audited: bool = False
    """The tree as it is now was audited."""
    verified: Verified = "no"
    """What the verification of the tree as it is now said; an infrastructure fault leaves no verdict."""
    reviewed: bool = False
    """Nothing is left to compare with the paper: it was done for this tree, as often as wanted, or is not wanted."""
    replayed: Replayed = "no"
    experimented: bool = False
    """Each claim that has a contract has its verdict for the tree as it is now."""
    rounds_left: int = 0
    stuck: ReasonCode = ""
    """Why another repair round is pointless, if it is."""
    stopped: str = ""
    """Why the run must end here (stop_after, policy), if it must."""
