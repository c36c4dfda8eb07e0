"""The commands beside `implement` and `resume`: data on standard output, ids that other commands accept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord, SettingValue

Run = Callable[..., subprocess.CompletedProcess[str]]


def make_run(folder: Path, name: str, **fields: object) -> RunDir:
    run = RunDir(folder / "agentsys-runs" / name)
    run.path.mkdir(parents=True)
    run.write(RunRecord.model_validate({"id": name, "status": "unverified", "exit_code": 5, **fields}))
    return run


# -- help and start ----------------------------------------------------------------------------------------------------


def test_help_holds_the_exit_codes(run_cli: Run) -> None:
    text = run_cli("verified", "--help").stdout
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130, 143):
        assert f"\n  {code:>3}  " in text.replace("\n  ", "\n  ") or f" {code}  " in text


def test_version_is_the_installed_one(run_cli: Run) -> None:
    from importlib.metadata import version

    assert run_cli("verified", "--version").stdout == f"agentsys {version('agentsys')}\n"


# -- implement: options become settings --------------------------------------------------------------------------------


def test_options_become_settings_with_their_sources(tmp_path: Path, run_cli: Run) -> None:
    (tmp_path / "agentsys.toml").write_text("concurrency = 2\ndisplay = 'plain'\n")
    done = run_cli(
        "unverified", "implement", "p.pdf", "-q", "--model", "m", "--max-rounds", "7", "--budget", "1.5",
        "--time-limit", "2h",
        "--round-timeout", "5m", "--sandbox", "bwrap", "--set", "model_params.seed=1", "--runs-dir", "elsewhere",
        env={"AGENTSYS_ATTEMPTS": "3"},
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    (file,) = tmp_path.glob("elsewhere/*-p-*/run.json")
    stored = RunRecord.model_validate_json(file.read_bytes()).settings
    seen = {key: (item.value, item.source) for key, item in stored.items() if item.source != "default"}
    local = str(tmp_path / "agentsys.toml")
    assert seen == {
        "model": ("m", "flag"),
        "max_rounds": (7, "flag"),
        "budget": (1.5, "flag"),
        "time_limit": (7200.0, "flag"),
        "round_timeout": (300.0, "flag"),
        "backend": ("bwrap", "flag"),
        "runs_dir": ("elsewhere", "flag"),
        "display": ("quiet", "flag"),
        "model_params.seed": (1, "--set"),
        "attempts": (3, "env"),
        "concurrency": (2, local),
    }


def test_environment_file_is_read_only_when_named_and_its_key_is_stored_nowhere(tmp_path: Path, run_cli: Run) -> None:
    canary = "canary-4711-key"
    (tmp_path / ".env").write_text("AGENTSYS_MODEL=from-dot-env\n")
    (tmp_path / "my.env").write_text(f"OPENAI_API_KEY={canary}\nAGENTSYS_MODEL=from-my-env\n")
    assert run_cli("unverified", "implement", "p.pdf", "-q", "--runs-dir", "one").returncode == 5
    assert (
        run_cli("unverified", "implement", "p.pdf", "-q", "--runs-dir", "two", "--env-file", "my.env").returncode == 5
    )
    models = [
        json.loads(file.read_text())["settings"]["model"]["value"]
        for file in sorted(tmp_path.glob("*/*/run.json"))
        if not file.parent.is_symlink()
    ]
    assert models == ["", "from-my-env"]
    for folder in ("one", "two"):
        for file in (tmp_path / folder).rglob("*"):
            assert not file.is_file() or canary not in file.read_text(errors="replace"), file


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--time-limit", "soon"], "is not a duration"),
        (["--set", "modl=x"], "unknown setting `modl`"),
        (["--set", "model"], "has no `=`"),
        (["--config", "absent.toml"], "absent.toml"),
        (["--env-file", "absent.env"], "absent.env"),
        (["--max-rounds", "-1"], "max_rounds"),
    ],
)
def test_wrong_settings_are_usage_errors_before_anything_is_written(
    tmp_path: Path, run_cli: Run, args: list[str], words: str
) -> None:
    done = run_cli("verified", "implement", "p.pdf", *args)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / "agentsys-runs").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "no model is chosen"),
        (["--model", "m"], "OPENAI_API_KEY"),
        (["--replay", "absent"], "absent"),
        (["--model", "m", "--set", "base_url=http://localhost:1/v1", "--policy", "absent.yaml"], "absent.yaml"),
    ],
)
def test_what_is_missing_is_said_before_a_run_directory_is_made(
    tmp_path: Path, clean_env: dict[str, str], args: list[str], words: str
) -> None:
    (tmp_path / "p.md").write_text("# A Made-up Paper\n\n## 1 Method\n\nx = 1.\n")
    done = subprocess.run(
        [sys.executable, "-m", "agentsys", "implement", "p.md", *args],
        cwd=tmp_path, env=clean_env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 3
    assert words in done.stderr
    assert "\nhint: " in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "agentsys-runs").exists()


# -- resume ------------------------------------------------------------------------------------------------------------


def test_resume_takes_the_latest_run_that_can_go_on(tmp_path: Path, run_cli: Run) -> None:
    make_run(tmp_path, "first")
    make_run(tmp_path, "second", status="limit", settings={"max_rounds": SettingValue(value=9, source="flag")})
    make_run(tmp_path, "third", status="verified")
    done = run_cli("unverified", "resume", "-q", "--max-rounds", "9")
    assert done.returncode == 5, done.stderr
    assert "agentsys-runs/second" in done.stdout


def test_resume_names_the_settings_that_its_user_did_not_choose(tmp_path: Path, run_cli: Run) -> None:
    make_run(tmp_path, "theirs", status="limit", settings={"policy": SettingValue(value="/else", source="flag")})
    done = run_cli("unverified", "resume", "-q")
    assert done.returncode == 2 and "comes from elsewhere" in done.stderr and "policy=/else" in done.stderr


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"status": "verified"}, "is verified"), ({"status": "running", "pid": os.getpid()}, "is under way")],
)
def test_resume_refuses_what_is_done_or_under_way(
    tmp_path: Path, run_cli: Run, fields: dict[str, object], words: str
) -> None:
    make_run(tmp_path, "only", **fields)
    done = run_cli("unverified", "resume", "only")
    assert done.returncode == 2
    assert words in done.stderr


def test_resume_without_any_run_is_a_usage_error(run_cli: Run) -> None:
    done = run_cli("unverified", "resume")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no run to resume" in done.stderr


def test_run_whose_process_is_gone_is_shown_as_interrupted_and_can_be_resumed(tmp_path: Path, run_cli: Run) -> None:
    make_run(tmp_path, "killed", status="running", exit_code=None, pid=2**22 - 3)
    assert "interrupted" in run_cli("unverified", "runs", "list").stdout
    assert run_cli("unverified", "resume", "-q").returncode == 5


# -- report, runs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "start"), [("text", "not verified"), ("md", "# "), ("html", "<!doctype html>"), ("json", "{")]
)
def test_report_writes_each_form_to_stdout(tmp_path: Path, run_cli: Run, form: str, start: str) -> None:
    make_run(tmp_path, "2026-01-02-made-0a1b", title="made by the tests")
    done = run_cli("unverified", "report", "0a1b", "--format", form)
    assert done.returncode == 0, done.stderr
    assert done.stdout.lstrip().startswith(start)
    assert done.stderr == ""


def test_unknown_and_ambiguous_runs_are_usage_errors(tmp_path: Path, run_cli: Run) -> None:
    make_run(tmp_path, "run-a")
    make_run(tmp_path, "run-b")
    for name, words in (("nothing", "fits no run"), ("run", "fits 2 runs")):
        done = run_cli("unverified", "report", name)
        assert done.returncode == 2
        assert words in done.stderr
    done = run_cli("unverified", "report", "nothing", "--format", "json")
    assert json.loads(done.stdout)["data"]["kind"] == "UsageError"


def test_list_shows_every_run_a_damaged_one_too(tmp_path: Path, run_cli: Run) -> None:
    make_run(tmp_path, "good", title="A \x1b[31mtitle\x1b]0;x\x07")
    (make_run(tmp_path, "bad").record_file).write_text("{")
    done = run_cli("unverified", "runs", "list")
    assert "\x1b" not in done.stdout
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [["good", "unverified"], ["bad", "damaged"]]
    rows = json.loads(run_cli("unverified", "runs", "list", "--json").stdout)
    assert [row["id"] for row in rows] == ["good", "bad"]


LONG = "2026-01-02-a-title-as-long-as-an-id-ever-makes-it-to-be"


def test_list_shows_time_model_and_cost_within_80_columns_and_ids_that_are_understood(
    tmp_path: Path, run_cli: Run
) -> None:
    fields = {"title": "A Title " * 20, "started": "2026-01-02T03:04:05Z", "seconds": {"read": 5.0, "code": 4000.0}}
    fields |= {"usage": {"cost": 12.5}, "status": "provider_error"}
    model = {"model": SettingValue(value="an-organisation/a-very-long-name", source="flag")}
    make_run(tmp_path, f"{LONG}-0a1b", **fields, settings=model)
    make_run(tmp_path, f"{LONG}-0c2d", **fields, recording="there")
    text = run_cli("unverified", "runs", "list").stdout
    head, first, second = text.splitlines()
    assert max(map(len, text.splitlines())) <= 80
    assert head.split() == ["id", "began", "status", "time", "cost", "model", "title"]
    assert first.split()[:4] == ["0a1b", "2026-01-02", "provider_error", "1:06:45"]
    assert "an-organisation" in first and "$12.50" in first and "replayed" in second
    assert run_cli("unverified", "runs", "show", first.split()[0]).returncode == 0


def test_list_fits_80_columns_with_the_widest_cells_and_ids_that_end_alike(tmp_path: Path, run_cli: Run) -> None:
    from rich.cells import cell_len

    fields = {"title": "一二三四五六七八九十" * 5, "seconds": {"code": 360000.5}, "usage": {"cost": 12345.6}}
    model = {"model": SettingValue(value="an-organisation/a-very-long-name", source="flag")}
    for day in ("01", "02"):
        name = f"2026-01-{day}-a-title-as-long-as-an-id-ever-makes-it-0a1b"
        make_run(tmp_path, name, **fields, status="internal_error", settings=model, started=f"2026-01-{day}T03:04:05Z")
    lines = run_cli("unverified", "runs", "list").stdout.splitlines()
    assert max(map(cell_len, lines)) <= 80
    for line, day in zip(lines[1:], ("01", "02"), strict=True):
        shown = run_cli("unverified", "runs", "show", line.split()[0], "--json")
        assert json.loads(shown.stdout)["id"].startswith(f"2026-01-{day}")


def test_rm_removes_all_that_ended_so_and_are_so_old_but_none_under_way(tmp_path: Path, run_cli: Run) -> None:
    old, new = {"started": "2020-01-02T03:04:05Z"}, {"started": "2999-01-02T03:04:05Z"}
    make_run(tmp_path, "old-limit", status="limit", **old)
    make_run(tmp_path, "old-good", status="verified", **old)
    make_run(tmp_path, "new-limit", status="limit", **new)
    make_run(tmp_path, "busy", status="running", pid=os.getpid(), **old)
    folder = tmp_path / "agentsys-runs"
    assert run_cli("unverified", "runs", "rm", "--yes").returncode == 2
    assert run_cli("unverified", "runs", "rm", "--status", "limit", "--older-than", "30", "--yes").returncode == 0
    assert {path.name for path in folder.iterdir()} == {"old-good", "new-limit", "busy"}
    assert run_cli("unverified", "runs", "rm", "--older-than", "30", "--yes").returncode == 0
    assert {path.name for path in folder.iterdir()} == {"new-limit", "busy"}


def test_show_prints_the_record_as_it_is_stored(tmp_path: Path, run_cli: Run) -> None:
    make_run(tmp_path, "one")
    assert json.loads(run_cli("unverified", "runs", "show", "one", "--json").stdout)["id"] == "one"


def test_rm_removes_the_run_and_what_points_to_it(tmp_path: Path, run_cli: Run) -> None:
    run = make_run(tmp_path, "one")
    (run.path.parent / "latest").symlink_to("one")
    assert run_cli("unverified", "runs", "rm", "one").returncode == 2
    assert run.path.exists()
    done = run_cli("unverified", "runs", "rm", "one", "--yes")
    assert done.returncode == 0, done.stderr
    assert list(run.path.parent.iterdir()) == []


def test_rm_keeps_a_run_that_is_under_way_and_what_a_link_points_to(tmp_path: Path, run_cli: Run) -> None:
    make_run(tmp_path, "busy", status="running", pid=os.getpid())
    assert run_cli("unverified", "runs", "rm", "busy", "--yes").returncode == 2
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").touch()
    run = make_run(tmp_path, "linked")
    (run.path / "repo").symlink_to(outside)
    assert run_cli("unverified", "runs", "rm", "linked", "--yes").returncode == 0
    assert (outside / "keep").exists()


# -- config ------------------------------------------------------------------------------------------------------------


def test_config_shows_value_and_source(tmp_path: Path, run_cli: Run) -> None:
    (tmp_path / "agentsys.toml").write_text("concurrency = 2\n")
    rows = json.loads(run_cli("unverified", "config", "show", "--json", env={"AGENTSYS_BUDGET": "3"}).stdout)
    table = {row["key"]: (row["value"], row["source"]) for row in rows}
    assert table["concurrency"] == (2, str(tmp_path / "agentsys.toml"))
    assert table["budget"] == (3.0, "env")
    assert table["max_rounds"] == (5, "default")


def test_config_init_makes_a_file_that_is_read_and_never_overwrites_one(tmp_path: Path, run_cli: Run) -> None:
    for args in ([], ["--local"]):
        done = run_cli("unverified", "config", "init", *args)
        made = Path(done.stdout.strip())
        assert made.is_file()
        assert f"{made}" in run_cli("unverified", "config", "path").stdout
        before = made.read_bytes()
        assert run_cli("unverified", "config", "init", *args).returncode == 2
        assert made.read_bytes() == before
    assert run_cli("unverified", "config", "show").returncode == 0


# -- read, doctor ------------------------------------------------------------------------------------------------------


def test_read_shows_a_table_and_writes_where_it_is_told(tmp_path: Path, run_cli: Run) -> None:
    (tmp_path / "p.md").write_text("# A Made-up Paper\n\n## Abstract\n\nIt says little.\n\n## 1 Method\n\nx = 1.\n")
    done = run_cli("verified", "read", "p.md", "--out", "there")
    assert done.returncode == 0, done.stderr
    assert "A Made-up Paper" in done.stdout
    assert {"paper.json", "paper.md"} <= {file.name for file in (tmp_path / "there").iterdir()}
    assert json.loads(run_cli("verified", "read", "p.md", "--json").stdout)["title"] == "A Made-up Paper"


@pytest.mark.parametrize("name", ["absent.pdf", ".", "empty.pdf", "page.pdf"])
def test_read_of_what_is_no_paper_is_one_message(tmp_path: Path, run_cli: Run, name: str) -> None:
    (tmp_path / "empty.pdf").touch()
    (tmp_path / "page.pdf").write_text("<html>not a paper</html>")
    done = run_cli("verified", "read", name)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_doctor_rows_are_json_lines_and_the_exit_code_follows_from_them(tmp_path: Path, run_cli: Run) -> None:
    (tmp_path / "agentsys.toml").write_text("max_round = 1\n")
    done = run_cli("verified", "doctor", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(set(row) == {"check", "status", "detail", "fix"} for row in rows)
    assert rows[0]["check"] == "settings"
    assert done.returncode == 3
