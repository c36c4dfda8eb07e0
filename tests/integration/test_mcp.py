"""The tools of `agentsys mcp`, used as another agent would: with the official SDK's client, over stdio and HTTP."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from agentsys.cli.mcp.command import mcp as mcp_command
from agentsys.cli.mcp.fence import Fence
from agentsys.cli.mcp.jobs import Job, Jobs
from agentsys.cli.mcp.tools import Tools
from agentsys.core.errors import PrerequisiteError, UsageError
from agentsys.core.rundir import process_start
from agentsys.core.settings_layers import load_settings
from scripted.answers import CORE_RIGHT, first_version
from scripted.claims import claimed
from scripted.recording import write_paper, write_recording

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a paper, beside a recording of its claims and contracts, and a secret outside."""
    papers = tmp_path / "papers"
    papers.mkdir()
    write_recording(tmp_path / "recording", write_paper(papers), claimed())
    (tmp_path / "secret.md").write_text("# A secret\n\nof the user\n")
    (papers / "link.md").symlink_to(tmp_path / "secret.md")
    return tmp_path


def command(place: Path, *more: str) -> list[str]:
    return ["-m", "agentsys", "mcp", str(place / "papers"), "--runs-dir", str(place / "runs"), *more]


def environment(place: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AGENTSYS_", "OPENAI_"))}
    return kept | {"HOME": str(place), "XDG_CONFIG_HOME": str(place / "config")}


@asynccontextmanager
async def agent(place: Path, *more: str) -> AsyncIterator[Call]:
    """A client over stdio whose calls return data, and raise ValueError with what the tool says."""
    server = StdioServerParameters(command=sys.executable, args=command(place, *more), env=environment(place))
    async with Client(stdio_client(server)) as client:
        yield _caller(client)


@asynccontextmanager
async def inside(place: Path, *more: str) -> AsyncIterator[Call]:
    """The same in this process: a server that knows nothing of those before it."""
    settings, _ = load_settings(sets=more, env={"HOME": str(place)}, cwd=place)
    fence = Fence([place / "papers"], place / "runs")
    jobs = Jobs(fence.runs_dir / ".mcp")
    options = [word for pair in (*more, f"runs_dir={place / 'runs'}") for word in ("--set", pair)]
    async with Client(Tools(settings, options, fence, jobs).server()) as client:
        yield _caller(client)
    await jobs.stop()


def _caller(client: Client) -> Call:
    async def call(name: str, progress: Any = None, **arguments: Any) -> Any:
        result = await client.call_tool(name, arguments, progress_callback=progress)
        if result.is_error:
            raise ValueError(result.content[0].text)  # type: ignore[union-attr]
        return result.structured_content

    return call


def replaying(place: Path) -> tuple[str, ...]:
    return ("--set", f"replay={place / 'recording'}")


async def ended(call: Call, handle: str) -> dict[str, Any]:
    """Watch to the end, and return the last answer with all events."""
    cursor, events = 0, list[str]()
    while True:
        now = await call("watch", handle=handle, cursor=cursor, seconds=20)
        cursor, events = now["cursor"], events + now["events"]
        if now["state"] == "ended" and not now["more"]:
            return now | {"events": events}


async def test_an_agent_reads_runs_watches_and_asks_for_a_claims_evidence_and_handles_outlive_the_server(
    place: Path,
) -> None:
    told: list[tuple[float, str]] = []

    async def progress(done: float, _total: float | None, message: str | None) -> None:
        told.append((done, message or ""))

    async with agent(place, *replaying(place)) as call:
        read = await call("read_paper", path="paper.md", length=30)
        assert (read["title"], len(read["text"]), read["next_offset"]) == ("Corrected Running Means", 30, 30)
        assert (await call("estimate", path="paper.md"))["calls"]["high"] > 10
        started = await call("start_run", path="paper.md", stop_after="claims")
        first = await call("watch", progress, handle=started["handle"], seconds=20)
        last = await ended(call, started["handle"])
        assert first["events"] == [message for _, message in told]
        assert [done for done, _ in told] == sorted({done for done, _ in told})
        assert (last["status"], last["exit_code"], last["stage"]) == ("unverified", 5, "report")
        assert any("purpose allow" in line for line in last["events"])
        (row,) = (await call("list_runs"))["result"]
        assert row["id"] == last["run"]
        claims = (await call("list_claims", target=last["run"]))["claims"]
        evidence = await call("claim_evidence", run=last["run"], claim="c1")
        assert evidence["claim"] == claims[0] and evidence["claim"]["accept"]
        assert "claims/contracts.json" in evidence["files"]
    async with inside(place) as call:
        again = await call("watch", handle=started["handle"])
        assert (again["state"], again["run"], again["exit_code"]) == ("ended", last["run"], 5)


async def test_claims_of_a_paper_and_an_audit_are_jobs_whose_results_watch_hands_over(place: Path) -> None:
    repository = place / "papers" / "repository"
    repository.mkdir()
    (repository / "main.py").write_text("print(1)\n")
    async with agent(place, *replaying(place)) as call:
        claims = await call("start_claims", path="paper.md")
        audit = await call("start_audit", target="repository")
        with pytest.raises(ValueError, match="named by its id"):
            await call("start_evaluation", repository="../secret.md", path="paper.md")
        assert (await ended(call, claims["handle"]))["exit_code"] == 0
        assert (await call("list_claims", target=claims["handle"]))["claims"][0]["id"] == "C1"
        assert {row["gate"] for row in (await ended(call, audit["handle"]))["result"]} == {"code"}


@pytest.mark.parametrize("name", ["../secret.md", "/etc/passwd", "link.md", "absent.md", "pa\0per.md"])
async def test_no_file_outside_of_the_folders_is_read_or_told_from_one_that_is_not_there(
    place: Path, name: str
) -> None:
    fence = Fence([place / "papers"], place / "runs")
    assert fence.file("paper.md") == (place / "papers" / "paper.md").resolve()
    with pytest.raises(UsageError, match="is not there, or lies outside"):
        fence.file(name)
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "run.json").write_text("{}")
    for run in (str(place / "elsewhere"), "../elsewhere", "a b"):
        with pytest.raises(UsageError, match="named by its id"):
            fence.run(run)


