"""How a paper is read can be chosen: options become settings, settings reach the reader, a password reaches no file."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agentsys import paper as papers
from agentsys.core.errors import PaperError
from agentsys.core.events import EventLog
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys.core.settings import Settings
from agentsys.core.settings_layers import load_settings
from agentsys.paper import ReadOptions
from agentsys.run import pipeline
from unit.paper.conftest import LINES, pdf_bytes, prose, text_at

Run = Callable[..., subprocess.CompletedProcess[str]]
SETTINGS = Settings(reader="nougat", ocr=True, nougat_model=Path("/weights"), source=Path("/p.tex"))
WANTED = ReadOptions(reader="nougat", ocr=True, nougat_model=Path("/weights"), latex_source=Path("/p.tex"))


def test_source_and_ocr_become_settings_of_the_run(tmp_path: Path, run_cli: Run) -> None:
    args = ["--source", "p.tex", "--ocr", "--set", "reader=nougat", "--set", "nougat_model=weights"]
    done = run_cli("unverified", "implement", "p.pdf", "-q", *args)
    assert done.returncode == 5, done.stderr
    (file,) = tmp_path.glob("agentsys-runs/*-p-*/run.json")
    stored = RunRecord.model_validate_json(file.read_bytes()).settings
    assert {key: (stored[key].value, stored[key].source) for key in ("source", "ocr", "reader", "nougat_model")} == {
        "source": (str(tmp_path / "p.tex"), "flag"),  # absolute: the run may be resumed from elsewhere
        "ocr": (True, "flag"),
        "reader": ("nougat", "--set"),
        "nougat_model": (str(tmp_path / "weights"), "--set"),
    }


def test_an_option_that_was_not_given_leaves_the_lower_layers_alone(tmp_path: Path, run_cli: Run) -> None:
    done = run_cli("unverified", "implement", "p.pdf", "-q", env={"AGENTSYS_OCR": "true", "AGENTSYS_SOURCE": "s.tex"})
    assert done.returncode == 5, done.stderr
    (file,) = tmp_path.glob("agentsys-runs/*-p-*/run.json")
    stored = RunRecord.model_validate_json(file.read_bytes()).settings
    assert (stored["ocr"].value, stored["source"].value) == (True, str(tmp_path / "s.tex"))


def test_none_clears_a_path_and_the_interpreter_of_nougat_is_no_slip(tmp_path: Path) -> None:
    env = {"AGENTSYS_NOUGAT_MODEL": "/weights", "AGENTSYS_NOUGAT_PYTHON": "/env/bin/python", "HOME": str(tmp_path)}
    assert load_settings(env=env, cwd=tmp_path)[0].nougat_model == Path("/weights")
    assert load_settings(sets=["nougat_model=none"], env=env, cwd=tmp_path)[0].nougat_model is None


class Asked(Exception):
    """Ends a run as soon as the reader was called."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, ReadOptions]]:
    """What the reader was called with."""
    calls: list[tuple[Path, ReadOptions]] = []

    def read_paper(path: Path, options: ReadOptions) -> None:
        calls.append((path, options))
        raise Asked

    monkeypatch.setattr(papers, "read_paper", read_paper, raising=False)
    return calls


def test_a_run_reads_as_its_settings_say(asked: list[tuple[Path, ReadOptions]]) -> None:
    with pytest.raises(Asked):
        asyncio.run(pipeline.implement(Path("p.pdf"), SETTINGS))
    assert asked == [(Path("p.pdf"), WANTED)]


def test_a_resumed_run_reads_again_as_its_settings_say(tmp_path: Path, asked: list[tuple[Path, ReadOptions]]) -> None:
    run = RunDir(tmp_path / "one")
    run.path.mkdir()
    run.write(RunRecord(id="one", paper_path="/q.pdf"))
    with pytest.raises(Asked):
        asyncio.run(pipeline.resume(run, SETTINGS))
    run.unlock()
    assert asked == [(Path("/q.pdf"), WANTED)]


