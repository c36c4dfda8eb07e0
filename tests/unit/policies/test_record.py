"""The audit record: every changed byte is noticed, and a killed writer leaves a record that can go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsys_policies.engine import Policy
from agentsys_policies.errors import PolicyError
from agentsys_policies.record import AuditRecord, read_events, verify

POLICY = Policy.load()


def sealed(folder: Path, events: int = 3) -> Path:
    record = AuditRecord(folder)
    for number in range(events):
        record.append(POLICY.check_command(["echo", str(number)]))
    record.seal({"paper": "sha"})
    return folder


def test_a_sealed_record_verifies(tmp_path: Path) -> None:
    assert verify(sealed(tmp_path / "audit")) == []


@pytest.mark.parametrize("name", ["events.jsonl", "manifest.json"])
def test_a_change_of_any_byte_is_noticed(tmp_path: Path, name: str) -> None:
    folder = sealed(tmp_path / "audit", events=1)
    file = folder / name
    raw = file.read_bytes()
    unnoticed: list[int] = []
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        file.write_bytes(bytes(changed))
        if not verify(folder):
            unnoticed.append(position)
    assert unnoticed == []


def test_a_cut_tail_is_noticed_even_where_head_file_is_cut_with_it(tmp_path: Path) -> None:
    folder = sealed(tmp_path / "audit")
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(lines[:-1]))
    (folder / "head.json").write_text(json.dumps({"count": 2, "head": json.loads(lines[1])["hash"]}))
    assert any("missing at the end" in problem for problem in verify(folder))


@pytest.mark.parametrize("name", ["events.jsonl", "manifest.json"])
def test_a_missing_file_is_noticed(tmp_path: Path, name: str) -> None:
    folder = sealed(tmp_path / "audit")
    (folder / name).unlink()
    assert verify(folder)


def test_a_deleted_line_in_the_middle_is_noticed(tmp_path: Path) -> None:
    folder = sealed(tmp_path / "audit")
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(lines[0] + lines[2])
    assert verify(folder)


def test_a_whole_forged_record_is_noticed_where_the_head_was_noted_elsewhere(tmp_path: Path) -> None:
    genuine = AuditRecord(tmp_path / "genuine")
    genuine.append(POLICY.check_command(["rm", "-rf", "/"]))
    genuine.seal({})
    forged = sealed(tmp_path / "forged")
    assert verify(forged) == []
    assert verify(forged, head=genuine.head)


def test_events_after_the_seal_are_reported_until_sealed_again(tmp_path: Path) -> None:
    folder = sealed(tmp_path / "audit")
    record = AuditRecord(folder)
    record.append(POLICY.check_command(["ls"]))
    assert verify(folder) == ["1 events were added after the seal"]
    record.seal({})
    assert verify(folder) == []


def test_a_resumed_run_goes_on_with_the_chain(tmp_path: Path) -> None:
    AuditRecord(tmp_path).append(POLICY.check_command(["ls"]))
    AuditRecord(tmp_path).append(POLICY.check_command(["pwd"]))
    assert [line["seq"] for line in read_events(tmp_path)] == [1, 2]


def test_every_point_at_which_a_writer_is_killed_is_repaired_and_said(tmp_path: Path) -> None:
    first = sealed(tmp_path / "audit", events=1)
    whole = (first / "events.jsonl").read_bytes()
    AuditRecord(first).append(POLICY.check_command(["pwd"]))
    second = (first / "events.jsonl").read_bytes()[len(whole) :]
    head = json.dumps({"count": 1, "head": json.loads(whole)["hash"]})
    for length in range(0, len(second), 7):
        folder = tmp_path / f"cut{length}"
        folder.mkdir()
        (folder / "events.jsonl").write_bytes(whole + second[:length])
        (folder / "head.json").write_text(head)
        record = AuditRecord(folder)
        kinds = [line["kind"] for line in read_events(folder)]
        assert kinds == (["decision", "repair"] if length else ["decision"])
        record.seal({})
        assert verify(folder) == []


def test_a_writer_killed_between_event_and_head_file_loses_nothing(tmp_path: Path) -> None:
    record = AuditRecord(tmp_path)
    record.append(POLICY.check_command(["ls"]))
    head = (tmp_path / "head.json").read_bytes()
    record.append(POLICY.check_command(["pwd"]))
    (tmp_path / "head.json").write_bytes(head)
    assert AuditRecord(tmp_path).count == 2


def test_a_changed_record_is_not_continued(tmp_path: Path) -> None:
    folder = sealed(tmp_path / "audit")
    file = folder / "events.jsonl"
    file.write_bytes(file.read_bytes().replace(b"allow", b"block", 1))
    with pytest.raises(PolicyError, match="not whole"):
        AuditRecord(folder)


def test_an_event_that_was_put_in_with_a_hash_of_its_own_is_noticed(tmp_path: Path) -> None:
    folder = sealed(tmp_path / "audit", events=2)
    other = sealed(tmp_path / "other", events=2)
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    foreign = (other / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(lines[0] + foreign[1])
    (folder / "manifest.json").unlink()
    (folder / "head.json").unlink()
    with pytest.raises(PolicyError, match="line 2"):
        read_events(folder)
