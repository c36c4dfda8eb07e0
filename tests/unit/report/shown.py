"""A run with everything that its page shows, made by hand: no model, no sandbox and no paper stand behind it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image, ImageDraw

from agentsys.core.artifacts import Diagnostic, PaperPlace
from agentsys.core.files import sha256_bytes
from agentsys.core.rundir import RunDir
from agentsys.llm.ledger import Ledger, Line
from agentsys.llm.sections import section_hashes, section_texts
from agentsys.llm.store import Recording, Store
from agentsys.llm.types import CallKey, Part, Prompt, Reply, Usage
from agentsys.paper.model import Equation, Paper, Paragraph, Section
from agentsys.plan.claims.amendment import freeze
from agentsys.plan.workspace import experiment_inputs
from agentsys.report.claim_files import write_pages
from agentsys.report.claim_plot import draw_plots
from agentsys.report.claim_reading import keep_baselines
from agentsys.report.data import collect
from agentsys.verify.claims.record import Findings, write_record
from agentsys.verify.fidelity.mutation_report import MutationReport, TriedMutant
from unit.verify.claims.judging import compared, contract, rows_of

from .made import RUN_ID, make, plan, record, verdict, write_json

HOST = "127.0.0.1:8000"
BASE = f"http://{HOST}"
TOKEN = "token-of-the-test"
HOSTILE = (
    "</pre></script><script>document.title = 'taken'</script>"
    "<img src=x onerror=\"document.title='taken'\">\x1b]0;taken\x07"
)
QUOTE = "the step follows the gradient of the loss at every iteration"


def shown(folder: Path, *, words: str = "", status: str = "unverified") -> RunDir:
    """Make an unverified run: pytest failed in it, one claim is judged, two calls were made.

    Args:
        words: put into every text that comes from a paper, a model or a program.
    """
    run = make(folder, "verified" if status == "verified" else "unverified")
    if status != "verified":
        reason = f"pytest failed; the repair rounds are used up {words}"
        run.write(record("unverified", rounds=1, reason=reason, title=f"A Made-up Paper {words}".strip()))
        fault = Diagnostic(
            kind="test",
            check="pytest",
            message=f"AssertionError: 0.5 != 0.25 {words}",
            path="tests/test_core.py",
            line=7,
            detail=f"E   assert 0.5 == 0.25\n{words}",
        )
        write_json(run.round(1) / "verdict.json", verdict(1, {"pytest": "2 passed, 1 failed"}, diagnostics=(fault,)))
    (run.round(1) / "pytest.log").write_text(f"collected 3 items\n{words}\n1 failed, 2 passed\n")
    _plan(run, words)
    _paper(run, words)
    _calls(run, words)
    _events(run, words)
    _claim(run, folder)
    write_json(run.repo / "results" / "results.json", {"loss": 0.4, "t": 61.0, "scale": f"10 steps {words}"})
    picture(run.repo / "results" / "curve.png")
    return run


def _plan(run: RunDir, words: str) -> None:
    symbols = {"R1": ("update", "result:loss"), "R2": ("step_size", "result:t"), "R3": ("absent",)}
    place = PaperPlace(section="2", label="Eq. (1)", page=1, quote=QUOTE)
    made = plan()
    files = tuple(
        spec.model_copy(update={"symbols": symbols, "requirements": tuple(symbols)})
        if spec.path == "made/core.py"
        else spec
        for spec in made.files
    )
    first, *others = made.requirements
    first = first.model_copy(update={"place": place, "what": f"the update follows Eq. (1) {words}".strip()})
    write_json(run.plan / "plan.json", made.model_copy(update={"files": files, "requirements": (first, *others)}))
    (run.repo / "made" / "core.py").write_text(
        f'def update(x):\n    """{words}"""\n    return x\n\n\ndef step_size(x):\n    return x\n'
    )
    tests = {
        "outcomes": {"tests/test_core.py::test_update": "passed"},
        "functions": {"tests/test_core.py::test_update": ["made/core.py:update"]},
    }
    base = {
        "path": "made/core.py",
        "symbol": "update",
        "line": 3,
        "before": "x",
        "after": "-x",
        "fault": "sign flipped",
    }
    row = TriedMutant.model_validate({**base, "number": 1, "state": "caught", "by": "tests/test_core.py::test_update"})
    report = MutationReport(tree="0" * 32, mutants=(row,))
    write_json(run.rounds / "mutation.json", report)
    for folder in run.rounds.glob("0*"):
        write_json(folder / "tests.json", tests)
        write_json(folder / "faults.json", report)


def picture(file: Path) -> None:
    """Write a picture with something on it; a PDF where the name says so."""
    file.parent.mkdir(parents=True, exist_ok=True)
    made = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(made).rectangle((40, 60, 360, 120), outline="black", width=3)
    made.save(file, resolution=72.0)


def _paper(run: RunDir, words: str) -> None:
    picture(run.paper / "source.pdf")
    blocks = (
        Paragraph(id="b1", page=1, bbox=(30, 50, 370, 130), text=f"We show that {QUOTE}. {words}"),
        Equation(id="b2", page=1, bbox=(30, 50, 370, 90), number="1", text="x = y"),
    )
    digest = sha256_bytes((run.paper / "source.pdf").read_bytes())
    section = Section(id="s2", number="2", title="Method", blocks=blocks)
    write_json(
        run.paper / "paper.json",
        Paper(source="made.pdf", sha256=digest, format="pdf", parser="made", sections=(section,)),
    )


def _calls(run: RunDir, words: str) -> None:
    store = Store(run.llm)
    ledger = Ledger(run.llm / "ledger.jsonl", store, {"made-model": (1.0, 2.0)})
    for item, tokens in (("made/core.py", 90_000), ("made/main.py", 3000)):
        prompt = Prompt((Part("rules", "the rules of all"),), (Part("task", f"write {item} {words}"),))
        hashes = section_hashes(prompt)
        reply = Reply(f"the answer about {item} {words}", "stop", Usage(tokens, 0, 100), "made-model", 2.0)
        recording = Recording.of(CallKey("coder", item), reply, asked="made-model", prompt=hashes)
        store.write(recording)
        store.keep_sections(section_texts(prompt, hashes))
        ledger.append(recording)


def _events(run: RunDir, words: str) -> None:
    data = {
        "check": "pytest",
        "command": f"python -m pytest {words}",
        "outcome": "nonzero",
        "exit_code": 1,
        "seconds": 2.5,
    }
    rows = [("stage.started", "verify", {"agent": "verifier"}), ("sandbox.exec", "verify", data)]
    lines = [
        {
            "v": 1,
            "seq": n,
            "ts": "2026-01-02T03:05:06.000Z",
            "run": RUN_ID,
            "type": kind,
            "stage": stage,
            "round": 1,
            "data": row,
        }
        for n, (kind, stage, row) in enumerate(rows, 1)
    ]
    run.events_file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _claim(run: RunDir, folder: Path) -> None:
    rows_of(folder, compared())
    for place in (run.claims, run.repo / "claims"):
        write_record(place, freeze((contract(),)), [folder / "rows.csv"], {"C1": Findings()})
    write_json(run.path / "inputs.json", {"experiments": experiment_inputs(run)})
    write_pages(run.claims, "A Made-up Paper", collect(run).claims, draw_plots(run))
    keep_baselines(run)


def large(folder: Path, calls: int = 500, log_bytes: int = 50 << 20) -> RunDir:
    """Make a run of many calls and long logs."""
    run = shown(folder)
    answer = "def f(x):\n    return x\n" * 200
    with (run.llm / "ledger.jsonl").open("a") as ledger:
        for number in range(calls - 2):
            key = CallKey("coder", f"made/file_{number}.py")
            prompt = Prompt((Part("rules", "the rules of all"),), (Part("task", f"write file {number}\n" * 500),))
            hashes = section_hashes(prompt)
            reply = Reply(answer, "stop", Usage(3000, 0, 800), "made-model", 2.0)
            recording = Recording.of(key, reply, asked="made-model", prompt=hashes)
            file = Store(run.llm).path(key)
            file.parent.mkdir(parents=True)
            file.write_bytes(recording.dump())
            Store(run.llm).keep_sections(section_texts(prompt, hashes))
            ledger.write(Line.of(recording, {"made-model": (1.0, 2.0)}).model_dump_json() + "\n")
    line = "".join(f"step {number}: loss 0.123456 and some more words of a training log\n" for number in range(1000))
    for name in ("install", "pytest", "smoke", "pyright", "results"):
        with (run.round(1) / f"{name}.log").open("w") as log:
            log.writelines(line for _ in range(log_bytes // 5 // len(line)))
    events = run.events_file.read_text().splitlines(keepends=True)
    run.events_file.write_text("".join(events * 2000))
    return run


class Seen(HTMLParser):
    """A page as a reader has it: its words and its links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.sources: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self._link: str | None = None
        self._words = ""
        self._mute = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._mute += tag in ("script", "style")
        if tag == "a":
            self._link, self._words = values.get("href") or "", ""
        if tag == "img":
            self.sources.append(values.get("src") or "")
        if values.get("id"):
            self.ids.append(values["id"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._mute -= tag in ("script", "style")
        if tag == "a" and self._link is not None:
            self.links.append((" ".join(self._words.split()), self._link))
            self._link = None

    def handle_data(self, data: str) -> None:
        if not self._mute:
            self.text += data
            self._words += data

    def link(self, words: str) -> str:
        """Return where the first link leads whose words match."""
        return next(target for name, target in self.links if re.search(words, name))

    def own_links(self) -> set[str]:
        """Return the links that stay on this server, without their place in a page."""
        return {target.partition("#")[0] for _, target in self.links if not urlsplit(target).netloc} - {""}
