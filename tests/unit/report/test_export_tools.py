"""What is exported, in the hands of the programs that it is for: trackio's command, a Jupyter kernel, a validator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import uv

from agentsys.core.rundir import RunDir

from .claimed import judged

pytestmark = pytest.mark.slow
HERE = Path(__file__).resolve().parents[3]
OFFLINE = """
import socket, sys

def refused(*_, **__):
    raise AssertionError("a packet would have left")

for name in ("connect", "connect_ex", "sendto", "sendmsg"):
    setattr(socket.socket, name, refused)
socket.getaddrinfo = refused
from agentsys.cli.app import main
main(sys.argv[1:])
"""
NOTEBOOK = """
import sys
import nbformat
from nbclient import NotebookClient

for name in ("agentsys", "pint", "matplotlib"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} is there")
notebook = nbformat.read(sys.argv[1], as_version=4)
frozen = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
NotebookClient(notebook, timeout=120, resources={"metadata": {"path": sys.argv[2]}}).execute()
now = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
print(now[0][0].text == frozen[0][0].text, ["image/svg+xml" in each[0].data for each in now[1:]])
"""
# The validator asks for the context of RO-Crate; the package rocrate brings one along.
CRATE = """
import sys
from pathlib import Path

import requests
import rocrate
from requests.adapters import HTTPAdapter

CONTEXT = "https://w3id.org/ro/crate/1.1/context"

def send(_, request, **__):
    assert request.url == CONTEXT, request.url
    answer = requests.Response()
    answer.status_code, answer.url, answer.request = 200, request.url, request
    answer.headers["Content-Type"] = "application/ld+json"
    answer._content = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
    return answer

HTTPAdapter.send = send
from rocrate_validator import models, services

settings = services.ValidationSettings(
    rocrate_uri=sys.argv[1],
    profile_identifier="process-run-crate",
    requirement_severity=models.Severity.REQUIRED,
    no_cache=True,
)
found = services.validate(settings)
print(found.passed(), [issue.message for issue in found.get_issues()])
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return judged(tmp_path_factory.mktemp("made"))


def export(run: RunDir, form: str, out: Path) -> None:
    """Export in a process of its own that cannot reach a network, with the home of nobody."""
    path = os.pathsep.join(str(HERE / folder) for folder in ("", "sandbox", "policies"))
    words = [sys.executable, "-c", OFFLINE, "export", str(run.path), "--to", form, "--out", str(out)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(out.parent / "home")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    left = [file for file in (out.parent / "home").rglob("*") if file.is_file() and "matplotlib" not in str(file)]
    assert left == []


def alone(packages: tuple[str, ...], source: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a program in an environment that holds these packages and nothing else."""
    chosen = [part for package in packages for part in ("--with", package)]
    command = [uv.find_uv_bin(), "run", "--isolated", "--no-project", "--python", sys.executable, *chosen]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    asked = [*command, "python", "-c", source, *map(str, words)]
    return subprocess.run(asked, cwd="/", capture_output=True, text=True, check=False, env=environment)


def test_trackios_own_command_reads_and_serves_the_logbook(run: RunDir, tmp_path: Path) -> None:
    export(run, "trackio", tmp_path / "out")
    trackio = [sys.executable, "-m", "trackio.cli", "logbook"]
    read = subprocess.run([*trackio, "read", str(tmp_path / "out")], capture_output=True, text=True, check=True)
    assert "Claim C2: verified" in read.stdout and "| claim | -1 | -1 | -1 to -1 | 3 | holds |" in read.stdout
    words = [*trackio, "serve", str(tmp_path / "out"), "--port", "0", "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split("launched at: ")[1].split("/\x1b")[0].strip()
            with urllib.request.urlopen(f"{address}/logbook.json", timeout=60) as answer:
                manifest = json.load(answer)
            page = manifest["root"]["children"][2]
            with urllib.request.urlopen(f"{address}/{page['file']}", timeout=60) as answer:
                assert b"The error falls like 1/n." in answer.read()
        finally:
            server.terminate()
    assert manifest["title"].startswith("A Made-up Paper") and page["title"] == "Claim C2: verified"


@pytest.mark.index
def test_a_kernel_with_numpy_and_scipy_alone_evaluates_the_notebook_to_its_frozen_results(
    run: RunDir, tmp_path: Path
) -> None:
    export(run, "notebook", tmp_path / "out")
    packages = ("nbclient>=0.10", "ipykernel>=6.29", "nbformat>=5.10", "numpy>=2.1", "scipy>=1.15")
    done = alone(packages, NOTEBOOK, tmp_path / "out" / "claims.ipynb", tmp_path / "out")
    assert done.stdout == "True [True, True]\n", done.stderr


@pytest.mark.index
def test_the_crate_passes_the_validator_of_its_profile_and_fails_it_without_a_tool(run: RunDir, tmp_path: Path) -> None:
    export(run, "ro-crate", tmp_path / "out")
    packages = ("roc-validator==0.13.0", "rocrate==0.16.0")
    done = alone(packages, CRATE, tmp_path / "out")
    assert done.stdout == "True []\n", done.stdout + done.stderr
    file = tmp_path / "out" / "ro-crate-metadata.json"
    tree = json.loads(file.read_text())
    action = next(entity for entity in tree["@graph"] if entity["@id"] == "#run-C2")
    del action["instrument"]
    file.write_text(json.dumps(tree))
    done = alone(packages, CRATE, tmp_path / "out")
    assert done.stdout.startswith("False ") and "MUST have an instrument" in done.stdout, done.stdout + done.stderr
