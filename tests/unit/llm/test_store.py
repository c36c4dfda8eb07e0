"""Recordings as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.core.errors import PrerequisiteError
from agentsys.llm.sections import section_hashes, section_texts
from agentsys.llm.store import Recording, Store, decode, encode, load
from agentsys.llm.types import CallKey, Part, Prompt, Reply, Usage

HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b/../../../c",
    "src/model.py",
    ".git/hooks/pre-commit",
    "x\x00y",
    "two\nlines",
    "CON",
    "-rf",
    "%2e%2e",
    "%",
    " leading",
    "ünïcödé ☃",
    "\udcff",
]


def recording(key: CallKey, text: str = "answer", **changes: object) -> Recording:
    made = Recording.of(key, Reply(text, "stop", Usage(10, 4, 2), "served", 1.5), asked="asked", prompt={"task": "abc"})
    return made.model_copy(update=changes)


@pytest.mark.parametrize("item", HOSTILE)
def test_item_becomes_one_folder_name_and_back(tmp_path: Path, item: str) -> None:
    name = encode(item)
    assert "/" not in name
    assert name not in ("", ".", "..")
    assert not name.startswith(".")
    assert decode(name) == item
    store = Store(tmp_path / "llm")
    store.write(recording(CallKey("coder", item)))
    [path] = tmp_path.rglob("*.md")
    assert path.relative_to(tmp_path).parts == ("llm", "coder", name, "01.md")


def test_different_items_never_share_a_folder() -> None:
    names = [*HOSTILE, "a/b", "a%2Fb", "x" * 300, "x" * 301, "é" * 300]
    assert len({encode(name) for name in names}) == len(names)
    assert all(len(encode(name)) <= 200 for name in names)


def test_item_too_long_for_a_name_is_kept_in_the_header(tmp_path: Path) -> None:
    store, item = Store(tmp_path), "deep/" * 100
    store.write(recording(CallKey("coder", item)))
    assert load(store.paths()[0]).item == item


@pytest.mark.parametrize(
    "text",
    ["", "plain", "ends with a line\n", "---\n---\n", "\r\nCRLF\r\n", "```python\nx\n```", "☃ \u2028", "\n\n---\nx"],
)
def test_answer_comes_back_byte_for_byte_with_its_header(tmp_path: Path, text: str) -> None:
    store, key = Store(tmp_path), CallKey("coder", "src/a.py", 2)
    written = recording(key, text)
    store.write(written)
    assert store.read(key) == written
    assert (written.text, written.tokens, written.model, written.seconds) == (text, Usage(10, 4, 2), "served", 1.5)
    assert store.path(key) == tmp_path / "coder" / "src%2Fa.py" / "02.md"


def test_hand_written_recording_needs_only_a_key_in_its_path(tmp_path: Path) -> None:
    path = tmp_path / "planner" / "plan" / "01.md"
    path.parent.mkdir(parents=True)
    path.write_text("---\n{}\n---\nhello")
    read = Store(tmp_path).read(CallKey("planner", "plan"))
    assert read is not None
    assert (read.key, read.text, read.finish) == (CallKey("planner", "plan", 1), "hello", "stop")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no header",
        "---\n{}",
        "---\nnot json\n---\nx",
        '---\n{"finish": "maybe"}\n---\nx',
        '---\n{"id": "../x"}\n---\n',
    ],
)
def test_file_that_is_no_recording_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "planner" / "plan" / "01.md"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(PrerequisiteError, match=r"01\.md"):
        Store(tmp_path).read(CallKey("planner", "plan"))


def test_new_answer_puts_the_old_one_and_later_tries_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for attempt in (1, 2, 3):
        store.write(recording(CallKey("coder", "a", attempt), f"old {attempt}"))
    store.write(recording(CallKey("coder", "a", 2), "new 2"))
    assert [path.name for path in store.paths()] == ["01.md", "02.md"]
    assert store.read(CallKey("coder", "a", 3)) is None
    kept = sorted((each.attempt, each.text) for each in store.all())
    assert kept == [(1, "old 1"), (2, "new 2"), (2, "old 2"), (3, "old 3")]


def test_a_section_that_many_prompts_share_is_stored_once_and_found_by_the_hash_in_each_recording(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    rules = Part("rules", "the same for all")
    for task in ("first", "second"):
        prompt = Prompt((rules,), (Part("task", task),))
        hashes = section_hashes(prompt)
        store.keep_sections(section_texts(prompt, hashes))
        store.write(recording(CallKey("coder", task), prompt=hashes))
    kept = {file.stem: file.read_text() for file in (tmp_path / "prompts").iterdir()}
    asked = [[kept[digest] for digest in call.prompt.values()] for call in store.all()]
    assert asked == [["the same for all", "first"], ["the same for all", "second"]] and len(kept) == 3
