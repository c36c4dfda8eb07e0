"""Fetches planned sources into the cache and pins them: the policy first, then sizes, transfer, hash, a look inside."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from agentsys.core.artifacts import DataSource
from agentsys.core.errors import AgentsysError, BlockedError, LimitReached, PrerequisiteError
from agentsys.core.settings import Settings
from agentsys.verify.data.archives import is_archive, unpack
from agentsys.verify.data.contents import why_not_data
from agentsys.verify.data.pins import Pinned, pin, read_lock
from agentsys.verify.data.sources import FETCHED, HUB, Located, locate
from agentsys.verify.data.store import Store, hash_of
from agentsys.verify.data.wire import Remote, Wire

GB = 1e9
TOLD = 24
"""Progress is told about every 2^24 bytes."""


@dataclass(frozen=True)
class Offer:
    """A source that could be fetched, as it describes itself."""

    source: DataSource
    located: Located

    @property
    def size(self) -> int:
        """Bytes, as the source says, or else as the plan does; 0 where nobody does."""
        return self.located.size or self.source.size

    @property
    def addresses(self) -> list[str]:
        """Where its files come from."""
        return [file.url for file in self.located.files]

    @property
    def words(self) -> str:
        """What a person decides on."""
        size = f"{self.size / GB:.3g} GB" if self.size >= GB / 10 else f"{self.size / 1e6:.3g} MB"
        hosts = sorted({urlsplit(file.url).hostname or "" for file in self.located.files})
        parts = (
            self.source.label,
            size if self.size else "size not stated",
            f"licence {self.located.licence or 'not stated'}",
            f"{len(self.located.files)} files from {', '.join(hosts)}",
        )
        return f"{self.source.name}: {'; '.join(parts)}"


class Fetcher:
    """Fetches for one repository. Calls block; they end soon after `stop` is set, with Interrupted.

    Args:
        repo: where `data.lock.json` lies.
        hosts: those that the policy permits.
        said: told of progress: a name, and words.
    """

    def __init__(
        self,
        repo: Path,
        settings: Settings,
        hosts: Sequence[str],
        *,
        store: Store | None = None,
        said: Callable[[str, str], None] = lambda _name, _words: None,
    ) -> None:
        self.store = store or Store()
        self.stop = threading.Event()
        self._repo = repo
        self._offline = settings.offline
        self._left = int(settings.data_budget * GB)
        self._said = said
        mirrors = dict(text.split("=", 1) for text in settings.data_mirrors)
        self.wire = Wire(hosts, mirrors, stop=self.stop)

    def here(self, source: DataSource) -> Pinned | None:
        """Return a source of which every file is in the cache, by the repository's pin or as last fetched.

        Raises: UsageError where the pins are damaged.
        """
        pinned = read_lock(self._repo).of(source)
        if pinned is not None:
            return pinned if self.store.has(pinned) else None
        known = self.store.known(source)
        if known is not None:
            pin(self._repo, source.name, known)
        return known

    def missing(self, sources: Sequence[DataSource]) -> list[DataSource]:
        """Return the sources that have to be fetched."""
        return [source for source in sources if source.kind in FETCHED and self.here(source) is None]

    def offer(self, source: DataSource) -> Offer:
        """Ask a source what it would send, and fetch none of it.

        Raises: BlockedError, PrerequisiteError; LimitReached where it is larger than what is left of the budget.
        """
        if self._offline:
            raise PrerequisiteError(
                f"offline, and `{source.name}` ({source.label}) is not in the cache",
                "fetch it once without `--offline`, or name a folder: `--data-dir DIR`",
            )
        pinned = read_lock(self._repo).of(source)
        found = Offer(source, locate(source, self.wire, pinned.revision if pinned is not None else ""))
        if found.size > self._left:
            raise LimitReached(
                f"`{source.name}` has {found.size / GB:.3g} GB, and {self._left / GB:.3g} GB are left of `data_budget`",
                "raise it: `--set data_budget=GB`",
                "budget",
            )
        return found

    def fetch(self, offer: Offer) -> Pinned:
        """Fetch a source, look into it, and pin it. What has arrived is kept when it fails.

        Raises: BlockedError (wrong hash, other content than was pinned, pickles and programs, archives without end),
            PrerequisiteError (no network), LimitReached (budget), Interrupted.
        """
        source = offer.source
        with self.store.alone(source, self.stop):
            if (known := self.here(source)) is not None:  # another process was faster
                return known
            with self.store.scratch() as folder:
                pinned = self._fetched(offer, folder)
            self._compare(source, pinned)
            self.store.learn(source, pinned)
            pin(self._repo, source.name, pinned)
            return pinned

    def _fetched(self, offer: Offer, folder: Path) -> Pinned:
        source, room = offer.source, self._left
        fetched, files, left_out = dict[str, str](), dict[str, str](), dict[str, str]()
        size = 0
        for remote in offer.located.files:
            whole = self._transfer(source, remote)
            self._left -= whole.stat().st_size
            fetched[remote.url] = hash_of(whole)
            if is_archive(remote.name):
                done = unpack(whole, remote.name, folder, room)
                left_out |= done.left_out
                names = [name for name in done.files if name not in files]
            else:
                if why := why_not_data(whole, remote.name):
                    raise BlockedError(f"`{remote.url}` is not taken as data: {why}", "see docs/data.md")
                names = [remote.name]
                target = folder / remote.name
                target.parent.mkdir(parents=True, exist_ok=True)
                whole.replace(target)
            for name in names:
                length = (folder / name).stat().st_size
                size, room = size + length, room - length
                files[name] = self.store.put(folder / name)
            whole.unlink(missing_ok=True)
        if not files:
            raise BlockedError(
                f"{source.label} holds nothing that is taken as data: {_first(left_out)}", "see docs/data.md"
            )
        return Pinned(
            kind=source.kind,
            what=source.what,
            identifier=source.identifier,
            revision=offer.located.revision,
            asked=source.files,
            licence=offer.located.licence,
            fetched=fetched,
            files=dict(sorted(files.items())),
            size=size,
            left_out=left_out,
        )

    def _transfer(self, source: DataSource, remote: Remote) -> Path:
        """Bring one file, whole and with the right hash. Pooch decides what is done, our own wire does it."""
        try:
            import pooch
        except ImportError as error:
            raise PrerequisiteError("`pooch` is not installed", "pip install 'agentsys[data]'") from error
        folder = self.store.incoming(remote.url)
        known = remote.checksum if remote.checksum and not remote.checksum.startswith("git:") else None
        shown = f" of {remote.size / 1e6:.1f}" if remote.size else ""
        told = 0

        def said(_url: str, size: int) -> None:
            nonlocal told
            if size >> TOLD != told:
                told = size >> TOLD
                self._said(source.name, f"{remote.name}: {size / 1e6:.1f}{shown} MB")

        self.wire.said = said

        def bring(_url: str, target: str, _pooch: object) -> None:
            self.wire.download(remote, folder / "part", self._left)
            (folder / "part").replace(target)
            (folder / "part.tag").unlink(missing_ok=True)

        pooch.get_logger().setLevel("ERROR")
        try:
            retrieve = cast("Callable[..., str]", pooch.retrieve)  # pyright: ignore[reportUnknownMemberType]
            whole = Path(retrieve(remote.url, known, "whole", folder, downloader=bring))
        except ValueError as error:
            raise _wrong_hash(remote) from error
        if remote.checksum.startswith("git:") and _git_object(whole) != remote.checksum[4:]:
            whole.unlink()
            raise _wrong_hash(remote)
        return whole

    def _compare(self, source: DataSource, found: Pinned) -> None:
        """See that it is what was pinned. Raises: BlockedError."""
        pinned = read_lock(self._repo).of(source)
        if pinned is None or pinned.files == found.files:
            return
        names = sorted({name for name, _ in pinned.files.items() ^ found.files.items()})
        raise BlockedError(
            f"{source.label} now serves other data than `data.lock.json` pins: {', '.join(names[:5])}",
            "take the pinned files from where they are kept (`--data-dir`), or remove the entry to pin anew",
        )


def refused(error: AgentsysError) -> str:
    """Return a failure and its remedy in one line."""
    return f"{error.message} ({error.hint})" if error.hint else error.message


def hub_mirror(settings: Settings, endpoint: str) -> Settings:
    """Take the hub's own variable for a mirror, where the settings name none."""
    if not endpoint.startswith("http") or any(text.startswith(f"{HUB}=") for text in settings.data_mirrors):
        return settings
    return settings.model_copy(update={"data_mirrors": [*settings.data_mirrors, f"{HUB}={endpoint}"]})


def _wrong_hash(remote: Remote) -> BlockedError:
    return BlockedError(
        f"`{remote.url}` has another hash than its source says ({remote.checksum})", "fetch again, and ask its keeper"
    )


def _git_object(file: Path) -> str:
    digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
    with file.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _first(left_out: dict[str, str]) -> str:
    return next((f"`{name}`: {why}" for name, why in left_out.items()), "it is empty")
