"""The paper's figures and tables stand in the delivered repository beside what was drawn and measured there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from agentsys.audit.release import known_results
from agentsys.core.artifacts import ExpectedResult, PaperPlace
from agentsys.core.blocks import FIGURES, clear_status
from agentsys.core.gitrepo import GitRepo
from agentsys.core.rundir import RunDir
from agentsys.core.tree import read_tree
from agentsys.paper.load import read_paper
from agentsys.paper.model import Figure, Paper, Section, Table
from agentsys.paper.store import write_paper
from agentsys.plan.workspace import code_hash
from agentsys.report.beside import spelled
from agentsys.report.figures import MAX_CROP
from agentsys.report.status import write_status
from agentsys_policies.engine import Policy
from agentsys_policies.release import ReleaseFacts, make_release
from agentsys_policies.sbom import Installed
from unit.verify.claims.judging import contract

from .claimed import HOSTILE, judged
from .made import make, plan, write_json

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "dc-svrg" / "paper.pdf"


def placed(run: RunDir, *labels: str) -> None:
    """Let the plan's numbers stand at these places of the paper; the first of them was measured."""
    places = [PaperPlace(section="5", label=label, page=3) for label in labels]
    expected = [
        ExpectedResult(id=f"E{n}", experiment="table", metric=f"loss {n}", value=0.25, place=place, result_key=key)
        for n, (place, key) in enumerate(zip(places, ("loss", "t"), strict=False), 1)
    ]
    write_json(run.plan / "plan.json", plan().model_copy(update={"expected": tuple(expected)}))


def draw(run: RunDir, name: str) -> None:
    file = run.repo / "results" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), "navy").save(file)


def page(run: RunDir) -> str:
    return (run.repo / FIGURES / "README.md").read_text()


def parts(text: str) -> dict[str, str]:
    """Heading to what stands below it."""
    found = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def started(folder: Path) -> RunDir:
    run = make(folder, "verified")
    (run.repo / "README.md").write_text("# Made\n")
    GitRepo(run.repo).init()
    GitRepo(run.repo).commit("First version")
    return run


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `paper/` of a run, read from our own example's PDF."""
    folder = tmp_path_factory.mktemp("example") / "paper"
    folder.mkdir()
    shutil.copyfile(EXAMPLE, folder / "source.pdf")
    write_paper(read_paper(EXAMPLE), folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, example: Path) -> RunDir:
    """A run of the example's paper that has measured one number of Table 1 and drawn a curve for Figure 1."""
    run = started(tmp_path)
    shutil.copytree(example, run.paper, dirs_exist_ok=True)
    placed(run, "Table 1", "Table 4")
    draw(run, "fig01.png")
    draw(run, "loss curve.png")
    return run


def test_the_papers_figure_and_table_stand_beside_what_the_run_drew_and_measured(run: RunDir) -> None:
    write_status(run)
    said = parts(page(run))
    assert list(said)[:3] == ["Table 1 (page 3)", "Table 4 (page 3)", "Figure 1 (page 3)"]
    pair = "| ![Figure 1 of the paper](figure-1.png) | ![results/fig01.png](../results/fig01.png) |"
    assert pair in said["Figure 1 (page 3)"] and "over ten seeds in the full setting" in said["Figure 1 (page 3)"]
    assert "![Table 1 of the paper](table-1.png) | ![" in said["Table 1 (page 3)"]
    assert "](table-1-here.svg) |" in said["Table 1 (page 3)"]
    assert "| loss 1 | 0.25 | 0.3 | within 20 % (smoke scale) |" in said["Table 1 (page 3)"]
    assert "| loss 2 | 0.25 | - |" in said["Table 4 (page 3)"] and "nothing was drawn" in said["Table 4 (page 3)"]
    assert "(../results/loss%20curve.png)" in said["Drawn here, of no figure that its name tells"]
    drawn = (run.repo / FIGURES / "table-1-here.svg").read_text()
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert {"loss 1", "paper", "here, not at the paper's scale"} <= set(texts)
    for name in re.findall(r"\]\(([^)#]+)\)", page(run)):
        assert (run.repo / FIGURES / name.replace("%20", " ")).is_file(), name


def test_the_crops_are_the_papers_own_pixels(run: RunDir) -> None:
    write_status(run)
    crop = (run.repo / FIGURES / "figure-1.png").read_bytes()
    assert crop == next((run.paper / "figures").glob("*.png")).read_bytes()
    with Image.open(run.repo / FIGURES / "table-1.png") as table:
        assert table.width > 400 and 100 < table.height < table.width
        assert table.convert("L").getextrema() == (0, 255), "an empty picture"


def test_crops_are_committed_small_and_said_to_be_the_papers(run: RunDir) -> None:
    write_status(run)
    assert "They are its authors' or its publisher's" in page(run)
    files = GitRepo(run.repo).files()
    assert {f"{FIGURES}README.md", f"{FIGURES}figure-1.png", f"{FIGURES}table-1.png"} <= set(files)
    assert all(len(data) <= MAX_CROP for name, data in files.items() if name.startswith(FIGURES))
    block = (run.repo / "README.md").read_text().partition("<!-- /agentsys:status -->")[0]
    assert f"which no release holds: `{FIGURES}README.md`" in block


def test_no_program_is_given_the_crops_and_the_code_is_the_same_with_them(run: RunDir) -> None:
    before = code_hash(run.repo)
    write_status(run)
    assert (run.repo / FIGURES / "README.md").is_file() and code_hash(run.repo) == before
    assert not any(name.startswith(FIGURES) for name in read_tree(run.repo))


