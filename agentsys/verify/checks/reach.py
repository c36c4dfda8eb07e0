"""Which files a change of a repository can reach: what they import, directly or not, and what may import more."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from agentsys.core.tree import is_test_path
from agentsys.plan.symbols import imported_modules, parse

_LOADS = re.compile(
    r"\b(?:i?glob|r?glob|listdir|iterdir|scandir|f?walk|subprocess|os\.system|popen|importlib|__import__|runpy|inspect)\b"
    r"|\b(?:exec|eval|compile)\(|\.py['\"]|^\s*from\s+\.",
    re.IGNORECASE | re.MULTILINE,
)
"""Words by which a module could come to execute or read code that it does not import; relative imports among them."""
_RELATIVE = re.compile(r"^\s*from\s+\.", re.MULTILINE)


def unreached(files: Mapping[str, bytes], changed: Collection[str]) -> set[str]:
    """Return the test files whose outcome no changed file can have a part in; none where more than code changed.

    Args:
        files: the repository as it is now.
        changed: paths whose content differs, those of removed files included.
    """
    if any(not path.endswith(".py") or path.endswith(("conftest.py", "__init__.py")) for path in changed):
        return set()
    sources = _python(files)
    direct = _direct(sources)
    opaque = {path for path, text in sources.items() if _LOADS.search(text)}
    apart = {*changed, *opaque}
    return {path for path in sources if is_test_path(path) and apart.isdisjoint(_closure(path, direct))}


def unreached_types(files: Mapping[str, bytes], changed: Collection[str]) -> set[str]:
    """Return the Python files of which a static type checker must find what it found before the change.

    Args:
        files: the repository as it is now, with the same paths as before.
        changed: paths whose content differs.
    """
    sources = _python(files)
    if len({_module(path) for path in sources}) < len(sources):
        return set()  # two files go by one name: which of them is meant, the type checker decides
    opaque = {path for path, text in sources.items() if _RELATIVE.search(text) or parse(text) is None}
    direct, apart = _direct(sources), {*changed, *opaque}
    return {path for path in sources if apart.isdisjoint(_closure(path, direct))}


def _python(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: data.decode("utf-8", "replace") for path, data in files.items() if path.endswith(".py")}


def _direct(sources: Mapping[str, str]) -> dict[str, set[str]]:
    paths = {_module(path): path for path in sources}
    return {path: _imports(path, text, paths) for path, text in sources.items()}


def _closure(path: str, direct: Mapping[str, set[str]]) -> set[str]:
    """Return a file and all that it imports, directly or not."""
    seen, rest = set[str](), [path]
    while rest:
        one = rest.pop()
        if one not in seen:
            seen.add(one)
            rest += direct[one]
    return seen


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
