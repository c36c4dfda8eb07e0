"""A paper reaches its full profile with real data: shipped by a package, and fetched from a server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import DataSource
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.report.data import collect
from agentsys.run.pipeline import RunResult, implement
from agentsys.run.reproduce import Order, reproduce
from agentsys.verify.data.pins import FILE, read_lock
from agentsys.verify.data.store import Store
from agentsys_policies.record import read_events, verify
from scripted.answers import CONFIG, CORE_RIGHT, DESIGN, EVALUATION, MAIN, REQUIREMENTS, as_json, fenced, first_version
from scripted.paper import PAPER
from scripted.recording import write_paper, write_recording
from unit.verify.fetched.server import Site, serving

pytestmark = [pytest.mark.index, pytest.mark.slow]

TEXT = PAPER.replace(
    "With b = 0.9 and the stream 1, 2, ..., 100 the last corrected value is 91.0 (to one decimal place).",
    "With b = 0.9 and the mean radius of the 569 tumours of the Wisconsin breast cancer data, in the order of the "
    "file, the last corrected value is 14.5586. On the squares 1, 4, 9, 16 of the second data set it is 8.16197.",
)
LAST, TAIL = 14.5586, 8.16197
SQUARES = b"value\n1\n4\n9\n16\n"
READ = '''
def read_radius() -> list[float]:
    """The first column of the data that scikit-learn ships, in the order of the file."""
    text = files("sklearn.datasets.data").joinpath("breast_cancer.csv").read_text()
    return [float(row.split(",")[0]) for row in text.splitlines()[1:]]


def read_squares() -> list[float]:
    """The second data set."""
    return [float(row) for row in Path("data/squares/squares.csv").read_text().split()[1:]]


def main('''
RUN = """    full = config["source"] == "breast_cancer"
    stream = read_radius() if full else [float(i) for i in range(1, length + 1)]
    last = corrected_means(stream[:length], float(config["b"]))[-1]
    results: dict[str, object] = {"profile": profile, "scale": f"stream of {length}"}
    if full:
        results["tail"] = corrected_means(read_squares(), float(config["b"]))[-1]
    results["not_attempted"] = {} if full else {"tail": "needs the second data set"}
