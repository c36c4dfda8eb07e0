"""Facts about a repository that its logs are read with: its files, its plan, what is installed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from agentsys.core.artifacts import Plan
from agentsys.plan.distributions import normal_name


@dataclass(frozen=True)
class RepoFacts:
    """What turns an error text into a diagnosis."""

    files: frozenset[str] = frozenset()
    """POSIX paths of the repository's files."""
    plan: Plan | None = None
    installed: frozenset[str] = frozenset()
    """Normal names of installed distributions."""
    root: str = "/work/repo"
    """Where the repository lay when the logs were written."""
    texts: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Texts of files that messages point into: requirements.txt, pyproject.toml."""

    def requirements(self, path: str) -> tuple[str, ...]:
        """Return the ids of the ledger that the file at `path` touches."""
        if self.plan is None or not path:
            return ()
        ids = [item for spec in self.plan.files if spec.path == path for item in spec.requirements]
        ids += [item.id for item in self.plan.requirements if item.owner == path]
        return tuple(dict.fromkeys(ids))

    def own_modules(self) -> frozenset[str]:
        """Return the dotted names of all modules and packages of the repository, as its root or `src` sees them."""
        names: set[str] = set()
        planned = {spec.path for spec in self.plan.files} if self.plan else set[str]()
        for path in self.files | planned:
            if not path.endswith(".py"):
                continue
            parts = path.removeprefix("src/").removesuffix(".py").split("/")
            if parts[-1] == "__init__":
                parts = parts[:-1]
            names.update(".".join(parts[: end + 1]) for end in range(len(parts)))
        if self.plan:
            names.add(self.plan.package)
        return frozenset(names)

    def is_own(self, module: str) -> bool:
        """True if the top of `module` is a package or module of the repository."""
        top = module.partition(".")[0]
        return any(name.partition(".")[0] == top for name in self.own_modules())

    def closest_module(self, module: str) -> str:
        """Return the repository's module whose name is nearest to `module`, or `` if none is near."""
        names = sorted(self.own_modules())
        return next(iter(difflib.get_close_matches(module, names, n=1, cutoff=0.75)), "")

    def is_installed(self, distribution: str) -> bool:
        """True if that distribution is in the environment."""
        return normal_name(distribution) in self.installed
