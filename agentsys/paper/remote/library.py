"""Fetched papers on this disk, by number and version, each file with its hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import platformdirs

from agentsys.core.errors import PaperError
from agentsys.core.files import sha256_bytes, write_atomic
from agentsys.paper.load import read_paper
from agentsys.paper.remote.names import ARXIV, OPENREVIEW, Remote, remote_paper
from agentsys.paper.remote.transfer import Transfer

RECORD = "fetched.json"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of a paper."""

    paper: Path
    source: Path | None = None
    """LaTeX source, where there is one that can be read."""
    notes: tuple[str, ...] = ()


@dataclass
class Library:
    """Takes papers from the cache, and otherwise from the net."""

    folder: Path = field(default_factory=lambda: Path(platformdirs.user_cache_dir("agentsys")) / "papers")
    arxiv: str = ARXIV
    openreview: str = OPENREVIEW
    offline: bool = False
    transfer: Transfer = field(default_factory=Transfer)
    say: Callable[[str], None] = lambda _: None
    """Told what is fetched before it is."""

    def get(self, paper: Remote) -> Fetched:
        """Return the files of a paper; what is in the cache is asked of nobody.

        Raises: PaperError with exit code 3 if it is not in the cache and cannot be fetched, with 2 if there is no
        such paper or what was sent is not one.
        """
        if paper.site == "arxiv":
            return self._of_arxiv(paper)
        if paper.site == "openreview":
            address = f"{self.openreview.rstrip('/')}/pdf?id={paper.name}"
            return self._single(f"openreview-{paper.name}", address)
        digest = hashlib.sha256(paper.name.encode()).hexdigest()[:24]
        return self._single(f"address-{digest}", paper.name)

    def _single(self, name: str, address: str) -> Fetched:
        folder = self.folder / name
        return self._stored(folder) or self._store(folder, address, self._pdf(address), None)

    def _of_arxiv(self, paper: Remote) -> Fetched:
        version = paper.version or self._newest(paper.name)
        name = f"{paper.name}v{version}"
        folder = self.folder / f"arxiv-{name.replace('/', '_')}"
        if found := self._stored(folder):
            return found
        address = f"{self.arxiv.rstrip('/')}/pdf/{name}"
        pdf = self._pdf(address)
        source = self._fetch(f"{self.arxiv.rstrip('/')}/e-print/{name}")
        return self._store(folder, address, pdf, source)

    def _newest(self, name: str) -> int:
        """Ask for the newest version; offline, the newest of the cache."""
        if self.offline:
            stem = f"arxiv-{name.replace('/', '_')}v"
            known = [entry.name.removeprefix(stem) for entry in self.folder.glob(f"{stem}*")]
            versions = [int(text) for text in known if re.fullmatch(r"[1-9]\d?", text)]
            if not versions:
                raise self._absent(f"arXiv {name}")
            return max(versions)
        page = self._fetch(f"{self.arxiv.rstrip('/')}/abs/{name}")
        if page is None:
            raise PaperError(f"arXiv has no paper `{name}`", "check the number")
        found = re.findall(rf"{re.escape(name)}v([1-9]\d?)\b".encode(), page)
        return max(map(int, found), default=1)

    def _pdf(self, address: str) -> bytes:
        data = self._fetch(address)
        if data is None:
            raise PaperError(f"there is no paper at `{address}`", "check its number or address")
        if b"%PDF-" not in data[:1024]:
            raise PaperError(f"`{address}` answers with something that is no PDF", "open it in a browser, and save it")
        return data

    def _fetch(self, address: str) -> bytes | None:
        if self.offline:
            raise self._absent(address)
        self.say(f"fetching {address}")
        return self.transfer.get(address)

    def _absent(self, what: str) -> PaperError:
        hint = "fetch it once without `--offline`, or give the paper as a file"
        return PaperError(f"{what} is not in the cache, and `--offline` fetches nothing", hint, exit_code=3)

    def _store(self, folder: Path, address: str, pdf: bytes, source: bytes | None) -> Fetched:
        files = {"paper.pdf": pdf}
        # arXiv hands out the PDF again where its author gave no source.
        if source is not None and b"%PDF-" not in source[:1024]:
            files["source.tar.gz" if source[:2] == b"\x1f\x8b" else "source.tex"] = source
        for name, data in files.items():
            write_atomic(folder / name, data)
        hashes = {name: sha256_bytes(data) for name, data in files.items()}
        write_atomic(folder / RECORD, json.dumps({"address": address, "sha256": hashes}, indent=1) + "\n")
        return self._fetched(folder, hashes)

    def _stored(self, folder: Path) -> Fetched | None:
        """The files of a folder whose hashes are right; a damaged one is fetched again."""
        try:
            record: Any = json.loads((folder / RECORD).read_bytes())
            hashes = cast(dict[str, str], record["sha256"])
            whole = "paper.pdf" in hashes and set(hashes) <= {"paper.pdf", "source.tar.gz", "source.tex"}
            right = whole and all(sha256_bytes((folder / name).read_bytes()) == hashes[name] for name in hashes)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return self._fetched(folder, hashes) if right else None

    def _fetched(self, folder: Path, hashes: dict[str, str]) -> Fetched:
        """Look whether the source can be read: a bad one must not take the paper with it."""
        name = next((name for name in hashes if name.startswith("source")), None)
        if name is None:
            return Fetched(folder / "paper.pdf", notes=("no LaTeX source was found for it",))
        try:
            found = read_paper(folder / name)
        except PaperError as error:
            return Fetched(folder / "paper.pdf", notes=(f"its LaTeX source is left out: {error.message}",))
        if not found.equations and not found.tables and not found.sections:
            return Fetched(folder / "paper.pdf", notes=("its LaTeX source holds no text that could be read",))
        return Fetched(folder / "paper.pdf", folder / name)


def local_paper(
    text: str, *, arxiv: str = ARXIV, offline: bool = False, say: Callable[[str], None] = lambda _: None
) -> Fetched:
    """Return the files of what a user names: a path as it is, a number or address from the cache or the net.

    Args:
        arxiv: base address of arXiv, or of a copy of it.
        offline: fetch nothing.
        say: told what is fetched before it is, and what of it is missing.

    Raises: PaperError, see `Library.get`.
    """
    if Path(text).exists():
        return Fetched(Path(text))
    remote = remote_paper(text, arxiv)
    if remote is None:
        return Fetched(Path(text))
    found = Library(arxiv=arxiv, offline=offline, say=say).get(remote)
    for note in found.notes:
        say(note)
    return found