async def test_a_run_folder_in_the_working_folder_is_none_of_the_servers_runs(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "run.json").write_text("{}")
    monkeypatch.chdir(place)
    with pytest.raises(UsageError, match="is no run of"):
        Fence([place / "papers"], place / "runs").run("elsewhere")


async def test_nothing_that_costs_is_started_without_the_users_model_and_a_client_can_only_lower_limits(
    place: Path,
) -> None:
    async with inside(place) as call:
        for tool in ("start_run", "start_claims"):
            with pytest.raises(ValueError, match="no model is chosen"):
                await call(tool, path="paper.md")
        with pytest.raises(ValueError, match="lies outside"):
            await call("read_paper", path="link.md")
    limits = ("budget=3", "max_rounds=2", 'prices=["m=1/2"]', "model=m", f"replay={place / 'recording'}")
    async with inside(place, *limits) as call:
        job = await call("start_run", path="paper.md", stop_after="read", budget=100, max_rounds=0)
        run = (await ended(call, job["handle"]))["run"]
    kept = json.loads((place / "runs" / run / "run.json").read_text())["settings"]
    assert (kept["budget"]["value"], kept["max_rounds"]["value"], kept["prices"]["value"]) == (3.0, 0, ["m=1/2"])


async def test_standard_output_holds_the_protocol_alone(place: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command(place), env=environment(place), cwd=place,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    messages = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "read_paper", "arguments": {"path": "paper.md"}}},
    ]
    assert process.stdin is not None and process.stdout is not None
    lines: list[bytes] = []
    for message in messages:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        if "id" in message:
            lines.append(await process.stdout.readline())
    process.stdin.close()
    lines += (await process.stdout.read()).splitlines()
    assert {json.loads(line)["jsonrpc"] for line in lines} == {"2.0"}
    assert [json.loads(line)["id"] for line in lines] == [1, 2]
    assert await process.wait() == 0


