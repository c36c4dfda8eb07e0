"""What dead or overdue runs left behind on every backend, and its removal."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

from agentsys_sandbox import backends
from agentsys_sandbox.cachedir import shared_dir
from agentsys_sandbox.errors import SandboxError
from agentsys_sandbox.labels import Leftover

Look = Callable[[], AbstractContextManager[list[Leftover]]]


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
    for name, look in _places(everything, hosts).items():
        try:
            with look() as seen:
                chosen = [each for each in seen if images or not each.outdated]
                outdated += [each for each in seen if each.outdated and not images]
                found += chosen
                kept += [] if dry_run else _removed(chosen)
        except SandboxError as error:
            missed.append((name, error.message))
    return Cleaned(tuple(found), tuple(kept), tuple(missed), tuple(outdated))


def _places(everything: bool, hosts: Sequence[str]) -> dict[str, Look]:
    places: dict[str, Look] = {name: partial(_on_backend, name, everything) for name in backends.names()}
    places |= {host: partial(_on_host, host, everything) for host in hosts}
    return places | {"packages": _of_packages}


def _on_backend(name: str, everything: bool) -> AbstractContextManager[list[Leftover]]:
    return backends.load(name).leftovers(everything=everything)


def _on_host(host: str, everything: bool) -> AbstractContextManager[list[Leftover]]:
    from agentsys_sandbox.docker import endpoints, leftovers

    return leftovers.leftovers(lambda: endpoints.connect(endpoints.endpoint(host)), everything=everything)


@contextmanager
def _of_packages() -> Generator[list[Leftover]]:
    """Folders of the package store whose owner is gone."""
    from agentsys_sandbox.bwrap.reap import remove_tree
    from agentsys_sandbox.packages.store import abandoned_folders

    reason = "its owner is gone"
    yield [
        Leftover("packages", "folder", str(each), "", reason, partial(remove_tree, each))
        for each in abandoned_folders(shared_dir())
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
