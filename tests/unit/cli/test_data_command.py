"""`agentsys data` and `reproduce --data`: what is printed, exit codes, and what is left on disk."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import agentsys.run.reproduce
from agentsys.cli.app import app
from agentsys.cli.running import check_prerequisites
from agentsys.core.artifacts import DataSource
from agentsys.core.errors import AgentsysError, UsageError
from agentsys.core.rundir import RunDir
from agentsys.core.settings import Settings
from agentsys.report.data import collect
from agentsys.report.summary import summary
from agentsys.verify.data.pins import read_lock
from agentsys.verify.data.store import Store
from agentsys_sandbox.fake import FakeSandbox
from agentsys_sandbox.spec import SandboxSpec
from unit.verify.delivered import WHOLE, deliver
from unit.verify.fetched.server import Site, serving
from unit.verify.scripted import scripted
from unit.verify.test_reproduction import FULL, writes

CSV = b"x\n1\n2\n"
SOURCE = DataSource.model_validate(
    {"name": "numbers", "kind": "url", "identifier": "https://data.github.com/x.csv", "licence": "CC0",
     "splits": [{"name": "all", "count": 2}]}
)  # fmt: skip


class Cli:
    """The commands on one delivered run whose plan names data."""

    def __init__(self, root: Path, site: Site) -> None:
        self.site = site
        self.run_dir: RunDir = deliver(root, plan=WHOLE.model_copy(update={"data": (SOURCE,)}))
        self.made: list[FakeSandbox] = []

    def __call__(self, command: str, *args: str) -> tuple[int, str, str]:
        words = command.split()
        mirror = ("--set", f'data_mirrors=["data.github.com={self.site.base}"]') if words[-1] != "rm" else ()
        done = CliRunner().invoke(app, [*words, str(self.run_dir.path), *mirror, *args])
        error = done.exception
        if isinstance(error, AgentsysError):
            return error.exit_code, done.stdout, f"{error.message} {error.hint}"
        return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site({"/x.csv": CSV})) as made:
        yield made


@pytest.fixture
def cli(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setattr("agentsys.verify.data.store.shared_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = Cli(tmp_path, site)

    def opener(spec: SandboxSpec) -> FakeSandbox:
        made.made.append(scripted({"smoke": writes(FULL)}))
        return made.made[-1]

    monkeypatch.setattr(agentsys.run.reproduce, "opener_of", lambda settings: opener)
    return made


def test_what_is_fetched_is_pinned_listed_verified_and_removed(cli: Cli) -> None:
    code, out, _ = cli("data list")
    assert code == 0 and "absent" in out and "CC0" in out and cli.site.asked == []
    code, out, err = cli("data fetch", "--yes")
    assert code == 0 and "here" in out and cli.site.paths == {"/x.csv": 1}, err
    assert set(read_lock(cli.run_dir.repo).sources["numbers"].files) == {"x.csv"}
    code, out, _ = cli("data verify")
    assert (code, out) == (0, "1 files are as pinned, and hold what the plan says\n")
    code, out, _ = cli("data list", "--json")
    assert json.loads(out)[0] | {"files": {}} == {
        "name": "numbers", "state": "here", "why": "", "licence": "CC0", "size": 6, "number": 1, "files": {},
        "source": "url https://data.github.com/x.csv",
    }  # fmt: skip
    code, _, err = cli("data rm")
    assert code == 0 and "removed 0.0 MB" in err and "absent" in cli("data list")[1]
    assert cli("data fetch", "--yes", "--offline")[0] == 3


def test_without_a_terminal_nobody_is_asked_and_nothing_is_sent(cli: Cli) -> None:
    code, _, err = cli("data fetch")
    assert code == 2 and "nobody can be asked" in err and cli.site.asked == []


@pytest.mark.parametrize(
    ("setting", "code", "words"), [("data_budget=1e-9", 7, "data_budget"), ("offline=true", 3, "offline")]
)
def test_exit_codes_say_what_kind_of_no_it_was(cli: Cli, setting: str, code: int, words: str) -> None:
    found, _, err = cli("data fetch", "--yes", "--set", setting)
    assert found == code and words in err


def test_a_redirect_elsewhere_is_refused_by_the_policy(cli: Cli) -> None:
    cli.site.redirects["/x.csv"] = "https://evil.example.com/x.csv"
    code, _, err = cli("data fetch", "--yes")
    assert code == 6 and "another host" in err


def test_verify_tells_damage_and_wrong_counts(cli: Cli) -> None:
    cli.site.files["/x.csv"] = b"x\n1\n2\n3\n4\n"
    cli("data fetch", "--yes")
    code, out, _ = cli("data verify")
    assert code == 5 and "holds 5 or 4 rows, and the plan says 2" in out
    file = Store().path(read_lock(cli.run_dir.repo).sources["numbers"].files["x.csv"])
    file.chmod(0o644)
    file.write_bytes(b"other")
    code, out, _ = cli("data verify", "--json")
    assert code == 5 and "not in the cache as it was pinned" in json.loads(out)["faults"][0] and not file.exists()


def test_data_that_another_run_pins_stays(cli: Cli, tmp_path: Path) -> None:
    cli("data fetch", "--yes")
    other = tmp_path / "2026-01-03-other-0a1c"
    (other / "repo").mkdir(parents=True)
    (other / "run.json").write_bytes(cli.run_dir.record_file.read_bytes())
    (other / "repo/data.lock.json").write_bytes((cli.run_dir.repo / "data.lock.json").read_bytes())
    assert cli("data rm", "--runs-dir", str(tmp_path))[0] == 0
    assert "here" in cli("data list")[1]
    assert cli("data rm", "--all")[0] == 0 and "absent" in cli("data list")[1]


def test_the_full_profile_begins_only_with_its_data_and_shows_it(cli: Cli) -> None:
    code, _, err = cli("reproduce")
    assert code == 3 and "needs data that is not here: `numbers`" in err and cli.made == []
    code, out, err = cli("reproduce", "--data", "auto")
    assert code == 0 and out.startswith("full profile passed"), err
    assert cli.made[0]._data is not None
    assert cli("reproduce", "--offline")[0] == 0, "it is in the cache"


def test_the_summary_says_what_the_full_profile_needs_until_it_is_here(cli: Cli) -> None:
    needs = "the full profile needs numbers, which is not here: `agentsys data fetch"
    assert needs in summary(collect(cli.run_dir))
    cli("data fetch", "--yes")
    assert "needs numbers" not in summary(collect(cli.run_dir))


def test_the_smoke_profile_needs_none(cli: Cli) -> None:
    assert cli("reproduce", "--profile", "smoke")[0] == 0 and cli.site.asked == []


def test_a_miscounted_split_stops_the_full_profile(cli: Cli) -> None:
    cli.site.files["/x.csv"] = CSV * 3
    code, out, _ = cli("reproduce", "--data", "auto")
    assert code == 5 and "and the plan says 2" in out and "agentsys data verify" in out
    assert not any(call.argv[:2] == ("bash", "reproduce.sh") for call in cli.made[0].calls)


def test_a_folder_takes_the_place_of_the_network(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine/numbers").mkdir(parents=True)
    (tmp_path / "mine/numbers/x.csv").write_bytes(CSV)
    code, out, err = cli("reproduce", "--data-dir", str(tmp_path / "mine"))
    assert code == 0 and "data: 1 files" in err and cli.site.asked == [], out
    (tmp_path / "mine/numbers/x.csv").rename(tmp_path / "mine/x.csv")
    code, _, err = cli("reproduce", "--data-dir", str(tmp_path / "mine"))
    assert code == 3 and "`numbers`" in err


def test_a_data_folder_that_is_none_is_an_error_before_a_run_is_made(tmp_path: Path) -> None:
    recording = Path(__file__).parents[3] / "examples/dc-svrg/recording"
    settings = Settings(replay=recording, data_dir=tmp_path / "absent")
    with pytest.raises(UsageError, match="is not a folder"):
        check_prerequisites(settings)


PROGRAM = """
import asyncio
from agentsys.cli.consent import asker
print("answer", asyncio.run(asker()("fetch it?")), flush=True)
"""


@pytest.mark.parametrize(
    ("typed", "answer"), [(b"y\n", "True"), (b"yes\n", "True"), (b"\n", "False"), (b"n\n", "False")]
)
def test_a_person_at_a_terminal_is_asked_and_silence_is_no(typed: bytes, answer: str) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE)
    try:
        os.close(theirs)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 1024)
        os.write(ours, typed)
        out, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    assert out.decode().strip() == f"answer {answer}" and b"fetch it?" in seen


def test_nobody_is_asked_where_there_is_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from agentsys.cli.consent import asker; print(asker())"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "None"
