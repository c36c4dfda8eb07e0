"""uv gets the user's package sources, whichever tool they are configured for, and none of the user's keys."""

from __future__ import annotations

from pathlib import Path

from agentsys_sandbox.packages.hostconfig import PYPI, read


def test_what_pip_is_told_is_translated_where_uv_is_told_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://main.invalid/simple\nextra-index-url =\n  https://a.invalid\n  https://b.invalid\n"
        f"find-links = {tmp_path} {tmp_path}/absent\nconstraint = {file}\ncert = /ca.pem\ntrusted-host = main.invalid\n"
    )
    found = read({}, [file])
    assert found.environment["UV_DEFAULT_INDEX"] == "https://main.invalid/simple"
    assert found.environment["UV_INDEX"] == "https://a.invalid https://b.invalid"
    assert found.environment["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert found.environment["UV_FIND_LINKS"] == str(tmp_path)
    assert found.environment["SSL_CERT_FILE"] == "/ca.pem"
    assert found.environment["UV_INSECURE_HOST"] == "main.invalid"
    assert found.arguments == ("--constraints", str(file))
    assert found.indexes == ("https://main.invalid/simple", "https://a.invalid", "https://b.invalid")


def test_pips_variable_alone_is_enough() -> None:
    assert (
        read({"PIP_INDEX_URL": "https://mine.invalid/"}, []).environment["UV_DEFAULT_INDEX"] == "https://mine.invalid/"
    )


def test_uvs_own_indexes_win_as_a_whole(tmp_path: Path) -> None:
    found = read({"UV_DEFAULT_INDEX": "mine=https://uv.invalid/", "PIP_EXTRA_INDEX_URL": "https://pip.invalid/"}, [])
    assert found.indexes == ("https://uv.invalid/",)
    assert "UV_INDEX" not in found.environment


def test_uvs_own_file_is_left_to_uv(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").write_text('[[index]]\nurl = "https://uv.invalid/"\ndefault = true\n')
    found = read({"XDG_CONFIG_HOME": str(tmp_path), "PIP_INDEX_URL": "https://pip.invalid/"}, [])
    assert found.indexes == ("https://uv.invalid/",)
    assert "UV_DEFAULT_INDEX" not in found.environment


def test_uv_sees_proxies_and_certificates_and_neither_keys_nor_what_would_switch_checks_off() -> None:
    seen = {"HTTPS_PROXY": "http://p.invalid", "no_proxy": "*", "SSL_CERT_FILE": "/ca.pem", "PATH": "/bin"}
    seen |= {"UV_INDEX_MINE_PASSWORD": "secret"}
    hidden = {"OPENAI_API_KEY": "k", "UV_NO_VERIFY_HASHES": "1", "UV_PUBLISH_TOKEN": "t", "PYTHONPATH": "/x"}
    hidden |= {"UV_NO_BINARY": "1", "UV_CACHE_DIR": "/elsewhere", "UV_PYTHON": "/evil", "LD_PRELOAD": "/x.so"}
    found = read({**seen, **hidden, "UV_NO_CONFIG": "1"}, []).environment
    assert seen.items() <= found.items()
    assert not hidden.keys() & found.keys()


def test_without_configuration_it_is_the_public_index(tmp_path: Path) -> None:
    assert read({"HOME": str(tmp_path)}, []).indexes == (PYPI,)


def test_credentials_are_not_shown() -> None:
    assert "secret" not in repr(read({"PIP_INDEX_URL": "https://user:secret@mine.invalid/"}, []))
