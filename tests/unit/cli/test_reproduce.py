"""`agentsys reproduce`: exit codes, what is printed where, and what a hostile program's output becomes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import agentsys.run.reproduce
from agentsys.cli.app import app
from agentsys.cli.reproduce import streaming
from agentsys.core.errors import BlockedError, UsageError
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys_sandbox.fake import FakeSandbox
from agentsys_sandbox.spec import Outcome, SandboxSpec
from unit.verify.delivered import deliver
from unit.verify.scripted import Twist, ends, scripted
from unit.verify.test_reproduction import FULL, writes


class Cli:
    """The command with a scripted sandbox."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.run_dir: RunDir = deliver(root)
        self.specs: list[SandboxSpec] = []
        self.backends: list[str] = []
        self._patch = patch

    def __call__(self, twist: Twist, *args: str) -> tuple[int, str, str, BaseException | None]:
        def opener(spec: SandboxSpec) -> FakeSandbox:
            self.specs.append(spec)
            return scripted({"smoke": twist})

        def choose(settings: Settings) -> object:
            self.backends.append(settings.backend)
            return opener

        self._patch.setattr(agentsys.run.reproduce, "_opener", choose)
        done = CliRunner().invoke(app, ["reproduce", str(self.run_dir.path), *args])
        return done.exit_code, done.stdout, done.stderr, done.exception


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(tmp_path, monkeypatch)


def test_a_passed_run_ends_with_0_and_shows_paper_and_measurement(cli: Cli) -> None:
    code, out, err, _ = cli(writes(FULL), "--timeout", "2h", "--backend", "docker", "--set", "cpus=8")
    assert code == 0 and out.startswith("full profile passed after")
    assert "E1" in out and "1.55" in out and "within 20 %" in out and str(cli.run_dir.path) in out
    assert "needs: mean: all" in err, "what the plan says the full profile takes"
    assert "epoch 1" in err and "epoch 1" not in out, "progress goes to standard error"
    assert cli.backends == ["docker"] and cli.specs[0].limits.cpus == 8 and cli.specs[0].limits.ttl > 7200


def test_what_the_settings_ask_of_a_sandbox_holds_for_a_reproduction_too(cli: Cli) -> None:
    code, *_ = cli(writes(FULL), "--set", "runtime=runsc", "--set", 'denied_packages=["Evil_Thing"]')
    assert code == 0 and cli.specs[0].runtime == "runsc" and set(cli.specs[0].index.denied) == {"evil-thing"}


def test_a_run_that_failed_ends_with_5_and_says_why(cli: Cli) -> None:
    code, out, _, _ = cli(ends(Outcome.NONZERO, 1, b"URLError: <urlopen error timed out>\n"))
    assert (
        code == 5 and out.startswith("full profile failed") and "wants the network" in out and "--data-dir DIR" in out
    )


def test_json_is_one_object_and_the_programs_output_is_not_in_it(cli: Cli) -> None:
    code, out, _, _ = cli(writes(FULL), "--json", "--profile", "smoke")
    data = json.loads(out)
    assert code == 0 and data["reproduction"]["passed"] is True and data["reproduction"]["profile"] == "smoke"
    assert [row["grade"] for row in data["measured"]] == ["within 20 %", "beyond"]


def test_code_changed_after_the_audit_is_refused_by_the_policy(cli: Cli) -> None:
    (cli.run_dir.repo / "tiny/model.py").write_text("x = 1\n")
    error = cli(writes(FULL))[3]
    assert isinstance(error, BlockedError) and error.exit_code == 6 and "resume" in error.hint
    assert cli.specs == []


def test_wrong_data_is_a_usage_error_before_a_sandbox_is_opened(cli: Cli, tmp_path: Path) -> None:
    error = cli(writes(FULL), "--data-dir", str(tmp_path / "absent"))[3]
    assert isinstance(error, UsageError) and error.exit_code == 2 and cli.specs == []


def test_output_is_shown_line_by_line_without_control_sequences_and_of_a_bar_the_last_state() -> None:
    shown: list[str] = []
    show = streaming(shown.append)
    for piece in (b"ep", b"och 1\n\x1b]0;ti", b"tle\x07red\x1b[31m\n10%\r50%", b"\r100%\r\nlast"):
        show("stdout", piece)
    show("stderr", b"other\n")
    assert shown == ["epoch 1", "red", "100%", "other"]
    show("stdout", b"x" * 10_000_000)
    show("stdout", b"\n")
    assert len(shown[-1]) <= 4001
