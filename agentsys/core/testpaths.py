"""Which files of a repository hold tests."""

from __future__ import annotations


def is_test_path(path: str) -> bool:
    """True for files that hold tests rather than the method."""
    name = path.rpartition("/")[2]
    in_folder = any(part in ("tests", "test") for part in path.split("/")[:-1])
    return in_folder or name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py")
