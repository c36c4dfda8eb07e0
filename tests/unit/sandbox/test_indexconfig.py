"""The host's own package sources are found where pip and uv look for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsys_sandbox.packages.indexconfig import PYPI, read


def test_without_configuration_it_is_the_public_index(tmp_path: Path) -> None:
    found = read({"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull, "XDG_CONFIG_HOME": str(tmp_path)})
    assert found.indexes == (PYPI,)
    assert found.find_links == ()


def test_later_files_and_variables_win(tmp_path: Path) -> None:
    weak, strong = tmp_path / "a.conf", tmp_path / "b.conf"
    weak.write_text("[global]\nindex-url = https://weak.invalid/\ncert = /weak.pem\nfind_links = /weak\n")
    strong.write_text("[global]\nindex-url = https://strong.invalid/\n[install]\nfind-links =\n  /one\n  /two\n")
    found = read({"PIP_CERT": "/variable.pem", "UV_NO_CONFIG": "1"}, [weak, strong, tmp_path / "absent.conf"])
    assert found.indexes == ("https://strong.invalid/",)
    assert found.find_links == ("/one", "/two")
    assert found.cert == "/variable.pem"


def test_an_unreadable_file_is_passed_over(tmp_path: Path) -> None:
    broken = tmp_path / "pip.conf"
    broken.write_text("index-url = no section\n")
    assert read({"UV_NO_CONFIG": "1"}, [broken]).indexes == (PYPI,)


def test_the_users_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/pip.conf").write_text("[global]\nextra-index-url = https://extra.invalid/simple\n")
    found = read({"XDG_CONFIG_HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "none"), "UV_NO_CONFIG": "1"})
    assert "https://extra.invalid/simple" in found.indexes


@pytest.mark.parametrize(
    ("variables", "indexes"),
    [
        ({"UV_DEFAULT_INDEX": "https://uv.invalid/"}, ("https://uv.invalid/",)),
        ({"UV_DEFAULT_INDEX": "mine=https://uv.invalid/"}, ("https://uv.invalid/",)),
        ({"UV_INDEX": "a=https://a.invalid/ https://b.invalid/"}, (PYPI, "https://a.invalid/", "https://b.invalid/")),
        (
            {"PIP_INDEX_URL": "https://pip.invalid/", "UV_DEFAULT_INDEX": "https://uv.invalid/"},
            ("https://pip.invalid/",),
        ),
        ({"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "https://pip.invalid/"}, ()),
        ({"UV_INDEX": "https://host.invalid/?a=b"}, (PYPI, "https://host.invalid/?a=b")),
    ],
)
def test_variables_of_both_tools_count(variables: dict[str, str], indexes: tuple[str, ...]) -> None:
    assert read({"UV_NO_CONFIG": "1", **variables}, []).indexes == indexes


def test_uvs_own_file_counts(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").write_text(
        'find-links = ["/wheels"]\n[[index]]\nurl = "https://main.invalid/"\ndefault = true\n'
        '[[index]]\nname = "more"\nurl = "https://more.invalid/"\n'
    )
    found = read({"XDG_CONFIG_HOME": str(tmp_path)}, [])
    assert found.indexes == ("https://main.invalid/", "https://more.invalid/")
    assert found.find_links == ("/wheels",)
