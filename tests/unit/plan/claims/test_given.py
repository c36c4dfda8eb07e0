"""Claims that are handed in: every shape that challenges use, and files that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.core.errors import UsageError
from agentsys.plan.claims.given import MAX_CLAIMS, MAX_TEXT, read_claims

PAPER = Path("2401.01234.pdf")
ONE, TWO = "Accuracy is 69.86 % (Table 1)", "The rate is O(1/n) (Theorem 1)"
SHAPES: dict[str, object] = {
    "texts": [ONE, TWO],
    "objects": [{"text": ONE, "status": "unverified"}, {"text": TWO}],
    "mixed": [ONE, {"text": TWO}],
    "papers by name": {"other": ["x"], "2401.01234": [{"text": ONE, "status": "unverified"}, {"text": TWO}]},
    "one paper": {"whatever": [ONE, TWO]},
}


def file(folder: Path, text: str, name: str = "claims.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["claims.json", "claims.yaml"])
def test_every_shape_gives_the_texts_in_order(tmp_path: Path, shape: str, name: str) -> None:
    # JSON is YAML too.
    assert read_claims(file(tmp_path, json.dumps(SHAPES[shape]), name), PAPER) == (ONE, TWO)


def test_yaml_as_people_write_it_is_read(tmp_path: Path) -> None:
    path = file(tmp_path, f"- {ONE}\n- text: >-\n    The rate is\n    O(1/n) (Theorem 1)\n", "claims.yml")
    assert read_claims(path, PAPER) == (ONE, TWO)


def test_a_paper_is_taken_by_its_id(tmp_path: Path) -> None:
    path = file(tmp_path, json.dumps({"a": [ONE], "b": [TWO]}))
    assert read_claims(path, PAPER, "b") == (TWO,)


def test_control_characters_of_a_claim_are_not_kept(tmp_path: Path) -> None:
    assert read_claims(file(tmp_path, json.dumps(["a\u001b[31m red\nclaim"])), PAPER) == ("a red claim",)


BAD = {
    "no JSON": ("claims.json", "[", "is not JSON"),
    "no YAML": ("claims.yaml", "- [", "is not YAML"),
    "a number": ("claims.json", "7", "no list"),
    "nothing": ("claims.yaml", "", "no list"),
    "no claims": ("claims.json", "[]", "holds 0 claims"),
    "too many": ("claims.json", json.dumps(["x"] * (MAX_CLAIMS + 1)), f"holds {MAX_CLAIMS + 1} claims"),
    "a word": ("claims.json", '["Accuracy is 69.86 %", "yes"]', "claim 2 .* is no sentence"),
    "an empty text": ("claims.json", '["Accuracy is 69.86 %", " "]', "claim 2 .* has no text"),
    "an object without text": ("claims.json", '[{"claim": "a"}]', "claim 1 .* has no text"),
    "a number in the list": ("claims.json", "[3]", "claim 1 .* has no text"),
    "a long text": ("claims.json", json.dumps(["x" * (MAX_TEXT + 1)]), "longer than"),
    "papers without this one": ("claims.json", '{"a": ["x"], "b": ["y"]}', "none called `2401.01234`"),
    "no paper at all": ("claims.json", "{}", "0 papers"),
    "a key twice": ("claims.json", '{"a": ["x"], "a": ["y"]}', "stands twice"),
    "a key twice in YAML": ("claims.yaml", "a: [x]\na: [y]\n", "stands twice"),
    "a list for a paper that is a text": ("claims.json", '{"a": "x"}', "no list"),
    "a list as a key": ("claims.yaml", "? [a]\n: [x]\n", "is not YAML"),
    "deep nesting": ("claims.json", "[" * 50_000, "nested too deeply|is not JSON"),
    "a Python object": ("claims.yaml", "!!python/object/apply:os.getpid []", "is not YAML"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_a_usage_error_with_its_cause(tmp_path: Path, case: str) -> None:
    name, text, words = BAD[case]
    with pytest.raises(UsageError, match=words) as fault:
        read_claims(file(tmp_path, text, name), PAPER)
    assert fault.value.exit_code == 2
    assert fault.value.hint


def test_files_that_cannot_be_read_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'["\xe4"]')
    for path, words in [
        (tmp_path / "none.json", "No such file"),
        (tmp_path, "cannot be read"),
        (tmp_path / "latin.json", "UTF-8"),
    ]:
        with pytest.raises(UsageError, match=words):
            read_claims(path, PAPER)


def test_an_id_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = file(tmp_path, json.dumps({"a": [ONE], "b": [TWO]}))
    with pytest.raises(UsageError, match="no paper `c`") as fault:
        read_claims(path, PAPER, "c")
    assert "`a`, `b`" in fault.value.hint
    with pytest.raises(UsageError, match="no papers"):
        read_claims(file(tmp_path, json.dumps([ONE])), PAPER, "c")