"""
REAL_MAIN = (
    MAIN.replace("import sys\n", "import sys\nfrom importlib.resources import files\n")
    .replace("\ndef main(", READ)
    .replace(MAIN[MAIN.index("    last = ") : MAIN.index('    results["last_value"]')], RUN)
)
SOURCES: list[dict[str, Any]] = [
    {
        "name": "cancer",
        "kind": "package",
        "identifier": "scikit-learn",
        "files": ["sklearn/datasets/data/breast_cancer.csv"],
        "licence": "CC BY 4.0",
        "splits": [{"name": "all", "files": ["*.csv"], "count": 569}],
        "stand_in": "a ramp of ten numbers; says nothing about the values of section 3",
    },
    {
        "name": "squares",
        "kind": "url",
        "identifier": "https://data.github.com/FOLDER/squares.csv",
        "splits": [{"name": "all", "count": 4}],
    },
]


def answers(sources: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """The scripted run, with an experiment on real data."""
    place = {"section": "3"}
    first = EVALUATION["expected"][0]  # type: ignore[index]
    expected = [
        {**first, "value": LAST, "place": place},
        {**first, "id": "E2", "metric": "of the squares", "value": TAIL, "place": place, "result_key": "tail"},
    ]
    files = [dict(spec) for spec in DESIGN["files"]]  # type: ignore[union-attr]
    files[1]["requirements"] = {"R3": ["main", "result:last_value", "result:tail"]}
    dependencies = [*DESIGN["dependencies"], {"name": "scikit-learn", "specifier": ">=1.5", "why": "its data"}]  # type: ignore[misc]
    config = {
        name: {**values, "length": length, "source": source}
        for (name, values), length, source in zip(CONFIG.items(), (569, 10), ("breast_cancer", "ramp"), strict=True)
    }
    return first_version(CORE_RIGHT) | {
        ("planner", "requirements"): as_json(REQUIREMENTS),
        ("planner", "evaluation"): as_json({**EVALUATION, "expected": expected, "data": sources}),
        ("planner", "design"): as_json({**DESIGN, "files": files, "dependencies": dependencies}),
        ("planner", "config"): as_json(config),
        ("coder", "runmean/main.py"): fenced(REAL_MAIN),
    }


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = secrets.token_hex(8)  # the cache is this machine's: an earlier test's file would do as well
    with serving(Site({f"/{folder}/squares.csv": SQUARES})) as made:
        monkeypatch.setitem(SOURCES[1], "identifier", f"https://data.github.com/{folder}/squares.csv")
        yield made
        store = Store()
        pinned = store.known(DataSource.model_validate(SOURCES[1]))
        store.remove(pinned.files.values() if pinned is not None else ())


async def run(tmp_path: Path, backend: str, site: Site, sources: list[dict[str, Any]], **more: Any) -> RunResult:
    paper = write_paper(tmp_path, TEXT)
    recording = write_recording(tmp_path / "recording", paper, answers(sources))
    settings = Settings.model_validate(
        {"replay": recording, "runs_dir": tmp_path / "runs", "backend": backend, "mutants": 0, "reviews": 0,
         "claims": "off", "data": "auto", "data_mirrors": [f"data.github.com={site.base}"],
         "allow_weak_sandbox": backend == "bwrap"} | more
    )  # fmt: skip
    return await implement(paper, settings)


def measured(run: RunDir) -> dict[str, tuple[float | None, str, str]]:
    return {row.expected.result_key: (row.measured, row.profile, row.grade) for row in collect(run).measured}


async def test_a_paper_reaches_its_full_profile_with_real_data_and_its_numbers_agree(
    tmp_path: Path, backend: str, site: Site
) -> None:
    done = await run(tmp_path, backend, site, SOURCES)
    assert done.record.status == "verified", done.record.reason
    rows = measured(done.run)
    assert {key: (profile, grade) for key, (_, profile, grade) in rows.items()} == {
        "last_value": ("full", "agrees to the printed digits"),
        "tail": ("full", "agrees to the printed digits"),
    }
    assert rows["last_value"][0] == pytest.approx(14.558556635411104, rel=1e-12)
    pinned = read_lock(done.run.repo).sources
    assert set(pinned) == {"squares"} and set(pinned["squares"].files) == {"squares.csv"}
    record = json.loads((done.run.reproductions / "01/reproduction.json").read_text())
    assert record["passed"] and "the cache (squares)" in record["data"] and len(record["data_sha256"]) == 64
    decided = [row["body"] for row in read_events(done.run.audit) if row["body"].get("gate") == "artifact"]
    assert [row["decision"] for row in decided] == ["allow"] and verify(done.run.audit) == []
    told = [path.read_text() for path in (done.run.llm / "prompts").rglob("*") if path.is_file()]
    assert any("`data/squares/`" in text and "5 rows" in text for text in told), "the coder knows what is there"
    assert (done.run.repo / FILE).is_file() and not (done.run.repo / "data").exists()


async def test_without_the_data_the_run_is_verified_by_its_smoke_profile_and_says_what_the_full_one_needs(
    tmp_path: Path, backend: str, site: Site
) -> None:
    done = await run(tmp_path, backend, site, SOURCES, data="never")
    assert done.record.status == "verified" and site.asked == []
    assert measured(done.run)["last_value"][1] == "smoke"
    events = (done.run.path / "events.jsonl").read_text()
    assert "the full profile needs `squares`" in events and "the full profile was not run" in events


async def test_a_count_that_is_not_the_papers_stops_the_full_profile_before_it_trains(
    tmp_path: Path, backend: str, site: Site
) -> None:
    wrong = [{**SOURCES[0], "splits": [{"name": "all", "files": ["*.csv"], "count": 600}]}, SOURCES[1]]
    done = await run(tmp_path, backend, site, wrong, full_seconds=0)
    assert done.record.status == "verified"
    settings = Settings(backend=backend, allow_weak_sandbox=backend == "bwrap")
    later = await reproduce(done.run, settings, Order("full", 600.0))
    assert not later.record.passed and "holds 570 or 569 rows, and the plan says 600" in later.record.reason
    assert not (later.folder / "run.log").exists()
