"""Which test files a change of a repository can reach: what they import, directly or not, and what may import more."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import imported_modules

_LOADS = re.compile(
    r"\b(?:i?glob|r?glob|listdir|iterdir|scandir|f?walk|subprocess|os\.system|popen|importlib|__import__|runpy|inspect)\b"
    r"|\b(?:exec|eval|compile)\(|\.py['\"]|^\s*from\s+\.",
    re.IGNORECASE | re.MULTILINE,
)
"""Words by which a module could come to execute or read code that it does not import; relative imports among them."""


def unreached(files: Mapping[str, bytes], changed: Collection[str]) -> set[str]:
    """Return the test files whose outcome no changed file can have a part in; none where more than code changed.

    Args:
        files: the repository as it is now.
        changed: paths whose content differs, those of removed files included.
    """
    if any(not path.endswith(".py") or path.endswith(("conftest.py", "__init__.py")) for path in changed):
        return set()
    sources = {path: data.decode("utf-8", "replace") for path, data in files.items() if path.endswith(".py")}
    paths = {_module(path): path for path in sources}
    direct = {path: _imports(path, text, paths) for path, text in sources.items()}
    return {path for path in sources if is_test_path(path) and _apart(path, direct, sources, set(changed))}


def _apart(path: str, direct: Mapping[str, set[str]], sources: Mapping[str, str], changed: set[str]) -> bool:
    seen, rest = set[str](), [path]
    while rest:
        one = rest.pop()
        if one not in seen:
            seen.add(one)
            rest += direct[one]
    return changed.isdisjoint(seen) and not any(_LOADS.search(sources[one]) for one in seen)


def _imports(path: str, text: str, paths: Mapping[str, str]) -> set[str]:
    """Return what a file imports, with the packages around it, and what pytest loads for its folder."""
    names = {part for name in imported_modules(text) for part in _prefixes(name)}
    folder = path.rpartition("/")[0].replace("/", ".")
    names |= {f"{folder}.{name}" for name in names if folder}  # a folder of tests may stand on the path
    conftests = {"conftest.py", *(f"{part.replace('.', '/')}/conftest.py" for part in _prefixes(folder))}
    return {paths[name] for name in names if name in paths} | conftests.intersection(paths.values())


def _prefixes(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[: number + 1]) for number in range(len(parts)))


def _module(path: str) -> str:
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
