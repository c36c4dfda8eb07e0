"""The tools of `agentsys mcp` as a stranger's client has them: the MCP Inspector's command line, by stdio and HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "@modelcontextprotocol/inspector@2.12.0"
REFUSED = 5
"""Exit code of the Inspector where a tool answers with an error."""
NO_TOKEN = 3
OLDEST_NODE = 20
"""The package asks for 22.19, and works with this one."""
TOKEN = "a-token-of-the-tests-own-0123456789"
pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.timeout(900)]


def inspect(program: Path, home: Path, *words: str, code: int = 0) -> tuple[Any, str]:
    """Return what the Inspector prints on its standard output, and its standard error."""
    done = subprocess.run(
        ["node", program, "--cli", *words], cwd=home, env=os.environ | {"HOME": str(home)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Inspector, from the package index."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs `node` and `npm`")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"needs node {OLDEST_NODE} or later, this is {version.strip()}")
    folder = tmp_path_factory.mktemp("inspector")
    install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), PACKAGE]
    done = subprocess.run(install, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if done.returncode and re.search(r"E(NOTFOUND|AI_AGAIN|CONNREFUSED|TIMEDOUT|CONNRESET)\b", done.stderr):
        pytest.skip(f"the index of npm cannot be reached: {done.stderr.strip().splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    root = folder / "node_modules" / "@modelcontextprotocol" / "inspector"
    return root / json.loads((root / "package.json").read_text())["bin"]["mcp-inspector"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a paper, and a secret outside."""
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "paper.md").write_text("# Corrected Running Means\n\nA mean that forgets.\n")
    (tmp_path / "secret.md").write_text("# A secret\n")
    (tmp_path / "papers" / "link.md").symlink_to(tmp_path / "secret.md")
    return tmp_path


@pytest.fixture(params=["stdio", "http"])
def server(request: pytest.FixtureRequest, place: Path) -> Iterator[list[str]]:
    """How the Inspector reaches a server: by starting it, or by its address and token."""
    command = [sys.executable, "-m", "agentsys", "mcp", str(place / "papers"), "--runs-dir", str(place / "runs")]
    if request.param == "stdio":
        yield command
        return
    env = os.environ | {"HOME": str(place), "AGENTSYS_MCP_TOKEN": TOKEN}
    with subprocess.Popen([*command, "--http", "0"], env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            address = process.stderr.readline().split()[1]
            yield [address, "--transport", "http", "--header", f"Authorization: Bearer {TOKEN}"]
        finally:
            process.send_signal(signal.SIGTERM)


def test_the_inspector_lists_the_tools_and_finds_no_fault_in_their_schemas(
    program: Path, place: Path, server: list[str]
) -> None:
    listed, said = inspect(program, place, *server, "--method", "tools/list", "--strict")
    assert {"read_paper", "list_runs", "start_run", "watch", "cancel"} <= {tool["name"] for tool in listed["tools"]}
    assert "Warning" not in said and "Error" not in said, said


def test_the_inspector_calls_tools_and_is_refused_what_lies_outside(
    program: Path, place: Path, server: list[str]
) -> None:
    call = [*server, "--method", "tools/call", "--tool-name"]
    runs, _ = inspect(program, place, *call, "list_runs")
    assert runs["structuredContent"] == {"result": []}
    read, _ = inspect(program, place, *call, "read_paper", "--tool-arg", "path=paper.md", "length=9")
    assert read["structuredContent"]["title"] == "Corrected Running Means"
    assert (read["structuredContent"]["text"], read["structuredContent"]["next_offset"]) == ("# Correct", 9)
    for name in ("link.md", "../secret.md"):
        refused, _ = inspect(program, place, *call, "read_paper", "--tool-arg", f"path={name}", code=REFUSED)
        (content,) = refused["content"]
        assert refused["isError"] and "lies outside of the folders" in content["text"] and "# A" not in content["text"]


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_the_inspector_without_the_token_is_shown_nothing(program: Path, place: Path, server: list[str]) -> None:
    for header in ([], ["--header", "Authorization: Bearer another"]):
        words = [*server[:3], *header, "--method", "tools/list"]
        listed, _ = inspect(program, place, *words, code=NO_TOKEN)
        assert listed is None
