"""The repository under evaluation, read and never executed here."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from agentsys.core.artifacts import Plan
from agentsys.core.errors import InternalError, UsageError
from agentsys.core.tree import is_test_path, read_tree, tree_hash
from agentsys.plan.files import load_plan
from agentsys.plan.symbols import parse

Kind = Literal["empty", "no_code", "code"]
"""`no_code`: there are files, but configuration, documents, tests and constants alone."""

CODE = frozenset(
    {".py", ".ipynb", ".c", ".cc", ".cpp", ".cu", ".h", ".hpp", ".java", ".jl", ".r", ".m", ".rs", ".go", ".js", ".ts"}
)
"""Endings of files that can hold a method; a shell script only calls one."""


@dataclass(frozen=True)
class Subject:
    """One repository: its files as they lie there, and the plan where it is that of a run."""

    name: str
    files: Mapping[str, bytes]
    kind: Kind
    plan: Plan | None = None

    @property
    def tree(self) -> str:
        return tree_hash(self.files)


def read_subject(path: Path) -> Subject:
    """Read a repository, or that of a run directory. Links are not followed, results and caches not read.

    Raises: UsageError if it is no folder, or larger than is read.
    """
    if not path.is_dir():
        raise UsageError(f"`{path}` is not a folder", "name a repository or a run")
    run = path if (path / "run.json").is_file() and (path / "repo").is_dir() else None
    root = path / "repo" if run else path
    try:
        files = read_tree(root)
    except InternalError as error:
        raise UsageError(error.message, "evaluate a copy without data and outputs") from error
    plan = load_plan(run / "plan") if run else None
    return Subject(path.resolve().name, files, kind_of(files), plan)


def kind_of(files: Mapping[str, bytes]) -> Kind:
    """Say whether there is anything that could implement a method."""
    if not any(data.strip() for data in files.values()):
        return "empty"
    return "code" if method_files(files) else "no_code"


def method_files(files: Mapping[str, bytes]) -> list[str]:
    """Return the paths of files that hold more than configuration: no tests, no constants, no set-up script."""
    return [path for path, data in files.items() if _is_method(path, data)]


def text_of(data: bytes) -> str | None:
    """Return a file as text; None for a binary one."""
    if b"\0" in data[:8192]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_method(path: str, data: bytes) -> bool:
    suffix = Path(path).suffix.lower()
    text = text_of(data)
    if (
        suffix not in CODE
        or is_test_path(path)
        or path.rpartition("/")[2] == "setup.py"
        or not text
        or not text.strip()
    ):
        return False
    if suffix == ".ipynb":
        return _has_code_cell(text)
    return suffix != ".py" or _does_something(text)


def _does_something(text: str) -> bool:
    tree = parse(text)
    if tree is None:
        return True  # it may be broken code; the checks say so
    return any(
        isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.For | ast.While | ast.With | ast.If
        )
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        for node in tree.body
    )


def _has_code_cell(text: str) -> bool:
    try:
        notebook: object = json.loads(text)
    except ValueError:
        return False
    cells = cast("dict[str, object]", notebook).get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        return False
    for cell in cast("list[object]", cells):
        if isinstance(cell, dict):
            fields = cast("dict[str, object]", cell)
            if (
                fields.get("cell_type") == "code"
                and "".join(map(str, cast("list[object]", fields.get("source") or []))).strip()
            ):
                return True
    return False
