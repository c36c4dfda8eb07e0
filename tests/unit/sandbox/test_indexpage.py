"""Index pages are read as the standard says, and what does not belong on them is dropped."""

from __future__ import annotations

import json

import pytest

from agentsys_sandbox.packages.indexpage import FileLink, NotAnIndexPage, parse, render_html, render_json, version_of

BASE = "https://index.invalid/simple/tinypkg/"
DIGEST = "a" * 64


def html(*anchors: str) -> list[FileLink]:
    return parse("<!DOCTYPE html><html><body>" + "".join(anchors) + "</body></html>", "text/html", BASE, "tinypkg")


def test_a_link_is_read_with_everything_it_says() -> None:
    (link,) = html(
        f'<a href="../../files/tinypkg-1.0-py3-none-any.whl#sha256={DIGEST}" data-requires-python="&gt;=3.9" '
        'data-yanked="broken" data-core-metadata="sha256=' + "b" * 64 + '">tinypkg</a>'
    )
    assert link.url == "https://index.invalid/files/tinypkg-1.0-py3-none-any.whl"
    assert (link.version, link.hashes, link.requires_python) == ("1.0", {"sha256": DIGEST}, ">=3.9")
    assert (link.yanked, link.metadata) == ("broken", {"sha256": "b" * 64})


def test_json_says_the_same_as_html() -> None:
    page = {
        "meta": {"api-version": "1.1"},
        "name": "tinypkg",
        "files": [
            {
                "filename": "tinypkg-1.0.tar.gz",
                "url": "https://files.invalid/tinypkg-1.0.tar.gz",
                "hashes": {"sha256": DIGEST, "md5": "0" * 32},
                "requires-python": ">=3.9",
                "size": 7,
                "yanked": True,
                "upload-time": "2024-01-01T00:00:00Z",
            }
        ],
    }
    (link,) = parse(json.dumps(page), "application/vnd.pypi.simple.v1+json", BASE, "tinypkg")
    assert (link.filename, link.size, link.yanked, link.upload_time) == (
        "tinypkg-1.0.tar.gz",
        7,
        "",
        "2024-01-01T00:00:00Z",
    )
    assert link.hashes == {"sha256": DIGEST}


@pytest.mark.parametrize(
    "href",
    [
        "other-1.0-py3-none-any.whl",
        "tinypkg-1.0-py3-none-any.exe",
        "tinypkg.whl",
        "ftp://index.invalid/tinypkg-1.0.tar.gz",
        "file:///etc/tinypkg-1.0.tar.gz",
        "javascript:tinypkg-1.0.tar.gz",
        "tinypkg-1.0.tar.gz/",
    ],
)
def test_what_is_no_file_of_the_package_is_dropped(href: str) -> None:
    good = '<a href="tinypkg-1.0.tar.gz">x</a>'
    assert [link.filename for link in html(f'<a href="{href}">x</a>', good)] == ["tinypkg-1.0.tar.gz"]


@pytest.mark.parametrize("fragment", ["md5=" + "0" * 32, "sha256=short", "sha256=" + "z" * 64, "egg=tinypkg", ""])
def test_a_hash_that_cannot_be_checked_is_no_hash(fragment: str) -> None:
    (link,) = html(f'<a href="tinypkg-1.0.tar.gz#{fragment}">x</a>')
    assert link.hashes == {}


@pytest.mark.parametrize("text", ["<html><a href='/login'>log in</a>", "Bad gateway", "", "\0\0"])
def test_another_page_is_no_index_page(text: str) -> None:
    with pytest.raises(NotAnIndexPage):
        parse(text, "text/html", BASE, "tinypkg")


@pytest.mark.parametrize("text", ["{", "[]", '{"files": 3}', '{"files": [3]}', '{"files": [{}]}', "[" * 100_000])
def test_broken_json_is_no_index_page(text: str) -> None:
    with pytest.raises(NotAnIndexPage):
        parse(text, "application/json", BASE, "tinypkg")


def test_our_own_pages_can_be_read_back_and_name_no_other_place() -> None:
    link = FileLink(
        "tinypkg-1.0-py3-none-any.whl",
        "https://secret.invalid/x.whl",
        "1.0",
        {"sha256": DIGEST},
        '>=3 "x"',
        "old & bad",
    )
    for body, kind in (
        (render_html("tinypkg", [link]), "text/html"),
        (render_json("tinypkg", [link]), "application/json"),
    ):
        assert b"secret.invalid" not in body
        (found,) = parse(body.decode(), kind, "http://127.0.0.1/simple/tinypkg/", "tinypkg")
        assert (found.filename, found.hashes, found.requires_python, found.yanked) == (
            link.filename,
            link.hashes,
            link.requires_python,
            link.yanked,
        )


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", "2.13.0+cpu"),
        ("torch-1!2.0.tar.gz", "1!2.0"),
        ("torch-2.0.zip", "2.0"),
        ("torchvision-2.0.tar.gz", ""),
        ("torch-latest.tar.gz", ""),
        ("../torch-2.0.tar.gz", ""),
    ],
)
def test_versions_are_read_from_file_names(filename: str, version: str) -> None:
    assert version_of(filename, "torch") == version
