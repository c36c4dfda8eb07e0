"""Help and completion: an example for each command that is understood, and ids that a shell completes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from agentsys.cli.app import app
from agentsys.cli.examples import EXAMPLES
from agentsys.core.rundir import create
from agentsys.core.runrecord import RunRecord
from unit.cli.conftest import Run


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    inner: dict[str, Any] = getattr(command, "commands", {})
    for name, item in inner.items():
        yield from commands(item, (*path, name))
    if not inner:
        yield " ".join(path), command


ALL = dict(commands(get_command(app)))


def test_every_command_has_an_example_and_no_other_is_named() -> None:
    assert set(ALL) == set(EXAMPLES)


@pytest.mark.parametrize("name", ALL)
def test_the_example_stands_in_the_help_and_is_understood(name: str) -> None:
    command = ALL[name]
    assert command.epilog == f"example: agentsys {name} {EXAMPLES[name]}".rstrip()
    with command.make_context(name, shlex.split(EXAMPLES[name])) as context:
        assert context.params


def test_a_shell_completes_commands_options_and_ids_of_runs(agentsys: Run, tmp_path: Path) -> None:
    run = create(tmp_path / "agentsys-runs", "A title")
    run.write(RunRecord(id=run.path.name))

    def complete(line: str) -> list[str]:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return agentsys(env={"_AGENTSYS_COMPLETE": "complete_bash"} | words).stdout.split()

    assert complete("agentsys est") == ["estimate"]
    assert complete(f"agentsys report {run.path.name[:12]}") == [run.path.name]
    shown = agentsys(env={"_AGENTSYS_COMPLETE": "source_bash"}).stdout
    assert "complete" in shown and "agentsys" in shown
