from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentsys.core.errors import EditError
from agentsys.debug.textcheck import check_text

WRONG = [
    ("a.py", "def f(:\n", "line 1"),
    ("a.py", "return 1\n", "outside function"),
    ("a.py", "x = (\n", "never closed"),
    ("a.json", '{"a": }', "JSON"),
    ("a.toml", "a = \n", "TOML"),
    ("a.yaml", "a: [1\n", "YAML"),
    ("a.yml", "a: b: c\n", "YAML"),
    ("a.ipynb", "{", "JSON"),
    ("a.txt", "a\x00b", "control character"),
    ("a.txt", "a\x1b[0m", "control character"),
    ("a.txt", "a\udc80", "no text"),
    ("a.md", "x\n>>>>>>> REPLACE\n", "marker"),
    ("a.md", "x" * (1 << 20) + "y", "bytes"),
    ("a.py", "x = " + "(" * 5000 + ")" * 5000, "not valid Python"),
]
RIGHT = [
    ("a.py", "def f() -> int:\n    return 1\n"),
    ("a.py", ""),
    ("a.py", "x = '\\d'\n"),
    ("a.json", '{"a": [1, 2.5]}'),
    ("a.toml", 'a = "b"\n'),
    ("a.yaml", "a: &x [1, 2]\nb: *x\n"),
    ("a.md", "# Title\n\ttab\r\n"),
    ("Makefile", "all:\n\ttrue\n"),
]


@pytest.mark.parametrize(("path", "text", "said"), WRONG, ids=[f"{path}-{said}" for path, _, said in WRONG])
def test_text_that_does_not_parse_is_refused_with_the_fault(path: str, text: str, said: str) -> None:
    with pytest.raises(EditError, match=said):
        check_text(path, text)


@pytest.mark.parametrize(("path", "text"), RIGHT)
def test_text_that_parses_is_accepted(path: str, text: str) -> None:
    check_text(path, text)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_a_shell_script_is_read_and_not_run(tmp_path: Path) -> None:
    check_text("run.sh", f"set -eu\ntouch {tmp_path}/ran\n")
    with pytest.raises(EditError, match="not valid shell"):
        check_text("run.sh", f"touch {tmp_path}/ran\nif true; then\n")
    assert not (tmp_path / "ran").exists()


def test_python_is_compiled_and_not_run(tmp_path: Path) -> None:
    check_text("a.py", f"open('{tmp_path}/ran', 'w')\n")
    assert not (tmp_path / "ran").exists()
