"""Which files a change of a repository can reach: what they import, directly or not, and what may import more."""

from __future__ import annotations

import ast
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


def unreached(files: Mapping[str, bytes], changed: Collection[str]) -> set[str]:
    """Return the test files whose outcome no changed file can have a part in; none where more than code changed.

    Args:
        files: the repository as it is now.
        changed: paths whose content differs, those of removed files included.
    """
    if any(not path.endswith(".py") or path.endswith(("conftest.py", "__init__.py")) for path in changed):
        return set()
    sources = _python(files)
    opaque = {path for path, text in sources.items() if _LOADS.search(text)}
    return {path for path in _apart(sources, {*changed, *opaque}) if is_test_path(path)}


def unreached_types(files: Mapping[str, bytes], changed: Collection[str]) -> set[str]:
    """Return the Python files of which a static type checker must find what it found before the change.

    Args:
        files: the repository as it is now, with the same paths as before.
        changed: paths whose content differs.
    """
    return _apart(_python(files), set(changed))


def _python(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: data.decode("utf-8", "replace") for path, data in files.items() if path.endswith(".py")}


def _apart(sources: Mapping[str, str], reaching: set[str]) -> set[str]:
    """Return the files that import none of these, directly or not, nor one whose imports cannot be told."""
    trees = {path: parse(text) for path, text in sources.items()}
    reaching = reaching | {path for path, tree in trees.items() if tree is None or _is_relative(tree)}
    named = _by_ending(sources)
    direct = {path: _imports(path, text, named) for path, text in sources.items()}
    return {path for path in sources if reaching.isdisjoint(_closure(path, direct))}


def _is_relative(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(tree))


def _by_ending(sources: Iterable[str]) -> dict[str, set[str]]:
    """Return the files that a dotted name may stand for: those whose path ends in it.

    Folders of sources and tests may stand on the path, and a build may map packages to any.
    """
    found: dict[str, set[str]] = {}
    for path in sources:
        parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
        for first in range(len(parts)):
            found.setdefault(".".join(parts[first:]), set()).add(path)
    return found


def _closure(path: str, direct: Mapping[str, set[str]]) -> set[str]:
    """Return a file and all that it imports, directly or not."""
    seen, rest = set[str](), [path]
    while rest:
        one = rest.pop()
        if one not in seen:
            seen.add(one)
            rest += direct[one]
    return seen


def _imports(path: str, text: str, named: Mapping[str, set[str]]) -> set[str]:
    """Return what a file may import, with the packages around it, and what pytest loads for its folder."""
    modules = imported_modules(text)
    found = {file for name in modules for part in _prefixes(name) for file in named.get(part, ())}
    for name in modules:
        if name.endswith(".*"):  # all that the package hands on, its modules among them
            found |= {file for key, files in named.items() if key.startswith(name[:-1]) for file in files}
    folders = path.split("/")[:-1]
    conftests = {"/".join([*folders[:depth], "conftest.py"]) for depth in range(len(folders) + 1)}
    return found | conftests.intersection(named.get("conftest", ()))


def _prefixes(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[: number + 1]) for number in range(len(parts)))