async def test_http_needs_the_token_and_this_machines_own_name_and_serves_the_same_tools(place: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command(place, "--http", "0"), env=environment(place), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    url = (await process.stderr.readline()).decode().split()[1]
    token = {"Authorization": (await process.stderr.readline()).decode().partition(": ")[2].strip()}
    accept = {"Accept": "application/json, text/event-stream"}
    foreign = [{}, {"Authorization": "Bearer x"}, token | {"Host": "evil.test"}, token | {"Origin": "http://evil.test"}]
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(httpx2.AsyncClient(headers=accept, trust_env=False))
        message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        answers = [await plain.post(url, json=message, headers=headers) for headers in foreign]
        assert [answer.status_code for answer in answers] == [401, 401, 421, 403]
        web = await stack.enter_async_context(httpx2.AsyncClient(headers=token, trust_env=False))
        client = await stack.enter_async_context(Client(streamable_http_client(url, http_client=web)))
        assert {"start_run", "watch", "cancel", "claim_evidence"} <= {t.name for t in (await client.list_tools()).tools}
        assert (await _caller(client)("read_paper", path="paper.md"))["title"] == "Corrected Running Means"
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 143


def test_without_the_sdk_the_command_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PrerequisiteError) as raised:
        mcp_command([tmp_path])
    assert "agentsys[mcp]" in raised.value.hint


def written(folder: Path, name: str, pid: int, began: float | None) -> None:
    job = Job(id=name, kind="audit", command=[], pid=pid, pid_started=began, events=folder / "none")
    (folder / name).mkdir()
    (folder / name / "job.json").write_text(job.model_dump_json())


async def test_a_third_job_is_refused_while_two_are_under_way(tmp_path: Path) -> None:
    for name in ("job-a", "job-b"):
        written(tmp_path, name, os.getpid(), process_start(os.getpid()))
    with pytest.raises(UsageError, match="2 jobs are under way"):
        await Jobs(tmp_path).start("audit", ["--version"])
    assert {folder.name for folder in tmp_path.iterdir()} == {"job-a", "job-b"}


def test_a_process_that_only_has_the_number_of_a_job_is_never_asked_to_stop_and_old_jobs_are_forgotten(
    tmp_path: Path,
) -> None:
    jobs = Jobs(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        for name in ("job-a", "job-b"):
            written(tmp_path, name, other.pid, 1.0)
        assert not jobs.ask_to_stop(jobs.get("job-a")).stopping
        other.communicate(b"\n")
    assert other.returncode == 0
    os.utime(tmp_path / "job-b" / "job.json", (0, 0))
    jobs.forget_old()
    assert [job.id for job in jobs.all()] == ["job-a"]


@pytest.mark.bwrap
@pytest.mark.index
@pytest.mark.slow
async def test_cancelling_reaches_the_sandbox_and_the_run_can_be_resumed(place: Path) -> None:
    write_recording(place / "recording", place / "papers" / "paper.md", first_version(CORE_RIGHT))
    async with agent(place, *replaying(place), "--sandbox", "bwrap", "--set", "claims=off") as call:
        handle = (await call("start_run", path="paper.md"))["handle"]
        cursor, seen = 0, list[str]()
        while not any("sandbox started" in line for line in seen):
            now = await call("watch", handle=handle, cursor=cursor, seconds=1)
            assert now["state"] == "running", now
            cursor, seen = now["cursor"], seen + now["events"]
        children = descendants(Jobs(place / "runs" / ".mcp").get(handle).pid)
        assert children
        assert (await call("cancel", handle=handle))["state"] in ("stopping", "ended")
        last = await ended(call, handle)
        assert (last["status"], last["exit_code"]) == ("interrupted", 130)
        assert {pid for pid, started in children if process_start(pid) == started} == set()
        again = await call("resume_run", run=last["run"])
        assert again["run"] == last["run"]
        await call("cancel", handle=again["handle"])
        assert (await ended(call, again["handle"]))["status"] == "interrupted"


def descendants(pid: int) -> list[tuple[int, float | None]]:
    """Pid and start of every process below one, itself included."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return [(child, process_start(child)) for child in found]
