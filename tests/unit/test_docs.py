"""The documentation says what the code does: settings, events, exit codes and commands are complete, links lead on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from agentsys.core.errors import EXIT_CODES, Status
from agentsys.core.events import STAGES, EventType
from agentsys.core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("examples/*/README.md")])


STATUSES: tuple[str, ...] = get_args(Status)
EVENT_TYPES: tuple[str, ...] = get_args(EventType)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Cells of every table row, without backticks."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {row[0]: row[2] for row in rows(page("docs/configuration.md")) if len(row) == 4}
    del documented["key"], documented["---"]
    assert set(documented) == set(Settings.model_fields)
    defaults = {name: _written(value) for name, value in Settings().model_dump(mode="json").items()}
    assert documented == defaults


def _written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value or "")


def test_every_option_named_beside_a_setting_exists() -> None:
    from typer.testing import CliRunner

    from agentsys.cli.app import app

    shown = CliRunner().invoke(app, ["implement", "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).output
    named = {row[1] for row in rows(page("docs/configuration.md")) if len(row) == 4 and row[1].startswith("--")}
    assert len(named - {"---"}) > 8
    assert [option for option in sorted(named - {"---"}) if option not in shown] == []


def test_every_event_and_stage_is_documented() -> None:
    text = page("docs/run-directory.md")
    assert [name for name in (*EVENT_TYPES, *STAGES) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", ["docs/exit-codes.md", "README.md"])
def test_every_status_stands_beside_its_exit_code(name: str) -> None:
    text = page(name)
    assert set(STATUSES) == {*EXIT_CODES, "running"}
    for status, code in EXIT_CODES.items():
        assert re.search(rf"^\| [\d, ]*\b{code}\b[\d, ]* \| `{status}`", text, re.MULTILINE), status


def test_the_readme_is_short_and_begins_with_a_result() -> None:
    lines = page("README.md").splitlines()
    assert len(lines) < 200
    assert any("make setup" in line for line in lines[:15])
    assert any("make demo" in line for line in lines[:30])


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(file: Path) -> None:
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    found: list[str] = re.findall(r"\]\(([^)\s]+)\)", text)
    targets = [target.partition("#")[0] for target in found if "://" not in target]
    assert [target for target in targets if target and not (file.parent / target).exists()] == []


def test_the_readme_names_every_command_and_no_other() -> None:
    from typer.main import get_command

    from agentsys.cli.app import app

    named: set[str] = set(re.findall(r"^\| `agentsys ([a-z]+)", page("README.md"), re.MULTILINE))
    assert named == set(get_command(app).commands)  # pyright: ignore


def test_every_make_target_is_explained() -> None:
    makefile = page("Makefile")
    targets: list[str] = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    assert {"setup", "demo", "test", "lint", "bench"} <= set(targets)
    assert [name for name in targets if not re.search(rf"^{name}:.*  ## \w", makefile, re.MULTILINE)] == []
