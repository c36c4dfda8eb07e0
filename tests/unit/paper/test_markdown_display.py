"""Display formulas in Markdown end where they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys.paper import read_paper


@pytest.mark.parametrize(
    ("display", "latex", "number"),
    [
        ("$$ a = b $$ (1)", "a = b", "1"),
        ("$$ a = b. $$", "a = b.", ""),
        ("$$\na = b\n$$ (A.2)", "a = b", "A.2"),
        (r"$$ a = b \tag{3} $$", "a = b", "3"),
    ],
)
def test_what_follows_a_formula_with_its_number_behind_it_is_read(
    tmp_path: Path, display: str, latex: str, number: str
) -> None:
    (tmp_path / "p.md").write_text(
        f"# T\n\n## Abstract\n\nWords.\n\n## 1 One\n\n{display}\n\n## 2 Two\n\nMore words.\n"
    )
    paper = read_paper(tmp_path / "p.md")
    (equation,) = paper.equations
    assert (equation.latex, equation.number) == (latex, number)
    assert [section.title for section in paper.sections if section.number] == ["One", "Two"]
