"""`import agentsys`: the examples of docs/api.md as they stand, with a recording in place of a model."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import agentsys
from agentsys.core.errors import DoubtfulPaper
from scripted.answers import CORE_RIGHT, first_version
from scripted.recording import write_paper, write_recording

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
NEEDS_A_SANDBOX = "Reproduce at full scale"


def blocks(section: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", SECTIONS[section], re.DOTALL)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `paper.pdf`, and a recording of a run on it, named by the environment."""
    write_recording(tmp_path / "recording", write_paper(tmp_path), first_version(CORE_RIGHT))
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    values = {"REPLAY": "recording", "CLAIMS": "off", "FULL_SECONDS": "0", "MUTANTS": "0", "PRICES": '["NAME=1/2"]'}
    for name, value in values.items():
        monkeypatch.setenv(f"AGENTSYS_{name}", value)
    return tmp_path


def run_examples(sections: list[str]) -> dict[str, object]:
    names: dict[str, object] = {}
    for section in sections:
        for block in blocks(section):
            exec(compile(block.replace("paper.pdf", "paper.md"), f"docs/api.md, {section}", "exec"), names)
    return names


def test_the_examples_run_as_they_stand(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTSYS_STOP_AFTER", "plan")
    names = run_examples([section for section in SECTIONS if section != NEEDS_A_SANDBOX])
    shown = capsys.readouterr().out
    assert "Corrected Running Means" in shown and "plan      done in" in shown
    assert "no-such-file.pdf" in shown and "of 100" in shown
    run = names["run"]
    assert isinstance(run, agentsys.Run) and run.status == "unverified" and not run.verified
    assert len(list((place / "agentsys-runs").glob("2*"))) == 4


@pytest.mark.slow
@pytest.mark.index
def test_all_examples_run_with_a_whole_run_in_a_real_sandbox(place: Path, backend: str) -> None:
    names = run_examples(["Read a paper"])
    names["run"] = agentsys.implement("paper.md", model="NAME", backend=backend)
    assert names["run"].verified, names["run"].record.reason  # type: ignore[attr-defined]
    for block in [*blocks("Evaluate a repository"), *blocks(NEEDS_A_SANDBOX)]:
        exec(block.replace("paper.pdf", "paper.md"), names)
    assert names["done"].record.passed  # type: ignore[attr-defined]


async def test_a_call_waits_in_a_running_event_loop_and_tells_its_progress(place: Path) -> None:
    told: list[str] = []
    run = agentsys.implement("paper.md", stop_after="plan", progress=lambda item: told.append(str(item)))
    assert told[0].startswith("run started") and told[-1].startswith("run finished")
    assert [str(item) for item in run.events()] == told
    assert asyncio.get_running_loop().is_running()


async def test_a_cancelled_call_leaves_a_run_that_says_so_and_can_be_resumed(place: Path) -> None:
    begun = asyncio.Event()
    work = asyncio.create_task(agentsys.implement.aio("paper.md", stop_after="plan", progress=lambda _: begun.set()))
    await begun.wait()
    work.cancel("SIGINT")
    run = await work
    assert run.status == "interrupted"
    assert (await run.resume_async(stop_after="plan")).record.reason_code == "stopped"


def test_ctrl_c_brings_the_run_to_a_safe_end_first(place: Path) -> None:
    asked = threading.Event()

    def on_progress(_: object) -> None:
        if not asked.is_set():
            asked.set()
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts behind itself ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            agentsys.implement("paper.md", stop_after="plan", progress=on_progress)
    finally:
        signal.signal(signal.SIGINT, before)
    assert agentsys.open_run().status == "interrupted"


def test_what_is_no_paper_is_not_spent_on_unless_one_is_sure(place: Path) -> None:
    Path("letter.md").write_text("Please write a sorting function.\n")
    with pytest.raises(DoubtfulPaper):
        agentsys.implement("letter.md", stop_after="plan")


def test_importing_agentsys_loads_none_of_its_rooms_and_its_names_load_nothing_heavy() -> None:
    heavy = ("autogen_agentchat", "autogen_core", "docker", "openai", "anthropic", "torch", "pypdfium2", "mcp")
    code = (
        "import agentsys, sys\n"
        "assert not [name for name in sys.modules if name.startswith('agentsys.')]\n"
        "from agentsys import *\n"
        f"assert not [name for name in {heavy} if name in sys.modules]\n"
        "print(dir(agentsys))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(name in shown and getattr(agentsys, name) for name in agentsys.__all__)
    with pytest.raises(AttributeError):
        _ = agentsys.no_such_name  # type: ignore[attr-defined]
