"""What dead or overdue runs left behind on an engine, found by label: containers, volumes, images."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.records import ImageRow, Named
from agentsys_sandbox.image.engine_image import LABEL, is_outdated
from agentsys_sandbox.labels import CACHE_LABEL, RUN, SANDBOX, Leftover, abandoned


@contextmanager
def leftovers(connect: Callable[[], Engine], *, everything: bool = False) -> Generator[list[Leftover]]:
    """Everything that may go, as long as the block lasts. Raises: SandboxError."""
    engine = connect()
    try:
        yield [*on_engine(engine, everything=everything), *outdated_images(engine)]
    finally:
        engine.close()


def on_engine(engine: Engine, *, everything: bool = False, now: float | None = None) -> list[Leftover]:
    """Containers, then volumes, whose owner is gone or whose time is over.

    In the order in which they can be removed.

    Raises: Unavailable.
    """
    moment = time.time() if now is None else now
    found = _labelled(engine, RUN, lambda each: abandoned(each.labels, moment) or ("asked for" if everything else ""))
    cached = engine.volumes(CACHE_LABEL) if everything else []
    return found + [_leftover(engine, "volume", each, "asked for", engine.remove_volume) for each in cached]


def of_sandbox(engine: Engine, name: str) -> list[Leftover]:
    """Everything of one sandbox, in the order in which it can be removed. Raises: Unavailable."""
    return _labelled(engine, f"{SANDBOX}={name}", lambda _: "its endpoint had failed")


def outdated_images(engine: Engine) -> list[Leftover]:
    """Base images of earlier recipes; one that a container still uses refuses to go. Raises: SandboxError."""
    found: list[Leftover] = []
    for each in engine.images(LABEL):
        if is_outdated(each.references):
            name, reason = ", ".join(each.references) or each.id, f"of an earlier recipe, {each.size >> 20} MiB"
            remove = partial(_remove_image, engine, each)
            found.append(Leftover(engine.info.name, "image", name, "", reason, remove, outdated=True))
    return found


def _labelled(engine: Engine, label: str, judge: Callable[[Named], str]) -> list[Leftover]:
    kinds = (
        ("container", engine.containers, engine.remove),
        ("volume", engine.volumes, engine.remove_volume),
    )
    return [
        _leftover(engine, kind, each, reason, remove)
        for kind, listed, remove in kinds
        for each in listed(label)
        if (reason := judge(each))
    ]


def _leftover(engine: Engine, kind: str, each: Named, reason: str, remove: Callable[[str], None]) -> Leftover:
    return Leftover(engine.info.name, kind, each.name, each.labels.get(RUN, ""), reason, partial(remove, each.name))


def _remove_image(engine: Engine, image: ImageRow) -> None:
    for reference in image.references or (image.id,):
        engine.remove_image(reference)
