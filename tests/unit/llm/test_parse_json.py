"""JSON objects out of answers."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from agentsys.llm.client import AnswerError
from agentsys.llm.parse import extract_json, repair_escapes


class Item(BaseModel):
    name: str
    sizes: tuple[int, ...] = ()


class Anything(BaseModel):
    value: object


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x", "sizes": [1, 2]}',
        '```json\n{"name": "x", "sizes": [1, 2]}\n```',
        'Sure, with {braces} in \\lambda prose:\n```\n{"name": "x", "sizes": [1, 2]}\n```\nAnything else? {}',
        '<think>maybe {"name": "y", "sizes": [1, 2, 3, 4, 5]}?</think>\n{"name": "x", "sizes": [1, 2]}',
        'For instance {"name": "y"}, so:\n{"name": "x", "sizes": [1, 2]}',
        '{"name": "x",\r\n "sizes": [1, 2]}',
    ],
    ids=["bare", "fenced", "prose", "thinking", "small example before", "CRLF"],
)
def test_object_is_found_whatever_stands_around_it(text: str) -> None:
    assert extract_json(text, Item) == Item(name="x", sizes=(1, 2))


def test_object_that_fits_wins_over_a_larger_one_that_does_not() -> None:
    text = '{"note": "a long remark about nothing at all, longer than the answer"}\n{"name": "x"}'
    assert extract_json(text, Item).name == "x"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"\lambda", r"\lambda"),
        (r"\\lambda", r"\lambda"),
        (r"\frac{a}{b} \beta \nabla \rho \theta \tau", r"\frac{a}{b} \beta \nabla \rho \theta \tau"),
        (r"\sigma \nu \neg", r"\sigma \nu \neg"),
        (r"\upsilon \underline{x}", r"\upsilon \underline{x}"),
        (r"line\nnext\ttab \"quoted\" \/ \u00e9", 'line\nnext\ttab "quoted" / \u00e9'),
        (r"a = 1\nu = 2", "a = 1\nu = 2"),
        (r"x\nto = 1", "x\nto = 1"),
        (r"all:\n\top = a\neq = b", "all:\n\top = a\neq = b"),
        (r"\alpha \top \neq", r"\alpha \top \neq"),
        (r"\{0, 1\}", r"\{0, 1\}"),
        (r"C:\\temp\\new", r"C:\temp\new"),
    ],
)
def test_backslashes_mean_what_the_writer_meant(written: str, meant: str) -> None:
    assert extract_json(f'{{"name": "{written}"}}', Item).name == meant


def test_correct_json_is_never_changed_by_the_repair() -> None:
    values = ["\\frac{1}{2}\n\\alpha", 'quote " and \\', "tab\tand\r\nline", "é ☃ 𝔸", "\\\\server\\new"]
    text = json.dumps(values)
    assert repair_escapes(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing here", "no JSON object"),
        ("", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ('{"name": "x", "sizes": [1,', "cut off"),
        ('{"name": "x", "inner": {"name": "whole"}, "more": "un', "cut off"),
        ('{"name": "x" "sizes": []}', "Expecting ',' delimiter in line 1"),
        ('{"name": NaN}', "`NaN`"),
        ('{"sizes": ["a"]}', "`name`: Field required; `sizes.0`"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_unusable_answer_says_what_is_wrong_in_one_short_message(text: str, words: str) -> None:
    with pytest.raises(AnswerError, match=words.replace("`", ".")) as caught:
        extract_json(text, Item)
    assert len(str(caught.value)) < 600


def test_part_of_a_broken_object_is_not_taken_for_the_answer() -> None:
    with pytest.raises(AnswerError, match="cut off"):
        extract_json('{"items": [{"name": "first"}, {"name": "sec', Item)


@pytest.mark.parametrize(
    "text",
    ['{"name": "x", "sizes": [1 2]}\nFor example {"name": "y"}.', '{"wrong": {"name": "inner"}, "sizes": []}'],
    ids=["small one behind a broken one", "inner one of another shape"],
)
def test_object_that_was_not_meant_is_not_taken(text: str) -> None:
    with pytest.raises(AnswerError):
        extract_json(text, Item)


def test_many_faults_are_counted_not_all_listed() -> None:
    text = json.dumps({"name": "x", "sizes": ["a"] * 50})
    with pytest.raises(AnswerError, match="and 42 more"):
        extract_json(text, Item)


def test_message_does_not_repeat_hostile_input() -> None:
    with pytest.raises(AnswerError) as caught:
        extract_json(json.dumps({"name": ["x" * 10_000]}), Item)
    assert "xxxx" not in str(caught.value)


def test_half_characters_are_replaced_since_no_file_can_hold_them() -> None:
    value = extract_json('{"value": ["\\ud800", {"\\udfff": 1}]}', Anything).value
    assert value == ["?", {"?": 1}]


@pytest.mark.timeout(20)
def test_hostile_braces_are_read_without_hanging() -> None:
    for text in ("{" * 200_000, '{"' * 100_000, '{"a":1,' * 50_000, '{"a" 1}' * 50_000):
        with pytest.raises(AnswerError):
            extract_json(text, Item)
