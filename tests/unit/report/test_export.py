"""The record of a run's claims as logbook, crate and notebook: whole, evaluated again first, and text stays text."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentsys.cli.app import main
from agentsys.core.errors import PrerequisiteError, UsageError
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.report.export.bundle import Bundle, load, new_folder
from agentsys.report.export.crate import PROFILE, write_crate
from agentsys.report.export.logbook import BUNDLE, MOST_CHARACTERS, block, plain, write_logbook
from agentsys.report.export.notebook import FILE, write_notebook
from unit.verify.claims.judging import contract

from .claimed import HOSTILE, judged, rate, recorded, vague
from .made import make

FORMS: dict[str, tuple[str, Callable[..., Path]]] = {
    "trackio": ("trackio", write_logbook),
    "ro-crate": ("rocrate", write_crate),
    "notebook": ("nbformat", write_notebook),
}


@pytest.fixture(autouse=True)
def no_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt to reach a network fails the test."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a packet would have left")

    for name in ("connect", "connect_ex", "sendto", "sendmsg"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run that no test changes."""
    return judged(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def bundle(run: RunDir) -> Bundle:
    return load(run)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same with hostile text wherever paper or model can put some."""
    text = HOSTILE[:1900]
    contracts = contract(text=text), rate(domain=text[:500]), vague(text)
    return load(judged(tmp_path_factory.mktemp("hostile"), *contracts, title=f"$\\ell_1$ \\g<9> {HOSTILE}"))


def write(bundle: Bundle, form: str, out: Path) -> Path:
    with new_folder(out) as folder:
        return FORMS[form][1](bundle, folder)


def pages(out: Path) -> dict[str, str]:
    return {file.parent.name: file.read_text() for file in (out / ".trackio" / "logbook").rglob("*.md")}


# -- all forms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_form_whose_package_is_absent_names_the_extra_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Bundle, form: str
) -> None:
    monkeypatch.setitem(sys.modules, FORMS[form][0], None)
    for name in [name for name in sys.modules if name.startswith(f"{FORMS[form][0]}.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(PrerequisiteError, match="is not installed") as caught:
        write(bundle, form, tmp_path / "out")
    assert "agentsys[export]" in caught.value.hint and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("rows/rows.csv", "C2,0,n=16,", "C2,0,n=17,", "rows/rows.csv is not the file that was judged"),
        ("verdicts.json", '"verdict": "verified"', '"verdict": "falsified"', "C1 was falsified"),
        ("contracts.json", '"seeds": 3', '"seeds": 2', "a contract of C2 is not the one that was frozen"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_record_that_is_not_the_one_that_was_judged_is_refused(
    tmp_path: Path, bundle: Bundle, form: str, file: str, before: str, after: str, said: str
) -> None:
    name = f"claims/{file}"
    altered = {**bundle.files, name: bundle.files[name].replace(before.encode(), after.encode(), 1)}
    with pytest.raises(UsageError, match=said):
        write(replace(bundle, files=altered), form, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_there_already_is_never_written_into(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        write(bundle, "notebook", tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_run_without_verdicts_on_its_code_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no verdicts on claims") as caught:
        load(make(tmp_path / "bare", "verified"))
    assert "agentsys resume" in caught.value.hint
    run = judged(tmp_path)
    (run.repo / "made" / "core.py").write_text("x = 2\n")
    with pytest.raises(UsageError, match="no verdicts on claims that belong to its code"):
        load(run)


def test_a_repository_without_the_record_is_refused(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    GitRepo(run.repo).init()
    GitRepo(run.repo).commit_files(["README.md"], "Without claims")
    with pytest.raises(UsageError, match="does not hold the record"):
        load(run)


@pytest.mark.slow
def test_the_command_finds_runs_as_others_do_and_says_how_to_open_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run: RunDir
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = str(run.path.parent)
    for words in ([str(run.path)], ["latest", "--runs-dir", runs]):
        out = f"out{len(words)}{words[0][:3].strip('/')}"
        with pytest.raises(SystemExit) as ended:
            main(["export", *words, "--to", "notebook", "--out", out])
        assert ended.value.code == 0 and (tmp_path / out / FILE).is_file()
        assert f"to open: jupyter lab {out}/{FILE}" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["export", str(run.path), "--to", "paper"])
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        main(["export", "none", "--runs-dir", runs, "--to", "notebook"])
    assert ended.value.code == 2 and "agentsys runs list" in capsys.readouterr().err


# -- Trackio -----------------------------------------------------------------------------------------------------------


def test_a_logbook_leaves_its_process_free_to_fetch_data_afterwards(tmp_path: Path, bundle: Bundle) -> None:
    from huggingface_hub import constants

    before = dict(os.environ), constants.HF_HUB_OFFLINE
    write(bundle, "trackio", tmp_path / "out")
    assert (dict(os.environ), constants.HF_HUB_OFFLINE) == before


def test_a_logbook_has_the_canonical_shape_for_trackios_own_reader(tmp_path: Path, bundle: Bundle) -> None:
    from trackio import logbook

    out = write(bundle, "trackio", tmp_path / "out")
    data = logbook.read_logbook_data(logbook.resolve_read_source(str(out)))
    titles = [page["title"] for page in data["pages"]]
    claims = ["Claim C1: verified", "Claim C2: verified", "Claim C3: inconclusive"]
    assert titles[1:] == ["Executive summary", *claims, "Conclusion"] and data["space_id"] is None
    index = [line for line in pages(out)["pages"].splitlines() if line]
    assert index[0].startswith("# A Made-up Paper") and index[1:4] == ["## Pages", "| Page |", "| --- |"]
    assert len(index) == 4 + 5 and all(re.fullmatch(r"\| \[[\w :]+\]\(#/[\w-]+\) \|", line) for line in index[4:])
    kinds = {page["title"]: [cell["type"] for cell in page["cells"]] for page in data["pages"]}
    assert kinds["Executive summary"] == ["markdown", "figure", "markdown"]
    assert kinds["Claim C2: verified"] == ["markdown", "code", "markdown", "markdown", "figure", "code"]
    assert kinds["Conclusion"] == ["markdown", "code", "artifact"]
    assert pages(out)["executive-summary"].count('"pinned": true') == 2
    text = logbook.read_logbook(logbook.resolve_read_source(str(out)))
    for words in (
        "| claim | -1 | -1 | -1 to -1 | 3 | holds |",
        "| claim | n=16 | ours | error | m | 0: 0.061875, 1: 0.0625, 2: 0.063125 |",
        "python claims/c2.py --case main",
        "| time |",
        "| hardware |",
    ):
        assert words in text
    assert "3 verdicts evaluated again, 0 differences" in text


def test_the_bundle_of_a_logbook_is_the_repository_by_its_hash(tmp_path: Path, run: RunDir, bundle: Bundle) -> None:
    out = write(bundle, "trackio", tmp_path / "out")
    with zipfile.ZipFile(out / BUNDLE) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == GitRepo(run.repo).files()
    assert hashlib.sha256((out / BUNDLE).read_bytes()).hexdigest() in pages(out)["conclusion"]
    shown = "".join(pages(out).values())
    assert str(tmp_path) not in shown and str(run.path) not in shown


def test_text_of_the_paper_opens_no_cell_link_or_element_in_a_logbook(tmp_path: Path, hostile: Bundle) -> None:
    from trackio import logbook

    out = write(hostile, "trackio", tmp_path / "out")
    data = logbook.read_logbook_data(logbook.resolve_read_source(str(out)))
    assert [len(page["cells"]) for page in data["pages"]] == [0, 3, 6, 6, 3, 3]
    slugs = [page["slug"] for page in data["pages"]]
    for name, page in pages(out).items():
        prose = re.sub(r"(?s)````.*?````", "", page)  # figures and code stand in fences
        links = re.findall(r"\]\(([^)]*)\)", prose)
        assert links == ([f"#/{slug}" for slug in slugs[1:]] if name == "pages" else [])
        assert not re.search(r"https?://[^\s]|<[a-z]", prose.replace("<!-- trackio-cell", "")), name
    assert "alert(1)" in pages(out)["claim-c1-verified"] and data["title"].startswith("$∖ell_1$")
    assert json.loads((out / ".trackio" / "logbook" / "workspace.json").read_text())["hub_refs"] == []


def test_a_program_cannot_end_its_block_or_open_a_cell() -> None:
    text = block("x = '''\n````\n---\n<!-- trackio-cell\n{}\n-->\n")
    assert "```" not in text and "<!-- trackio-cell" not in text
    assert (
        plain("[a][b] ![i](u) <b> a < b `c` x|y 1 * 2 http://x")
        == "[a] [b] ![i] (u) < b> a < b 'c' x¦y 1 * 2 http: //x"
    )


def test_what_a_judge_does_not_read_any_more_is_left_out_of_the_pages(tmp_path: Path, bundle: Bundle) -> None:
    long = {**bundle.files, "claims/c1.py": b"x = 1\n" * 20_000}
    out = write(replace(bundle, files=long), "trackio", tmp_path / "out")
    assert sum(map(len, pages(out).values())) < MOST_CHARACTERS
    assert "Program of this claim" in pages(out)["claim-c2-verified"]
    assert "Program of this claim" not in pages(out)["claim-c1-verified"]


def test_a_folder_inside_another_logbook_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    out = write(bundle, "trackio", tmp_path / "out")
    with pytest.raises(UsageError, match="lies inside the logbook"):
        write(bundle, "trackio", out / "second")
    assert not (out / "second").exists()


# -- RO-Crate ----------------------------------------------------------------------------------------------------------


def test_a_crate_says_for_each_claim_what_was_run_on_what_and_what_came_of_it(
    tmp_path: Path, run: RunDir, bundle: Bundle
) -> None:
    from rocrate.rocrate import ROCrate

    file = write(bundle, "ro-crate", tmp_path / "out")
    crate: Any = ROCrate(file.parent)
    assert crate.root_dataset["conformsTo"].id == PROFILE and crate.name.startswith("Claims of “A Made-up Paper")
    action = crate.get("#run-C2")
    assert (action.type, action["instrument"].id, action["object"].id) == (
        "CreateAction", "claims/c2.py", "claims/contracts.json",
    )  # fmt: skip
    assert "python claims/c2.py --case main" in action["description"]
    assert crate.get("#verdicts")["result"].id == "claims/verdicts.json"
    files = GitRepo(run.repo).files()
    entities = {entity.id: entity for entity in crate.data_entities}
    assert entities.keys() == files.keys() and crate.get("#run-C3") is None
    for name, content in files.items():
        assert (file.parent / name).read_bytes() == content
        assert entities[name]["sha256"] == hashlib.sha256(content).hexdigest()


def test_text_of_the_paper_stays_a_value_in_a_crate(tmp_path: Path, hostile: Bundle) -> None:
    graph = json.loads(write(hostile, "ro-crate", tmp_path / "out").read_text())["@graph"]
    paper = next(entity for entity in graph if entity["@id"] == "#paper")
    assert paper["name"].startswith("$\\ell_1$ \\g<9> <script>alert(1)</script>")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.html")) == []


# -- notebook ----------------------------------------------------------------------------------------------------------


def cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == kind]


def test_a_notebook_opens_with_its_results_and_evaluates_them_again_with_numpy_and_scipy_alone(
    tmp_path: Path, bundle: Bundle
) -> None:
    notebook = write(bundle, "notebook", tmp_path / "out")
    first = cells(notebook, "code")[0]
    frozen = "".join(first["outputs"][0]["text"])
    assert "C2    verified" in frozen and "0 differences" in frozen
    assert [list(cell["outputs"][0]["data"]) for cell in cells(notebook, "code")[1:]] == [["image/svg+xml"]] * 2
    # Nothing of agentsys and no other package may be imported.
    guard = "import sys\nfor name in ('agentsys', 'pint', 'pydantic', 'matplotlib'):\n    sys.modules[name] = None\n"
    done = run_source(notebook.parent, guard + "".join(first["source"]))
    assert (done.returncode, done.stdout) == (0, frozen), done.stderr
    rows = next((notebook.parent / "claims" / "rows").glob("*.csv"))
    rows.write_text(rows.read_text().replace("C2,0,n=16,ours,error,0.061", "C2,0,n=16,ours,error,0.161"))
    done = run_source(notebook.parent, guard + "".join(first["source"]))
    assert done.returncode == 1 and "is not the file that was judged" in done.stdout


def run_source(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", source], cwd=folder, capture_output=True, text=True, check=False)


def test_text_of_the_paper_makes_no_link_formula_or_element_in_a_notebook(tmp_path: Path, hostile: Bundle) -> None:
    for cell in cells(write(hostile, "notebook", tmp_path / "out"), "markdown"):
        text = "".join(cell["source"])
        assert not re.search(r"<(?!!-- -->)|(?<!\\)\]\(|\\\\[(\[]|(?<!\\)\$|https?://|(?<!\\)`[^`]*script", text), text
