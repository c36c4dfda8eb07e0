"""What dead or overdue runs left behind, found by label on every backend, and its removal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from agentsys_sandbox.base import SandboxError
from agentsys_sandbox.bwrap.reap import remove_tree
from agentsys_sandbox.choose import connect
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.docker.records import ImageRow, Named
from agentsys_sandbox.image import rootfs
from agentsys_sandbox.image.engine_image import LABEL, is_outdated
from agentsys_sandbox.labels import CACHE_LABEL, RUN, SANDBOX, abandoned


@dataclass(frozen=True)
class Leftover:
    """Something to remove, and why. `kind` is `container`, `network`, `volume`, `folder`, `image` or `base folder`."""

    backend: str
    kind: str
    name: str
    run: str
    reason: str
    remove: Callable[[], None]
    """Blocks. What is gone by then is no error. Raises: SandboxError."""


@dataclass(frozen=True)
class Cleaned:
    """What was found, what could not be removed, and which backends were not looked at, each with the reason."""

    found: tuple[Leftover, ...]
    kept: tuple[tuple[Leftover, str], ...]
    not_looked_at: tuple[tuple[str, str], ...]
    outdated: tuple[Leftover, ...] = ()
    """Base images and base folders of earlier recipes that were left alone, because nobody asked for their removal."""


def clean_up(
    *, dry_run: bool = False, everything: bool = False, images: bool = False, hosts: Sequence[str] = ()
) -> Cleaned:
    """Remove leftovers on all backends that answer. Blocks.

    Args:
        dry_run: only look.
        everything: remove what belongs to living owners too; for a person who knows that nothing of worth runs.
        images: remove base images and base folders of earlier recipes too, never the current ones.
        hosts: Docker endpoints besides the one of this machine, see `endpoints.endpoint`.
    """
    found: list[Leftover] = []
    kept: list[tuple[Leftover, str]] = []
    missed: list[tuple[str, str]] = []
    outdated: list[Leftover] = []
    places: dict[str, Callable[[], Engine]] = {name: partial(connect, name) for name in ("docker", "podman")}
    places |= {host: partial(_at, host) for host in hosts}
    for backend, opened in places.items():
        try:
            engine = opened()
        except SandboxError as error:
            missed.append((backend, error.message))
            continue
        try:
            listed, old = on_engine(engine, everything=everything), outdated_images(engine)
            (listed if images else outdated).extend(old)
            found += listed
            kept += [] if dry_run else _removed(listed)
        except SandboxError as error:
            missed.append((backend, error.message))
        finally:
            engine.close()
    try:
        folders = [*on_gateways(), *on_bubblewrap()]
        (folders if images else outdated).extend(outdated_folders())
        found += folders
        kept += [] if dry_run else _removed(folders)
    except SandboxError as error:
        missed.append(("bwrap", error.message))
    return Cleaned(tuple(found), tuple(kept), tuple(missed), tuple(outdated))


def _at(host: str) -> Engine:
    from agentsys_sandbox.docker import endpoints

    return endpoints.connect(endpoints.endpoint(host))


def on_engine(engine: Engine, *, everything: bool = False, now: float | None = None) -> list[Leftover]:
    """Containers, then networks and volumes, whose owner is gone or whose time is over.

    In the order in which they can be removed.

    Raises: Unavailable.
    """
    moment = time.time() if now is None else now

    def judge(kind: str, each: Named, remove: Callable[[str], None]) -> Leftover:
        reason = abandoned(each.labels, moment) or ("asked for" if everything else "")
        name, run = each.name, each.labels.get(RUN, "")
        return Leftover(engine.info.name, kind, name, run, reason, partial(remove, name))

    found = [judge("container", each, engine.remove) for each in engine.containers(RUN)]
    found += [judge("network", each, engine.remove_network) for each in engine.networks(RUN)]
    found += [judge("volume", each, engine.remove_volume) for each in engine.volumes(RUN)]
    found += [judge("volume", each, engine.remove_volume) for each in engine.volumes(CACHE_LABEL) if everything]
    return [each for each in found if each.reason]


def of_sandbox(engine: Engine, name: str) -> list[Leftover]:
    """Everything of one sandbox, in the order in which it can be removed. Raises: Unavailable."""
    label = f"{SANDBOX}={name}"

    def leftover(kind: str, each: Named, remove: Callable[[str], None]) -> Leftover:
        run = each.labels.get(RUN, "")
        return Leftover(engine.info.name, kind, each.name, run, "its endpoint had failed", partial(remove, each.name))

    return [
        *(leftover("container", each, engine.remove) for each in engine.containers(label)),
        *(leftover("network", each, engine.remove_network) for each in engine.networks(label)),
        *(leftover("volume", each, engine.remove_volume) for each in engine.volumes(label)),
    ]


def on_bubblewrap() -> list[Leftover]:
    """Folders of bubblewrap sandboxes whose owner is gone or whose time is over. Raises: Unavailable."""
    from agentsys_sandbox.bwrap import reap as bwrap_reap

    return [
        Leftover("bwrap", "folder", each.name, each.run, each.reason, partial(bwrap_reap.remove, each))
        for each in bwrap_reap.leftovers()
    ]


def outdated_images(engine: Engine) -> list[Leftover]:
    """Base images of earlier recipes; one that a container still uses refuses to go. Raises: SandboxError."""
    found: list[Leftover] = []
    for each in engine.images(LABEL):
        if is_outdated(each.references):
            name, reason = ", ".join(each.references) or each.id, f"of an earlier recipe, {each.size >> 20} MiB"
            found.append(Leftover(engine.info.name, "image", name, "", reason, partial(_remove_image, engine, each)))
    return found


def _remove_image(engine: Engine, image: ImageRow) -> None:
    for reference in image.references or (image.id,):
        engine.remove_image(reference)


def outdated_folders() -> list[Leftover]:
    """Base file systems of earlier recipes, as bubblewrap uses them. Raises: SandboxError."""
    return [
        Leftover("bwrap", "base folder", each.name, "", "of an earlier recipe", partial(remove_tree, each))
        for each in rootfs.outdated()
    ]


def on_gateways() -> list[Leftover]:
    """Folders of package index gateways whose owner is gone."""
    from agentsys_sandbox.packages import indexfolder

    return [
        Leftover("index", "folder", str(folder), "", reason, partial(indexfolder.remove, folder))
        for folder, reason in indexfolder.leftovers()
    ]


def _removed(leftovers: list[Leftover]) -> list[tuple[Leftover, str]]:
    """Remove them; return those that stayed, with the reason."""
    kept: list[tuple[Leftover, str]] = []
    for each in leftovers:
        try:
            each.remove()
        except SandboxError as error:
            kept.append((each, error.message))
    return kept
