"""What a user meets first: the real program, without a key, on papers and runs of the test's own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripted.answers import CORE_RIGHT, first_version
from scripted.recording import write_paper, write_recording

STANDS_STILL = """
import sys

class Gate:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print("here", file=sys.stderr, flush=True)
            sys.stdin.read()

sys.meta_path.insert(0, Gate())
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    return write_paper(tmp_path)


def test_a_run_that_stops_after_reading_needs_no_model_and_asks_none(agentsys: Run, paper: Path, tmp_path: Path):
    done = agentsys("implement", str(paper), "--stop-after", "read", "--runs-dir", "kept")
    assert done.returncode == 5, done.stderr
    assert "asked to stop after the paper was read" in done.stdout
    run = (tmp_path / "kept" / "latest").resolve()
    record = json.loads((run / "run.json").read_text())
    assert (record["reason_code"], record["usage"]["calls"]) == ("stopped", 0)
    assert (run / "paper" / "paper.json").is_file()
    assert not (run / "llm").exists() and not (run / "plan").exists()


@pytest.mark.parametrize("module", ["typer", "agentsys.paper"])
def test_ctrl_c_is_answered_while_modules_are_loaded_and_while_a_paper_is_read(
    module: str, tmp_path: Path, clean_env: dict[str, str]
):
    # The program stands still where it loads the module, until the test has sent its signal.
    (tmp_path / "sitecustomize.py").write_text(STANDS_STILL.format(module=module))
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.4\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "agentsys", "read", "paper.pdf"],
        cwd=tmp_path,
        env=clean_env | {"PYTHONPATH": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None and process.stdin is not None
    assert process.stderr.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    out, err = process.communicate(timeout=30)
    assert (out, err.strip()) == ("", "interrupted")


def test_stages_that_were_finished_before_are_shown_as_done_after_resume(agentsys: Run, paper: Path, tmp_path: Path):
    recording = write_recording(tmp_path / "recording", paper, first_version(CORE_RIGHT))
    begun = agentsys("implement", str(paper), "--replay", str(recording), "--stop-after", "plan")
    assert begun.returncode == 5, begun.stderr
    done = agentsys("resume", "--set", "stop_after=analyse", "--display", "plain")
    assert "asked to stop after the analysis" in done.stdout, done.stderr
    lines = [line.split()[1:4] for line in done.stderr.splitlines()]
    before = lines[: lines.index(["analyse", "started,", "analyzer"])]
    assert [line[0] for line in before if line[1:3] == ["done", "in"]][:3] == ["read", "screen", "plan"]


NO_PAPERS = {
    "sentence.txt": ("Please write a sorting function.\n", "5 words"),
    "pyproject.toml": ('[project]\nname = "x"\ndependencies = ["numpy"]\n' * 40, "plain text"),
    "letter.docx": ("# Dear reader\n\n" + "I write to say hello. " * 60, "plain text"),
}


@pytest.mark.parametrize("name", NO_PAPERS)
def test_what_is_no_paper_is_doubted_and_refused_where_nobody_can_be_asked(name: str, agentsys: Run, tmp_path: Path):
    text, why = NO_PAPERS[name]
    (tmp_path / name).write_text(text)
    read = agentsys("read", name)
    assert read.returncode == 0 and why in read.stderr and "may be no paper" in read.stderr
    refused = agentsys("implement", name, "--model", "m", env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert refused.returncode == 2 and "may be no paper" in refused.stderr and "`--yes`" in refused.stderr
    assert not (tmp_path / "agentsys-runs").exists()
    recording = write_recording(tmp_path / "recording", tmp_path / name, {})
    known = agentsys("implement", name, "--yes", "--replay", str(recording))
    assert "may be no paper" in known.stderr and (tmp_path / "agentsys-runs" / "latest").exists()


def test_a_paper_is_not_doubted(agentsys: Run, paper: Path):
    done = agentsys("read", str(paper))
    assert (done.returncode, "no paper" in done.stderr) == (0, False)


def test_the_id_of_a_run_is_understood_wherever_a_run_is_meant(agentsys: Run, paper: Path, tmp_path: Path):
    recording = write_recording(tmp_path / "recording", paper, first_version(CORE_RIGHT))
    begun = agentsys("implement", str(paper), "--replay", str(recording), "--stop-after", "code")
    assert begun.returncode == 5, begun.stderr
    paper.unlink()
    run = (tmp_path / "agentsys-runs" / "latest").resolve()
    for name in (run.name[-4:], "latest"):
        assert "bash reproduce.sh smoke" in agentsys("audit", name).stdout
        assert agentsys("audit", "verify", name).stdout.strip() == "the record is whole"
        scored = agentsys("evaluate", name, "--static")
        assert scored.returncode == 0 and "measured:" in scored.stdout, scored.stderr
    copy = tmp_path / "copy.md"
    copy.write_text((run / "paper" / "source.md").read_text())
    again = agentsys("implement", str(copy), "--replay", run.name[-4:], "--stop-after", "plan", "--yes")
    assert "asked to stop after the plan" in again.stdout, again.stderr


def test_a_run_without_a_repository_is_said_to_have_none(agentsys: Run, paper: Path):
    agentsys("implement", str(paper), "--stop-after", "read")
    for command in (("audit", "latest"), ("evaluate", "latest", "--static")):
        done = agentsys(*command)
        assert done.returncode == 2 and "has no repository yet" in done.stderr


def test_a_budget_is_kept_for_a_model_of_ones_own_whose_price_is_named(agentsys: Run, paper: Path):
    nowhere = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    command = ("implement", str(paper), "--model", "my-own", "--budget", "1", "--set", "attempts=1")
    refused = agentsys(*command, env=nowhere)
    assert refused.returncode == 3 and "--price my-own=IN/OUT" in refused.stderr
    wrong = agentsys(*command, "--price", "my-own=cheap", env=nowhere)
    assert wrong.returncode == 2 and "prices" in wrong.stderr
    taken = agentsys(*command, "--price", "my-own=0.2/0.6", env=nowhere)
    assert taken.returncode == 4 and "price" not in taken.stderr


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of an endpoint that takes no key."""

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b'{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}'
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("display", ["plain", "json"])
def test_a_wrong_key_leaves_no_run_behind(display: str, agentsys: Run, paper: Path, tmp_path: Path, refusing: str):
    env = {"OPENAI_BASE_URL": refusing, "OPENAI_API_KEY": "wrong-key-0123456789"}
    how = ["--json"] if display == "json" else ["--display", display]
    done = agentsys("implement", str(paper), "--model", "m", *how, env=env)
    assert done.returncode == 4, done.stderr
    assert "check OPENAI_API_KEY" in done.stderr and "purpose-1" not in done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "agentsys-runs").iterdir()] == []
    if display == "json":
        assert json.loads(done.stdout.splitlines()[-1])["type"] == "run.finished"


def test_the_address_that_does_not_answer_is_named_without_what_is_secret_in_it(agentsys: Run, paper: Path):
    env = {"OPENAI_BASE_URL": "http://me:pass-word-1@127.0.0.1:9/v1?token=secret-2"}
    done = agentsys("implement", str(paper), "--model", "m", "--set", "attempts=1", env=env)
    assert done.returncode == 4, done.stderr
    said = done.stdout + done.stderr
    assert "`http://127.0.0.1:9/v1`" in said and "pass-word-1" not in said and "secret-2" not in said


@pytest.mark.parametrize(
    "host, why", [("unix:///no/such.sock", "No such file or directory"), ("tcp://127.0.0.1:9", "Connection refused")]
)
def test_an_engine_that_does_not_answer_is_described_in_words(host: str, why: str, agentsys: Run):
    said = agentsys("sandbox", "check", "--json", env={"DOCKER_HOST": host}).stdout
    assert f"`{host}`: {why}" in said and "Error(" not in said and "Errno" not in said


def test_decisions_are_shown_without_inner_words(agentsys: Run):
    shown = agentsys("policy", "check", "--command", "rm -rf /").stdout
    assert "block" in shown and "(ok)" not in shown


def test_o_is_everywhere_the_folder_that_a_command_writes_into(agentsys: Run):
    from typer.main import get_command

    from agentsys.cli.app import app

    waiting, meant = [get_command(app)], dict[str, list[str | None]]()
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        if found := [param.name for param in command.params if "-o" in param.opts]:
            meant[str(command.name)] = found
    assert {"read", "evaluate", "audit", "release"} <= set(meant)
    assert not {"implement", "resume", "report", "rm"} & set(meant)
    assert all(found == ["out"] for found in meant.values())
    assert "No such option" in agentsys("implement", "p.pdf", "-o", "there").stderr
