from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.errors import EditError, UnsafePath
from agentsys.debug.edits import EDIT_FORMAT, Edit, parse_edits, prepare


def edit(path: str, *pairs: tuple[str, str]) -> str:
    blocks = "".join(f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n" for old, new in pairs)
    return f"````edit:{path}\n{blocks}````\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg/model.py").write_text("def a():\n    x = 1\n    return x\n\n\ndef b():\n    x = 1\n    return x + 1\n")
    (root / "run.sh").write_text("true\n")
    return root


def snapshot(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_search_and_replace_changes_the_one_place_and_reports_it(repo: Path) -> None:
    patch = prepare(
        repo, parse_edits("Cause: wrong.\n" + edit("pkg/model.py", ("    return x + 1", "    return x + 2")))
    )
    assert patch.paths == ("pkg/model.py",)
    assert "-    return x + 1\n+    return x + 2\n" in patch.diff()
    patch.write()
    assert (repo / "pkg/model.py").read_text().endswith("    return x + 2\n")


def test_several_pairs_of_one_block_are_applied_one_after_the_other(repo: Path) -> None:
    answer = edit("pkg/model.py", ("def a():", "def first():"), ("def first():\n    x = 1", "def first():\n    x = 3"))
    prepare(repo, parse_edits(answer)).write()
    assert (repo / "pkg/model.py").read_text().startswith("def first():\n    x = 3\n")


def test_an_empty_replace_part_deletes_the_lines(repo: Path) -> None:
    answer = (
        "````edit:pkg/model.py\n<<<<<<< SEARCH\ndef b():\n    x = 1\n    return x + 1\n=======\n>>>>>>> REPLACE\n````"
    )
    prepare(repo, parse_edits(answer)).write()
    assert "def b" not in (repo / "pkg/model.py").read_text()


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("    x = 1", "stands 2 times"),
        ("    x = 7", "not in the file"),
        ("  return x + 1", "not in the file"),
        ("", "empty"),
    ],
)
def test_a_search_that_is_not_there_exactly_once_is_refused(repo: Path, old: str, said: str) -> None:
    with pytest.raises(EditError, match=said):
        prepare(repo, parse_edits(edit("pkg/model.py", (old, "    y = 2"))))


def test_feedback_shows_the_place_that_was_meant(repo: Path) -> None:
    with pytest.raises(EditError) as caught:
        prepare(repo, parse_edits(edit("pkg/model.py", ("    return x+1", "    return 2"))))
    assert "return x + 1" in caught.value.hint


def test_all_edits_are_written_or_none(repo: Path) -> None:
    before = snapshot(repo)
    answer = "````file:new.py\nx = 1\n````\n" + edit("pkg/model.py", ("def a():", "def a(:"))
    with pytest.raises(EditError, match="not valid Python"):
        prepare(repo, parse_edits(answer)).write()
    assert snapshot(repo) == before


def test_a_failure_while_writing_puts_everything_back(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(repo)
    answer = "````file:a.py\nx = 1\n````\n" + edit("pkg/model.py", ("def a():", "def c():"))
    patch = prepare(repo, parse_edits(answer + "````file:z.py\nx = 1\n````\n````delete:run.sh\n````"))

    def disk_full(place: Path, data: str) -> None:
        if place.name == "z.py":
            raise OSError(28, "No space left on device")
        place.write_text(data)

    monkeypatch.setattr("agentsys.debug.edits.write_atomic", disk_full)
    with pytest.raises(OSError, match="No space left"):
        patch.write()
    assert snapshot(repo) == before


def test_a_tree_that_changed_after_the_check_is_not_written(repo: Path) -> None:
    patch = prepare(repo, parse_edits("````file:a.py\nx = 1\n````\n````file:z/y.py\nx = 1\n````\n"))
    (repo / "z").symlink_to(repo.parent)
    with pytest.raises(UnsafePath):
        patch.write()
    assert not (repo / "a.py").exists() and not (repo.parent / "y.py").exists()


def test_whole_files_keep_fences_of_their_own(repo: Path) -> None:
    text = "# Read me\n\n```bash\nbash reproduce.sh\n```\n"
    prepare(repo, parse_edits(f"````file:README.md\n{text}````\n")).write()
    assert (repo / "README.md").read_text() == text


def test_scripts_become_executable_and_files_can_be_deleted(repo: Path) -> None:
    prepare(repo, parse_edits("````file:run.sh\nset -e\n````\n````delete:pkg/model.py\n````")).write()
    assert (repo / "run.sh").stat().st_mode & 0o111
    assert not (repo / "pkg/model.py").exists()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("I would change line 3.", "no edit"),
        ("```python\nx = 1\n```", "no edit"),
        ("````file:a.py\nx = 1\n", "not closed"),
        ("````file:a.py\nx = 1\n````file:b.py\ny = 1\n````", "not closed"),
        ("````edit:a.py\nx = 1\n````", "outside SEARCH"),
        ("````edit:a.py\n<<<<<<< SEARCH\nx\n````", "lacks ======="),
        ("````edit:a.py\n<<<<<<< SEARCH\nx\n=======\ny\n````", "lacks >>>>>>> REPLACE"),
        ("````edit:a.py\n````", "lacks a SEARCH"),
        ("````file:x.py\n````\n" * 101, "at most 100"),
    ],
)
def test_a_malformed_answer_is_refused_with_the_fault(answer: str, said: str) -> None:
    with pytest.raises(EditError, match=said):
        parse_edits(answer)


@pytest.mark.parametrize("path", ["../x.py", "/tmp/x.py", ".git/config", "pkg/../../x.py", "PKG/model.py"])
def test_hostile_paths_change_nothing_outside_or_inside(repo: Path, path: str) -> None:
    before = snapshot(repo.parent)
    for answer in (f"````file:{path}\nx = 1\n````", edit(path, ("a", "b")), f"````delete:{path}\n````"):
        with pytest.raises(UnsafePath):
            prepare(repo, parse_edits(answer)).write()
    assert snapshot(repo.parent) == before


@pytest.mark.parametrize("second", ["A.py", "a.py/b.py"])
def test_new_files_of_one_answer_may_not_collide(repo: Path, second: str) -> None:
    with pytest.raises(EditError):
        prepare(repo, parse_edits(f"````file:a.py\nx = 1\n````\n````file:{second}\nx = 2\n````"))


def test_edits_without_effect_are_refused(repo: Path) -> None:
    with pytest.raises(EditError, match="change nothing"):
        prepare(repo, parse_edits(edit("pkg/model.py", ("def a():", "def a():"))))


def test_editing_or_deleting_an_absent_file_is_refused(repo: Path) -> None:
    for answer in (edit("none.py", ("a", "b")), "````delete:none.py\n````"):
        with pytest.raises(EditError, match="does not exist"):
            prepare(repo, parse_edits(answer))


def test_windows_line_ends_of_an_answer_do_not_matter(repo: Path) -> None:
    answer = edit("pkg/model.py", ("    return x + 1", "    return x + 2")).replace("\n", "\r\n")
    prepare(repo, parse_edits(answer)).write()
    assert "\r" not in (repo / "pkg/model.py").read_text()


def test_the_format_that_models_are_told_is_the_one_that_is_read() -> None:
    edits = parse_edits(EDIT_FORMAT)
    assert [(item.action, item.path) for item in edits] == [
        ("edit", "src/example/model.py"),
        ("file", "configs/smoke.yaml"),
        ("delete", "src/example/old_name.py"),
    ]
    assert edits[1] == Edit("file", "configs/smoke.yaml", "seed: 0\n")
