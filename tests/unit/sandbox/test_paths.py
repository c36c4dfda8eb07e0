"""No path leaves the folder it has to stay in."""

from __future__ import annotations

import pytest

from agentsys_sandbox.paths import BadPath, inside, relative


@pytest.mark.parametrize(
    ("path", "root", "found"),
    [
        ("a.py", "/work/repo", "/work/repo/a.py"),
        ("./a//b/./c", "/work/repo", "/work/repo/a/b/c"),
        ("/work/repo/a", "/work/repo", "/work/repo/a"),
        ("/work/repo", "/work/repo", "/work/repo"),
        ("/work", "/work", "/work"),
        ("repo/x", "/work", "/work/repo/x"),
        ("//work/x", "/work", "/work/x"),
        ("...", "/work", "/work/..."),
        ("a b-ü.txt", "/work", "/work/a b-ü.txt"),
        (".", "/work/repo", "/work/repo"),
    ],
)
def test_paths_inside_become_absolute_and_normal(path: str, root: str, found: str) -> None:
    assert inside(path, root) == found


BAD = ["", "..", "../x", "a/../b", "a/..", "/etc/passwd", "/", "/workx", "/work/../etc", "a\0b", "a\nb", "a\x1b[0m"]
BAD += ["a\x7f", "a\x85b", "x" * 256, "ü" * 200, "y/" * 600, "bad\udcff"]


@pytest.mark.parametrize("path", BAD)
def test_everything_else_is_refused_with_words_that_are_safe_to_print(path: str) -> None:
    with pytest.raises(BadPath) as caught:
        inside(path)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("root", ["/", "/etc", "/workx", "/work/", "/work/../etc", "work", "/work//repo"])
def test_a_root_outside_the_work_folder_is_refused(root: str) -> None:
    with pytest.raises(BadPath):
        inside("x", root)


def test_member_names_are_relative_and_name_something() -> None:
    assert relative("a/./b//c") == "a/b/c"
    for name in ("/a", ".", "./.", "a/../../b", ""):
        with pytest.raises(BadPath):
            relative(name)