def test_a_release_leaves_the_crops_out_and_an_audit_of_the_repository_does_not_stumble_on_them(
    run: RunDir, tmp_path: Path
) -> None:
    write_status(run)
    policy, out = Policy.load(), tmp_path / "release"
    (run.repo / "requirements.lock").write_text("six==1.17.0\n")
    (run.repo / "reproduce.sh").write_text("set -eu\n")
    facts = ReleaseFacts("made", run.path.name, "0")
    make_release(run.repo, out, policy, [Installed("six", "1.17.0")], facts, known_results(run), (FIGURES,))
    assert (out / "app" / "made").is_dir() and not (out / "app" / FIGURES).exists()
    assert not [row for row in policy.audit_code(run.repo).findings if row.evidence.path.startswith(FIGURES)]


def test_a_second_end_replaces_the_folder_and_a_run_that_goes_on_has_none(run: RunDir) -> None:
    write_status(run)
    (run.repo / FIGURES / "left.png").write_bytes(b"x")
    shutil.rmtree(run.repo / "results" / "loss curve.png", ignore_errors=True)
    write_status(run)
    assert not (run.repo / FIGURES / "left.png").exists()
    clear_status(run.repo)
    assert not (run.repo / FIGURES).exists()
    placed(run)
    shutil.rmtree(run.repo / "results")
    write_status(run)
    assert not any(name.startswith(FIGURES) for name in GitRepo(run.repo).files())


def test_a_link_in_the_folders_place_is_not_followed(run: RunDir, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("mine")
    (run.repo / FIGURES.rstrip("/")).symlink_to(outside)
    write_status(run)
    assert (outside / "kept.txt").read_text() == "mine" and sorted(outside.iterdir()) == [outside / "kept.txt"]
    assert (run.repo / FIGURES / "figure-1.png").is_file() and not (run.repo / FIGURES.rstrip("/")).is_symlink()


@pytest.mark.parametrize("kind", ["latex", "html", "markdown"])
def test_a_paper_that_was_no_pdf_has_no_crops_and_the_page_says_so(tmp_path: Path, kind: str) -> None:
    run = started(tmp_path)
    figure = Figure(id="f1", label="2", caption="Figure 2: The loss.")
    section = Section(id="s1", number="1", title="Results", blocks=(figure,))
    made = Paper.model_validate({"source": "p", "sha256": "0", "format": kind, "parser": "x", "sections": (section,)})
    write_json(run.paper / "paper.json", made)
    placed(run, "Fig. 2")
    write_status(run)
    assert f"it was read from {kind}, not from a PDF" in page(run)
    assert "| no picture of it was cut out | ![" in parts(page(run))["Figure 2"]
    assert not list((run.repo / FIGURES).glob("*.png"))


def test_words_of_a_paper_and_names_of_files_are_no_markup(tmp_path: Path) -> None:
    run = started(tmp_path)
    blocks = (Figure(id="f1", label="1", caption=HOSTILE), Table(id="../../x", label=f"2 {HOSTILE}", caption=HOSTILE))
    section = Section(id="s1", number="1", title="Results", blocks=blocks)
    write_json(run.paper / "paper.json", Paper(source="p", sha256="0", format="html", parser="x", sections=(section,)))
    placed(run, "Figure 1")
    draw(run, "fig1](javascript:alert(1)) <b>.png")
    write_status(run)
    said = page(run)
    targets = re.findall(r"(?<!\\)\]\(([^)]*)\)", said)
    assert targets and all(re.fullmatch(r"(\.\./)?[\w/.%~-]+", target) for target in targets), targets
    assert not re.search(r"<(?!br>|!-- -->)", said)


def test_the_plot_of_a_claim_stands_beside_the_figure_that_it_names(tmp_path: Path, example: Path) -> None:
    run = judged(tmp_path, contract(place={"section": "5", "label": "Table 2"}))
    shutil.copytree(example, run.paper, dirs_exist_ok=True)
    write_status(run)
    said = parts(page(run))["Table 2 (page 3)"]
    assert "| ![Table 2 of the paper](table-2.png) | ![plot of claim C1](../claims/pages/c1.svg) |" in said
    assert "[Claim C1](../claims/pages/c1.md): " in said


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("results/fig02a.png", "fig 2 a"),
        ("results/figure_10.svg", "figure 10"),
        ("results/Figure-3/curve.png", "Figure 3 curve"),
        ("results/loss.png", "loss"),
        ("results/config1.png", "config 1"),
    ],
)
def test_a_name_of_a_file_is_read_as_a_reader_would(path: str, words: str) -> None:
    assert spelled(path) == words


def test_a_repair_after_the_run_was_resumed_does_not_show_the_figures_as_its_change(run: RunDir) -> None:
    git = GitRepo(run.repo)
    base = git.head()
    write_status(run)
    (run.repo / "made" / "core.py").write_text("x = 2\n")
    diff = git.diff(base)
    assert "+x = 2" in diff and "paper_figures" not in diff.replace("`paper_figures/README.md`", "")


def test_the_commit_of_the_status_holds_nothing_else(run: RunDir) -> None:
    (run.repo / "half-done.py").write_text("x = 1\n")
    write_status(run)
    done = subprocess.run(
        ["git", "-C", str(run.repo), "status", "--porcelain"], capture_output=True, text=True, check=True
    )
    assert "?? half-done.py" in done.stdout and FIGURES not in done.stdout
