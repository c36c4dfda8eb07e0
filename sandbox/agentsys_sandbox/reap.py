"""What dead or overdue runs left on an engine, found by label, and its removal."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from agentsys_sandbox.engine import Engine, Named
from agentsys_sandbox.labels import RUN, abandoned

Kind = Literal["container", "volume"]


@dataclass(frozen=True)
class Leftover:
    """Something to remove, and why."""

    kind: Kind
    name: str
    run: str
    reason: str


def find_leftovers(engine: Engine, *, everything: bool = False, now: float | None = None) -> tuple[Leftover, ...]:
    """Containers, then volumes, whose owner is gone or whose time is over. Blocks.

    Args:
        everything: those of living owners too; for the person who knows that nothing runs.
        now: seconds since the epoch; None takes the clock.

    Raises: Unavailable.
    """
    moment = time.time() if now is None else now
    kinds: tuple[tuple[Kind, list[Named]], ...] = (
        ("container", engine.containers(RUN)),
        ("volume", engine.volumes(RUN)),
    )
    found = [_judge(kind, each, moment, everything) for kind, listed in kinds for each in listed]
    return tuple(each for each in found if each.reason)


def _judge(kind: Kind, found: Named, now: float, everything: bool) -> Leftover:
    reason = abandoned(found.labels, now) or ("asked for" if everything else "")
    return Leftover(kind, found.name, found.labels.get(RUN, ""), reason)


def remove_leftovers(engine: Engine, leftovers: Iterable[Leftover]) -> None:
    """Remove them; what is gone by then is no error. Blocks. Raises: Unavailable."""
    for each in leftovers:
        if each.kind == "container":
            engine.remove(each.name)
        else:
            engine.remove_volume(each.name)
