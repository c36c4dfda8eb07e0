"""Lists of papers: every form that is documented is read, and what is wrong is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.errors import UsageError
from agentsys.run.batch.listing import read_list


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.md", "a.PDF", "source.tar.gz", "picture.png", "notes.yaml"):
        (tmp_path / name).write_text(name)
    (tmp_path / "more").mkdir()
    return tmp_path


def listed(folder: Path, text: str, name: str = "list.txt") -> list[str]:
    file = folder / name
    file.write_text(text)
    return [paper.name for paper in read_list(file)]


def test_a_folder_gives_its_papers_by_name_and_nothing_else(folder: Path) -> None:
    assert [Path(paper.name).name for paper in read_list(folder)] == ["a.PDF", "b.md", "source.tar.gz"]


def test_a_list_has_paths_beside_it_numbers_and_addresses(folder: Path) -> None:
    text = "# ours\nb.md\n\n  2402.01868v2 \narxiv:hep-ph/9412269\nhttps://example.org/p.pdf\nmore\n"
    names = [str(folder / "b.md"), "2402.01868v2", "arxiv:hep-ph/9412269", "https://example.org/p.pdf"]
    assert listed(folder, text) == [*names, str(folder / "more")]


def test_yaml_gives_single_papers_a_request_and_limits_of_their_own(folder: Path) -> None:
    text = "- b.md\n- paper: 2402.01860\n  request: table 2\n  budget: 3\n  time_limit: 2h\n  source: a.tex\n"
    (folder / "list.yaml").write_text(text)
    first, second = read_list(folder / "list.yaml")
    assert (first.name, dict(first.options)) == (str(folder / "b.md"), {})
    assert (second.name, second.request) == ("2402.01860", "table 2")
    assert dict(second.options) == {"budget": 3, "time_limit": "2h", "source": str(folder / "a.tex")}


@pytest.mark.parametrize("key", ["base_url", "policy", "model", "allow_weak_sandbox", "runs_dir", "backend"])
def test_a_list_sets_nothing_that_sends_elsewhere_or_loosens(folder: Path, key: str) -> None:
    with pytest.raises(UsageError, match=rf"entry 1: `{key}` is not known there"):
        listed(folder, f"- paper: b.md\n  {key}: x\n", "list.yaml")


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("b.md\nabsent.pdf\n", "list.txt", "line 2: there is no `absent.pdf`"),
        ("# nothing\n", "list.txt", "names no paper"),
        ("b.md\n./b.md\n", "list.txt", "names a paper twice"),
        ("paper: b.md\n", "list.yaml", "is no list"),
        ("- [b.md]\n", "list.yaml", "entry 1 names no paper"),
        ("- paper: [b.md]\n", "list.yaml", "entry 1 names no paper"),
        ("- a: b: c\n", "list.yaml", "is no YAML"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(folder: Path, text: str, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        listed(folder, text, name)


def test_a_paper_in_place_of_a_list_is_said_to_be_none(folder: Path) -> None:
    (folder / "paper.pdf").write_bytes(b"%PDF-1.7\n\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no text"):
        read_list(folder / "paper.pdf")


def test_a_changed_file_or_request_is_another_paper_and_the_same_one_is_not(folder: Path) -> None:
    def key() -> str:
        return {Path(paper.name).name: paper.key for paper in read_list(folder)}["b.md"]

    before = key()
    assert key() == before
    (folder / "b.md").write_text("changed")
    assert key() != before
    assert "/" not in before and before.startswith("b-md-")
