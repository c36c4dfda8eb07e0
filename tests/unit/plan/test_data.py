"""Planned data sources: what the rules refuse, what old plans keep, and what an agent is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentsys.core.artifacts import DataSource, Dependency, Plan
from agentsys.plan.answers import EvaluationAnswer
from agentsys.plan.data import DataState, Held, data_lines, data_problems, matching, unshipped
from agentsys.plan.files import load_plan, save_plan
from agentsys.plan.rules import evaluation_problems, plan_problems
from unit.verify.delivered import WHOLE as PLAN

DIGITS: dict[str, Any] = {"name": "digits", "kind": "url", "identifier": "https://example.org/digits.csv"}


def source(**fields: Any) -> DataSource:
    return DataSource.model_validate(DIGITS | fields)


GOOD = [
    ("package", "scikit-learn"), ("huggingface", "ylecun/mnist"), ("torchvision", "MNIST"), ("openml", "61"),
    ("uci", "53/iris"), ("libsvm", "binary/a9a"), ("zenodo", "10.5281/zenodo.123"), ("zenodo", "123"),
    ("figshare", "10.6084/m9.figshare.12.v2"), ("dataverse", "10.7910/DVN/ABC"), ("doi", "10.5281/zenodo.9"),
    ("url", "https://example.org/x.csv"), ("url", "http://127.0.0.1:1/x.csv"), ("folder", ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "identifier"), GOOD)
def test_a_source_that_names_what_its_kind_needs_is_accepted(kind: str, identifier: str) -> None:
    assert data_problems([source(kind=kind, identifier=identifier)]) == []


BAD = [
    ({"identifier": ""}, "https address"),
    ({"identifier": "http://example.org/x.csv"}, "no https address"),
    ({"identifier": "file:///etc/passwd"}, "https address"),
    ({"identifier": "https://me:word@example.org/x"}, "no user"),
    ({"identifier": "https://example.org/x?token=1"}, "query"),
    ({"identifier": "https://example.org/"}, "needs `files`"),
    ({"identifier": "https://example.org/", "files": ["*.csv"]}, "not patterns"),
    ({"kind": "openml", "identifier": "iris"}, "the number of a data set"),
    ({"kind": "huggingface", "identifier": "a/b/c"}, "owner/name"),
    ({"kind": "huggingface", "identifier": "a/b", "files": ["../x"]}, "plain path"),
    ({"kind": "huggingface", "identifier": "a/b", "files": ["/etc/passwd"]}, "absolute"),
    ({"kind": "torchvision", "identifier": "ImageNet"}, "MNIST"),
    ({"kind": "doi", "identifier": "zenodo"}, "a DOI"),
    ({"kind": "package", "identifier": "numpy", "splits": [{"name": "all", "count": 3}]}, "what of the package"),
    ({"splits": [{"name": "a", "count": 3}, {"name": "a", "count": 3}]}, "one name"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "words"), BAD)
def test_a_source_that_names_nothing_or_leads_elsewhere_is_refused(fields: dict[str, Any], words: str) -> None:
    assert words in " ".join(data_problems([source(**fields)]))


def test_the_planner_is_told_of_a_bad_source_and_of_one_named_twice() -> None:
    answer = EvaluationAnswer.model_validate(
        {"summary": "s", "experiments": [{"name": "e", "what": "w", "full": "f", "smoke": "s"}],
         "data": [DIGITS, DIGITS | {"identifier": "ftp://x"}]}
    )  # fmt: skip
    said = " ".join(evaluation_problems(answer))
    assert "stands twice" in said and "ftp://x" in said


def test_a_package_that_ships_data_must_be_a_dependency() -> None:
    shipped = [source(kind="package", identifier="scikit_learn")]
    assert unshipped(shipped, [Dependency(name="scikit-learn")]) == []
    assert "not in `dependencies`" in unshipped(shipped, [Dependency(name="numpy")])[0]


def test_no_planned_file_stands_where_the_data_is_shown() -> None:
    spec = PLAN.files[0].model_copy(update={"path": "data/loader.py"})
    plan = PLAN.model_copy(update={"files": (*PLAN.files, spec)})
    assert not any("where the data is shown" in row for row in plan_problems(plan))
    with_data = plan.model_copy(update={"data": (source(),)})
    assert any("where the data is shown" in row for row in plan_problems(with_data))


def test_a_plan_keeps_its_data_on_disk_and_one_from_before_stays_valid(tmp_path: Path) -> None:
    plan = PLAN.model_copy(update={"data": (source(splits=[{"name": "train", "count": 3}]),)})
    save_plan(tmp_path, plan)
    assert load_plan(tmp_path) == plan
    for name in ("expected.json", "plan.json"):
        stored = json.loads((tmp_path / name).read_text())
        del stored["data"]
        (tmp_path / name).write_text(json.dumps(stored))
    before = load_plan(tmp_path)
    assert before == PLAN and Plan.model_validate_json((tmp_path / "plan.json").read_bytes()) == PLAN


def test_an_agent_is_told_where_the_data_lies_and_what_is_in_it() -> None:
    asked = [source(splits=[{"name": "train", "count": 3}]), source(name="w", kind="package", identifier="sklearn")]
    state = DataState(sources=(Held(name="digits", state="here", files={"digits.csv": "3 rows"}),))
    said = "\n".join(data_lines(asked, state))
    assert "`data/digits/`" in said and "train: 3" in said and "`digits.csv`: 3 rows" in said
    assert "in the package `sklearn`" in said and "not here yet" not in said
    many = DataState(sources=(Held(name="digits", state="here", number=30, files={"a.csv": ""}),))
    assert "and 29 more" in "\n".join(data_lines(asked, many))
    assert "not here yet" in "\n".join(data_lines(asked, DataState()))


def test_patterns_choose_files_and_none_chooses_all() -> None:
    files = ["test.csv", "train-0.csv", "train-1.csv"]
    assert matching(files, ["train-*.csv"]) == files[1:] and matching(files, []) == files
