"""The fake keeps files like a real sandbox, answers from its script, and fails when that runs out."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsys_sandbox.base import Sandbox, SandboxError, SandboxGone
from agentsys_sandbox.fake import Call, FakeSandbox, Files, Script, ScriptRanOut, failed, passed
from agentsys_sandbox.spec import ExecResult, InstallResult, Outcome, Package


async def test_answers_come_in_order_and_then_the_test_fails() -> None:
    async with FakeSandbox([passed(b"one"), failed(b"two", code=3)]) as box:
        assert (await box.exec(["a"])).stdout == b"one"
        assert (await box.exec(["b"], cwd="/work", env={"K": "v"}, stdin=b"in")).exit_code == 3
        with pytest.raises(ScriptRanOut, match="exec c d"):
            await box.exec(["c", "d"])
    assert box.calls[1] == Call("exec", ("b",), "/work", {"K": "v"}, b"in")


async def test_an_answer_may_look_at_the_files_and_change_them() -> None:
    def run(call: Call, files: Files) -> ExecResult:
        files["/work/repo/out.txt"] = files["/work/repo/in.txt"].upper()
        return passed()

    async with FakeSandbox(Script(default=run)) as box:
        await box.write_files({"in.txt": b"x"})
        await box.exec(["run"])
        assert await box.read_file("/work/repo/out.txt") == b"X"


async def test_output_is_passed_on_like_that_of_a_real_program() -> None:
    seen: list[tuple[str, bytes]] = []
    async with FakeSandbox([ExecResult(Outcome.NONZERO, 1, b"o", b"e", 0.1)]) as box:
        await box.exec(["x"], on_output=lambda name, data: seen.append((name, data)))
    assert seen == [("stdout", b"o"), ("stderr", b"e")]


async def test_files_are_kept_removed_and_exported(tmp_path: Path) -> None:
    async with FakeSandbox() as box:
        await box.write_files({"d/a": b"1", "d/b": b"2", "c": b"3"})
        await box.remove(["d/a", "absent"])
        report = await box.export(["repo", "repo/none"], tmp_path)
        assert report.written == ("repo/c", "repo/d/b")
        assert report.dropped == (("repo/none", "not there"),)
        assert (tmp_path / "repo/d/b").read_bytes() == b"2"
        with pytest.raises(SandboxError):
            await box.write_files({"../x": b""})


async def test_installing_answers_from_the_script_and_refuses_what_all_backends_refuse() -> None:
    answer = InstallResult(passed(), (Package("numpy", "2.0"),))
    async with FakeSandbox([answer]) as box:
        assert (await box.resolve(["git+https://h/x"])).result.outcome is Outcome.DENIED_BY_POLICY
        found = await box.resolve(["numpy"], project={"pyproject.toml": b""})
        assert found.lock is not None
        assert (await box.install(found.lock)).packages == answer.packages
    assert box.calls[0].argv == ("numpy", "-e", "/work/repo")


async def test_a_closed_fake_is_gone() -> None:
    box: Sandbox = FakeSandbox([passed()])
    for use in (box.exec(["x"]), box.resolve([]), box.read_file("x"), box.write_files({})):
        with pytest.raises(SandboxGone):
            await use
    assert not await box.health()