def test_a_source_that_is_not_there_ends_before_a_run_directory_is_made(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("# A Made-up Paper\n\n## 1 Method\n\nx = 1.\n")
    settings = Settings(source=tmp_path / "absent.tex", runs_dir=tmp_path / "runs")
    with pytest.raises(PaperError, match=r"absent\.tex"):
        asyncio.run(pipeline.implement(tmp_path / "p.md", settings))
    assert not (tmp_path / "runs").exists()


def test_read_takes_equations_from_the_source_and_stores_no_password(tmp_path: Path, run_cli: Run) -> None:
    (tmp_path / "p.md").write_text("# A Made-up Paper\n\n## 1 Method\n\nWe minimise\n\n$$x + y = z$$\n\nfor all x.\n")
    (tmp_path / "p.tex").write_text("\\begin{document}\\section{Method}\\[\\hat{x} + y = z\\] for all.\\end{document}")
    done = run_cli("verified", "read", "p.md", "--source", "p.tex", "--password", "canary-4711", "-o", "there")
    assert done.returncode == 0, done.stderr
    assert "\\hat{x}" in (tmp_path / "there" / "paper.md").read_text()
    for file in (tmp_path / "there").rglob("*"):
        assert not file.is_file() or b"canary-4711" not in file.read_bytes(), file


ENCRYPTED = Path(__file__).parents[4] / "shared" / "data" / "bad-pdf" / "enc_user.pdf"


@pytest.mark.skipif(not ENCRYPTED.is_file(), reason="no collection of bad PDF files beside the checkout")
def test_the_password_of_a_paper_opens_it_and_is_in_no_file_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drive(*_: object, **__: object) -> None:
        raise Asked

    monkeypatch.setattr(pipeline, "_drive", drive)
    settings = Settings(runs_dir=tmp_path)
    with pytest.raises(PaperError, match="needs a password") as caught:
        asyncio.run(pipeline.implement(ENCRYPTED, settings))
    assert "--password" in caught.value.hint
    with pytest.raises(PaperError, match="does not open"):
        asyncio.run(pipeline.implement(ENCRYPTED, settings, password="wrong"))
    assert not list(tmp_path.iterdir())
    with pytest.raises(Asked):
        asyncio.run(pipeline.implement(ENCRYPTED, settings, password="secret"))
    (folder,) = {file.parent for file in tmp_path.rglob("run.json")}
    written = [file for file in folder.rglob("*") if file.is_file() and file.name != "source.pdf"]
    assert {"run.json", "paper.json", "paper.md"} <= {file.name for file in written}
    assert not [file for file in written if b"secret" in file.read_bytes()]


@pytest.mark.skipif(not ENCRYPTED.is_file(), reason="no collection of bad PDF files beside the checkout")
def test_a_run_that_has_lost_its_encrypted_paper_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drive(*_: object, **__: object) -> None:
        raise Asked

    monkeypatch.setattr(pipeline, "_drive", drive)
    run = RunDir(tmp_path / "one")
    run.path.mkdir()
    run.write(RunRecord(id="one", paper_path=str(ENCRYPTED)))
    with pytest.raises(PaperError, match="needs a password") as caught:
        asyncio.run(pipeline.resume(run, Settings()))
    assert "`--password`" in caught.value.hint
    run.unlock()
    with pytest.raises(Asked):
        asyncio.run(pipeline.resume(run, Settings(), password="secret"))
    run.unlock()
    assert (run.paper / "paper.json").is_file()


@pytest.mark.parametrize("command", ["read", "implement", "resume"])
def test_every_command_that_reads_a_paper_takes_its_password(command: str, run_cli: Run) -> None:
    assert "--password" in run_cli("verified", command, "--help").stdout


def test_read_writes_the_figures_and_their_sheet(tmp_path: Path, run_cli: Run) -> None:
    page = (
        text_at(100, 700, "1   Introduction", 12, "F2")
        + prose(100, 680, LINES)
        + "0.2 0.4 0.8 rg 150 420 200 100 re f 0 g "
        + text_at(150, 400, "Figure 1: A blue box that stands for the whole method.")
        + prose(100, 370, LINES)
    )
    (tmp_path / "p.pdf").write_bytes(pdf_bytes([page]))
    done = run_cli("verified", "read", "p.pdf", "--out", "there")
    assert done.returncode == 0, done.stderr
    names = {file.name for file in (tmp_path / "there" / "figures").iterdir()}
    assert "index.html" in names and any(name.endswith(".png") for name in names)


def test_reading_ends_with_what_is_in_doubt(tmp_path: Path, run_cli: Run) -> None:
    hidden = "1 g " + text_at(250, 640, "L = a + b", 10) + "0 g " + text_at(403, 640, "(1)")
    (tmp_path / "doubtful.pdf").write_bytes(pdf_bytes([prose(100, 720, LINES) + hidden + prose(100, 610, LINES)]))
    done = run_cli("unverified", "read", "doubtful.pdf")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "page 1: read as a picture only: equation (1)"


def test_a_run_names_what_is_in_doubt_before_the_first_model_call(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    paper = papers.Paper(source="p.pdf", sha256="0", format="pdf", parser="p", doubts=("no references were found",))
    papers.write_paper(paper, run.paper)
    events = EventLog(None, "run")
    said: list[object] = []
    events.subscribe(lambda event: said.append(event["data"]))
    pipeline._say_doubts(run, events)  # pyright: ignore[reportPrivateUsage]
    assert said[-1:] == [{"message": "reading: in doubt: no references were found"}]


def test_a_number_without_a_network_ends_in_words(run_cli: Run) -> None:
    done = run_cli("unverified", "read", "2402.01868", "--offline")
    assert done.returncode == 3
    assert done.stderr.startswith("error: arXiv 2402.01868 is not in the cache, and `--offline` fetches nothing")
