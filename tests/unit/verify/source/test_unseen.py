"""What the type checker cannot see is found, and what silences it is blanked without moving anything."""

from __future__ import annotations

import pytest

from agentsys.verify.source.unseen import unseen_findings, without_silencing

HEAD = "import typing\nfrom typing import TYPE_CHECKING\n"
HIDDEN = {
    "not": "if not TYPE_CHECKING:\n    def f(): pass\n",
    "else": "if TYPE_CHECKING:\n    import x\nelse:\n    y = 1\n",
    "attribute": "if not typing.TYPE_CHECKING:\n    y = 1\n",
    "with or": "if not TYPE_CHECKING or False:\n    y = 1\n",
    "with and": "if TYPE_CHECKING and y:\n    pass\nelse:\n    z = 1\n".replace(" and y", " and True"),
    "while": "while not TYPE_CHECKING:\n    y = 1\n",
    "expression": "y = 1 if TYPE_CHECKING else 'a' + 1\n",
    "assertion": "def f():\n    assert not TYPE_CHECKING\n    return 'a' + 1\n",
    "return": "def f():\n    if TYPE_CHECKING:\n        return 1\n    return 'a' + 1\n",
    "no return": "import sys\nif TYPE_CHECKING:\n    sys.exit()\n'a' + 1\n",
    "try": "if not TYPE_CHECKING:\n    try:\n        import x\n    except ImportError:\n        x = 1\n",
    "mark": "@typing.no_type_check\ndef f(): pass\n",
    "mark by name": "from typing import no_type_check as plain\n",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_code_is_found(name: str) -> None:
    found = unseen_findings({"pkg/core.py": (HEAD + HIDDEN[name]).encode()})
    assert [(item.kind, item.check, item.path) for item in found] == [("type", "pyright", "pkg/core.py")]
    assert found[0].line and found[0].line > 2


SEEN = [
    "if TYPE_CHECKING:\n    from x import Y\n    Z = list[int]\n",
    "if TYPE_CHECKING:\n    import x\nelse:\n    import y as x\n",
    "if not TYPE_CHECKING:\n    try:\n        import x\n    except ImportError:\n        pass\n",
    "import sys\nif sys.version_info < (3, 8):\n    y = 1\nif False:\n    z = 1\n",
    "if TYPE_CHECKING:\n    class P(typing.Protocol):\n        def f(self) -> int: ...\n",
]


@pytest.mark.parametrize("text", SEEN)
def test_imports_for_annotations_are_no_finding(text: str) -> None:
    assert unseen_findings({"pkg/core.py": (HEAD + text).encode()}) == []


@pytest.mark.parametrize(
    "path",
    ["typings/numpy/__init__.pyi", "pkg/core.pyi", "numpy/__init__.py", "src/yaml.py", "tests/numpy.py", "pkg/x.so",
     "pkg/__pycache__/core.cpython-311.pyc"],
)  # fmt: skip
def test_stubs_shadows_and_compiled_files_are_found(path: str) -> None:
    found = unseen_findings({"pkg/__init__.py": b"", "pkg/core.py": b"", path: b""}, {"numpy", "pyyaml"})
    assert [item.path for item in found] == [path]


def test_modules_of_the_package_and_the_package_itself_shadow_nothing() -> None:
    files = {"pkg/__init__.py": b"", "pkg/numpy.py": b"", "pkg/sub/__init__.py": b"", "pkg/sub/yaml.py": b"",
             "numpy/notes.md": b"", "requests.py": b""}  # fmt: skip
    assert unseen_findings(files, {"numpy", "pyyaml", "pkg"}, {"pkg"}) == []


def test_silencing_comments_are_blanked_in_place() -> None:
    text = (
        "# pyright: basic\nx: int = 'a'  # noqa # type: ignore[assignment]\ny = '# type: ignore'\r\n"
        "z = 'ü\x0c'  # mypy: ignore-errors\n# a plain remark\nw = []  # type: list[int]\n"
    )
    blanked, count = without_silencing(text)
    assert count == 3 and len(blanked) == len(text)
    assert [len(line) for line in blanked.split("\n")] == [len(line) for line in text.split("\n")]
    assert blanked.count("type: ignore") == 1 and "pyright" not in blanked and "mypy" not in blanked
    assert "# a plain remark" in blanked and "# type: list[int]" in blanked


def test_silencing_comments_are_blanked_in_another_pythons_syntax_too() -> None:
    text = "def f(:\n    x = 1  # type: ignore\n    y = ('''\n"
    blanked, count = without_silencing(text)
    assert count == 1 and "ignore" not in blanked and len(blanked) == len(text)
