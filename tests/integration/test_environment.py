"""Ordinary environments: proxies, certificates and key files as users have them are no bugs of ours."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentsys.llm.transport import bypassed
from integration.endpoint_run import Run, ask, plain
from integration.faulty_endpoint import ok, serving

KEY = "test-key-0123456789"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in os.environ if name.lower().endswith("_proxy") or re.search("CERT|BUNDLE|SSLKEY", name)
    ]:
        monkeypatch.delenv(name)


def evaluated(folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `agentsys evaluate` with a judge behind an endpoint that nothing may reach."""
    (folder / "repo").mkdir()
    (folder / "repo" / "core.py").write_text("def main() -> None:\n    print(1)\n")
    (folder / "paper.md").write_text("# A paper\n\n## Method\n\nThe mean of n numbers is their sum divided by n.\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTSYS_", "OPENAI_"))}
    command = ["evaluate", "repo", "--paper", "paper.md", "--static", "--judge", "m", *options]
    return subprocess.run(
        [sys.executable, "-m", "agentsys", *command],
        cwd=folder,
        env=kept | {"HOME": str(folder), "OPENAI_API_KEY": KEY, "AGENTSYS_BASE_URL": "http://models.invalid/v1"} | env,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALL_PROXY", "socks5://user:secret-word@127.0.0.1:1080", "ALL_PROXY names a SOCKS proxy"),
        ("http_proxy", "socks5h://127.0.0.1:1080", "http_proxy names a SOCKS proxy"),
        ("ALL_PROXY", "socks4://secret-word@127.0.0.1:1080", "ALL_PROXY holds no proxy"),
        ("HTTP_PROXY", "http://proxy.invalid:port", "HTTP_PROXY holds no proxy"),
        ("SSL_CERT_FILE", "/no/such/file.pem", "SSL_CERT_FILE names no file"),
        ("REQUESTS_CA_BUNDLE", "/no/such/file.pem", "REQUESTS_CA_BUNDLE names no file"),
        ("SSL_CERT_FILE", "/etc/hostname", "SSL_CERT_FILE names no certificate"),
        ("CURL_CA_BUNDLE", "/no/such/file.pem", "CURL_CA_BUNDLE names no file"),
        ("SSLKEYLOGFILE", "/no/such/folder/keys", "SSLKEYLOGFILE names no file"),
    ],
)
def test_environment_that_cannot_be_used_is_one_message_with_its_name_and_exit_code_3(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    done = evaluated(tmp_path, **{name: value})
    assert done.returncode == 3, done.stderr
    assert words in done.stderr
    assert done.stderr.count("error:") == done.stderr.count("hint:") == 1
    assert "Traceback" not in done.stderr and "secret-word" not in done.stderr


@pytest.mark.parametrize("exceptions", ["[::1]", "fe80::/10, [::1]:80", "10.0.0.0/8,*.example.com"])
async def test_exceptions_of_any_form_break_no_call(run: Run, monkeypatch: pytest.MonkeyPatch, exceptions: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", exceptions)
    async with serving(ok("fine")) as endpoint:
        assert await ask(run.model(endpoint), plain) == "fine"


async def test_endpoint_elsewhere_is_asked_through_the_proxy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(ok("fine")) as endpoint:
        monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{endpoint.port}")
        model = run.model(endpoint, base_url="http://models.invalid/v1")
        assert await ask(model, plain) == "fine"
    assert endpoint.requests[0].path == "http://models.invalid/v1/chat/completions"


@pytest.mark.parametrize(
    ("host", "exceptions", "expected"),
    [
        ("localhost", "", True),
        ("127.0.0.1", "", True),
        ("::1", "", True),
        ("api.example.com", "", False),
        ("api.example.com", "example.com", True),
        ("api.example.com", ".example.com", True),
        ("api.example.com", "*.example.com", True),
        ("api.example.com", "other.com api.example.com:443", True),
        ("api.example.com", "ple.com,ample.com", False),
        ("api.example.com", "*", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "192.168.0.0/16", False),
        ("fe80::1", "fe80::/10", True),
        ("fe80::1", "[fe80::1]:8080", True),
        ("api.example.com", ",, ;", False),
    ],
)
def test_exceptions_of_a_proxy_are_read_as_users_write_them(host: str, exceptions: str, expected: bool) -> None:
    assert bypassed(host, exceptions) is expected


@pytest.mark.parametrize(
    "line", ['OPENAI_API_KEY="{key}"', "export OPENAI_API_KEY='{key}' # mine", "OPENAI_API_KEY={key}  # mine"]
)
async def test_key_is_read_from_the_lines_that_users_write(tmp_path: Path, run: Run, line: str) -> None:
    file = tmp_path / "my.env"
    file.write_text("\ufeff# keys\n\n" + line.replace("{key}", "key-of-the-file") + "\n")
    async with serving(ok("{}")) as endpoint:
        options = ("--env-file", str(file))
        await asyncio.to_thread(evaluated, tmp_path, *options, AGENTSYS_BASE_URL=endpoint.url)
    assert {request.headers["authorization"] for request in endpoint.requests} == {"Bearer key-of-the-file"}


async def test_quotes_that_a_shell_would_have_dropped_are_no_part_of_a_key(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:

    async with serving(ok("{}")) as endpoint:
        await asyncio.to_thread(evaluated, tmp_path, OPENAI_API_KEY='"key-in-quotes"', AGENTSYS_BASE_URL=endpoint.url)
    assert endpoint.requests[0].headers["authorization"] == "Bearer key-in-quotes"


async def test_hint_of_an_evaluation_never_names_the_command_for_runs(tmp_path: Path) -> None:

    async with serving(ok("")) as endpoint:
        done = await asyncio.to_thread(evaluated, tmp_path, AGENTSYS_BASE_URL=endpoint.url)
    assert done.returncode == 4, done.stderr
    assert "resume" not in done.stderr
    assert "give the same command again" in done.stderr
