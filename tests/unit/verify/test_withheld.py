"""No check is shown the documentation: numbers of the paper in it cannot become results."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentsys.verify.checks.base import Bench
from agentsys.verify.withheld import INSTEAD, shown
from unit.verify.scripted import scripted
from unit.verify.tiny import GREEN, job, write_repo


@pytest.mark.parametrize("path", ["README.md", "README", "pkg/readme.rst", "docs/results.md", "docs/a/table.txt"])
def test_a_document_is_there_for_packaging_and_says_nothing(path: str) -> None:
    assert shown({path: b"94.37"}) == {path: INSTEAD}


@pytest.mark.parametrize(
    "path", ["docs/conf.py", "prompts/system.md", "data/notes.txt", "readme_tools.py", "results.json"]
)
def test_whatever_a_program_may_need_is_shown(path: str) -> None:
    assert shown({path: b"text"}) == {path: b"text"}


def test_the_sandbox_gets_the_repository_without_the_words_of_its_readme(tmp_path: Path) -> None:
    repo = write_repo(tmp_path / "repo", {**GREEN, "README.md": "The paper reports 94.37.\n"})

    async def placed() -> tuple[bytes | None, bytes | None]:
        async with scripted() as sandbox:
            await Bench(sandbox, job(repo, tmp_path / "a" / "b" / "out")).place_repo()
            return await sandbox.read_file("/work/repo/README.md"), await sandbox.read_file("/work/repo/tiny/run.py")

    readme, program = asyncio.run(placed())
    assert readme == INSTEAD
    assert program == GREEN["tiny/run.py"].encode()
