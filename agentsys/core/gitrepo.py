"""git for the deliverable: one commit a round, run so that nothing in the repository or on the machine takes part.

No hooks, no configuration of user or system, no filters, no attributes of the repository, no network, no prompts.
Identity and dates are fixed, so that the same files give the same commits wherever they are made.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from agentsys.core.blocks import FIGURES
from agentsys.core.errors import GitError
from agentsys.core.files import write_atomic

_EPOCH = 946684800  # 2000-01-01T00:00:00Z; each commit is a second later than the one before
_TIMEOUT = 120.0
_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.symlinks=true",
    "core.quotePath=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "diff.renames=true",
    "user.name=agentsys",
    "user.email=agentsys@localhost",
)
_ATTRIBUTES = "* -text -eol -crlf -ident -filter -working-tree-encoding -merge -export-ignore -export-subst !diff\n"
"""In .git/info/attributes these win over every .gitattributes: files are stored byte for byte."""


class GitRepo:
    """The git repository at `path`; methods raise GitError."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def init(self) -> None:
        """Make the repository if there is none; an existing one is kept."""
        self.path.mkdir(parents=True, exist_ok=True)
        git_dir = self.path / ".git"
        if git_dir.is_symlink() or (git_dir.exists() and not git_dir.is_dir()):
            raise GitError(f"`{git_dir}` is not a folder of git's", "remove it and run again")
        if not (git_dir / "HEAD").exists():
            self._git("init", "--quiet", "--initial-branch=main", "--template=", plain=True)
        (git_dir / "index.lock").unlink(missing_ok=True)  # left by a killed process; the run's own lock is held
        write_atomic(git_dir / "info" / "attributes", _ATTRIBUTES)

    def commit(self, message: str) -> str:
        """Commit everything that lies in the folder, ignored files too, and return the commit's id.

        Without a change the last commit's id is returned; the very first commit may be empty.
        """
        self._check_embedded()
        self._git("add", "--all", "--force", ".")
        if self.head() and not self._git("status", "--porcelain", "-z", "--untracked-files=all"):
            return self.head()
        return self._commit(message)

    def commit_files(self, paths: Iterable[str], message: str) -> str:
        """Commit these files and folders, or that they are gone, and nothing else that may lie there half done.

        Returns: the last commit's id.
        """
        wanted = list(paths)
        if self.head():
            self._git("read-tree", "HEAD")
        there = [path for path in wanted if os.path.lexists(self.path / path)]
        if gone := [path for path in wanted if path not in there]:
            self._git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", *gone)
        if there:
            self._git("add", "--force", "--", *there)
        if self.head() and not self._git("diff-index", "--cached", "--name-only", "-z", "HEAD"):
            return self.head()
        return self._commit(message)

    def restore(self, sha: str) -> str:
        """Roll the files back to those of commit `sha`, as a new commit on top; return its id."""
        target = self._resolve(sha)
        self._git("read-tree", "--reset", "-u", target)
        self._git("clean", "-ffdxq")
        return self._commit(f"Roll back to {target[:12]}")

    def discard(self) -> None:
        """Put the folder back to the last commit; what was not committed is lost."""
        if self.head():
            self._git("read-tree", "--reset", "-u", "HEAD")
            self._git("clean", "-ffdxq")

    def head(self) -> str:
        """Return the id of the last commit, or `` before the first."""
        return self._git("rev-parse", "--quiet", "--verify", "HEAD^{commit}", ok=(0, 1)).decode().strip()

    def tree_hash(self, sha: str = "HEAD") -> str:
        """Return git's id of a commit's tree: equal files, equal id."""
        return self._git("rev-parse", "--verify", f"{self._resolve(sha)}^{{tree}}").decode().strip()

    def files(self, sha: str = "HEAD") -> dict[str, bytes]:
        """Return the content of a commit's regular files, byte for byte as committed."""
        blobs = self._blobs(sha)
        asked = "".join(f"{blob}\n" for blob in blobs.values()).encode()
        raw = self._git("cat-file", "--batch", stdin=asked)
        found: dict[str, bytes] = {}
        position = 0
        for name in blobs:
            end = raw.index(b"\n", position)
            size = int(raw[position:end].split()[2])
            found[name] = raw[end + 1 : end + 1 + size]
            position = end + 2 + size
        return found

    def diff(self, old: str, new: str = "") -> str:
        """Return the unified diff between two commits, or between a commit and the folder's tracked files.

        The paper's figures are left out: they come and go with the end of a run, and nobody edits them.
        """
        ends = [self._resolve(old)] + ([self._resolve(new)] if new else [])
        names = self._git("diff", "--name-only", "--no-renames", "-z", *ends, "--").decode("utf-8", "surrogateescape")
        shown = [name for name in names.split("\0") if name and not name.startswith(FIGURES)]
        if not shown:
            return ""
        options = ("--no-ext-diff", "--no-textconv", "--no-color")
        return self._git("diff", *options, *ends, "--", *shown).decode("utf-8", "replace")

    def changed(self, old: str, new: str = "HEAD") -> set[str]:
        """Return the files that differ between two commits."""
        before, after = self._blobs(old), self._blobs(new)
        return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}

    def _blobs(self, sha: str) -> dict[str, str]:
        """Path to blob id. Raises GitError for links and submodules: nothing of ours makes them."""
        found: dict[str, str] = {}
        for entry in self._git("ls-tree", "-rz", "--full-tree", self._resolve(sha)).split(b"\0"):
            if not entry:
                continue
            head, _, name = entry.partition(b"\t")
            mode, _, blob = head.decode().split(" ")
            path = name.decode("utf-8", "surrogateescape")
            if mode not in ("100644", "100755"):
                raise GitError(f"`{path}` is a link or a submodule, not a file")
            found[path] = blob
        return found

    def _check_embedded(self) -> None:
        """A second repository inside would be committed as a reference to nothing."""
        for folder, folders, names in os.walk(self.path):
            inner = Path(folder) != self.path and (".git" in folders or ".git" in names)
            if inner:
                raise GitError(f"`{Path(folder).relative_to(self.path)}` is a git repository of its own")
            if ".git" in folders:
                folders.remove(".git")

    def _commit(self, message: str) -> str:
        count = int(self._git("rev-list", "--count", "HEAD", ok=(0, 128)).decode().strip() or 0) if self.head() else 0
        date = f"{_EPOCH + count} +0000"
        text = message.replace("\0", "").strip() or "Change"
        self._git("commit", "--quiet", "--allow-empty", "--no-verify", "--file=-", stdin=text.encode(), date=date)
        return self.head()

    def _resolve(self, sha: str) -> str:
        if sha.startswith("-"):
            raise GitError(f"`{sha}` is not a commit")
        found = self._git("rev-parse", "--quiet", "--verify", f"{sha}^{{commit}}", ok=(0, 1, 128)).decode().strip()
        if not found:
            raise GitError(f"`{sha}` is not a commit of `{self.path.name}`")
        return found

    def _git(
        self, *args: str, stdin: bytes = b"", date: str = "", ok: tuple[int, ...] = (0,), plain: bool = False
    ) -> bytes:
        """Run git in a closed environment and return its output."""
        where = [] if plain else [f"--git-dir={self.path / '.git'}", f"--work-tree={self.path}"]
        settings = [part for item in _CONFIG for part in ("-c", item)]
        command = ["git", *settings, *where, *args]
        try:
            done = subprocess.run(
                command, cwd=self.path, env=_environment(self.path, date), input=stdin, capture_output=True,
                timeout=_TIMEOUT, check=False,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise GitError("git is not installed", "install git") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {args[0]} did not end within {_TIMEOUT:.0f} s") from error
        if done.returncode not in ok:
            said = done.stderr.decode("utf-8", "replace").strip()[:500]
            raise GitError(f"git {args[0]} failed: {said}")
        return done.stdout


def _environment(path: Path, date: str) -> dict[str, str]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CEILING_DIRECTORIES": str(path.parent),
        "GIT_LITERAL_PATHSPECS": "1",
    }
    if date:
        environment |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    return environment
