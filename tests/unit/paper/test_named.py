"""Places that a plan names lead to all that they name; a map shows what else there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.paper import read_paper
from agentsys.paper.model import Paper
from agentsys.paper.named import find_sections, named_blocks
from agentsys.paper.outline import body_sections, other_sections, outline

TEXT = """# Ridge Paths

## Abstract

We follow a path.

## 1 Introduction

Nothing is decided here.

## 2 Method

### 2.1 Path

The path starts at zero.

### 2.2 Step

The step is chosen as in Table 2.

## 3 Experiments and Results

All runs use ten seeds.

## Appendix

## A Settings

### A.1 Rates

The rate is 0.003 and the momentum 0.9.

### A.2 Data

Table 2: Sizes of the networks.

| net | width |
| --- | --- |
| a | 64 |
"""


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    file = Path(tmp_path_factory.mktemp("paper")) / "paper.md"
    file.write_text(TEXT)
    return read_paper(file)


@pytest.mark.parametrize(
    ("ref", "titles"),
    [
        ("2.2", ["Step"]),
        ("2.2, A.1", ["Step", "Rates"]),
        ("Sections 2.1 and 2.2", ["Path", "Step"]),
        ("2.1-2.2", ["Path", "Step"]),
        ("Appendix A.1; 3", ["Rates", "Experiments and Results"]),
        ("Experiments and Results", ["Experiments and Results"]),
        ("Section 2.2, Table 2", ["Step"]),
        ("9.9", []),
    ],
)
def test_a_place_leads_to_every_section_that_it_names(paper: Paper, ref: str, titles: list[str]) -> None:
    assert [section.title for section in find_sections(paper, ref)] == titles


def test_a_table_is_found_by_its_number_wherever_it_stands(paper: Paper) -> None:
    assert [block.type for block in named_blocks(paper, "2.2, Table 2")] == ["table"]


def test_the_map_names_everything_and_says_of_what_is_not_shown_how_it_begins(paper: Paper) -> None:
    lines = outline(paper, body_sections(paper)).splitlines()
    assert any(line.startswith("+") and line.endswith("2.2 Step") for line in lines)
    assert any(line.startswith("-") and "A.1 Rates: The rate is 0.003" in line for line in lines)
    assert any(line.startswith("-") and "Table 2: Sizes of the networks." in line for line in lines)
    assert [section.title for section in other_sections(paper)] == ["Rates", "Data"]
