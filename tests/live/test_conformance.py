"""What every backend must do, the scripted fake included: the promises of `base.Sandbox` that need no real program.

A new backend is added to `SUBJECTS`. Programs are `sh` and `cat`; the fake plays them in `act`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agentsys_sandbox.base import REPO, WORK, Sandbox, SandboxError, SandboxGone
from agentsys_sandbox.bwrap.sandbox import BwrapSandbox
from agentsys_sandbox.docker.sandbox import DockerSandbox
from agentsys_sandbox.fake import Call, FakeSandbox, Files, Script, failed, passed
from agentsys_sandbox.packages.lock import Lock
from agentsys_sandbox.spec import ExecResult, Outcome
from live.sandboxes import BACKENDS, Place, need

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECTS = [*BACKENDS, pytest.param("fake")]
SHOW_X = ("sh", "-c", 'echo "$X"')
METHODS = ("install", "exec", "write_files", "remove", "read_file", "export", "health", "describe")


def act(call: Call, files: Files) -> ExecResult:
    """The few programs of this module, played."""
    if call.argv[0] == "cat":
        name = call.argv[1] if len(call.argv) > 1 else ""
        return passed(files[f"{call.cwd}/{name}"] if name else call.stdin)
    if call.argv == SHOW_X:
        return passed(call.env["X"].encode() + b"\n")
    if call.argv[:2] == ("sh", "-c"):
        return failed(b"sorry\n", code=3) if "exit 3" in call.argv[2] else passed(b"done\n")
    return passed()


def fresh(backend: str) -> Sandbox:
    """One that was not entered."""
    if backend == "fake":
        return FakeSandbox(Script(default=act))
    from agentsys_sandbox.choose import open_sandbox
    from agentsys_sandbox.spec import SandboxSpec

    need(backend)
    return open_sandbox(SandboxSpec(run="conform", allow_weak=True), backend)


@pytest_asyncio.fixture(params=SUBJECTS, scope="module", loop_scope="module")
async def entered(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    if request.param == "fake":
        async with FakeSandbox(Script(default=act)) as fake:
            yield fake
        return
    need(request.param)
    found = Place(request.param)
    async with found.open() as sandbox:
        yield sandbox
    assert found.residue() == []


@pytest_asyncio.fixture(loop_scope="module")
async def subject(entered: Sandbox) -> AsyncIterator[Sandbox]:
    """A sandbox with an empty repository."""
    await entered.remove(["repo"], root=WORK)
    await entered.write_files({".keep": b""})
    yield entered


@pytest.mark.parametrize("kind", [DockerSandbox, BwrapSandbox, FakeSandbox])
@pytest.mark.parametrize("method", METHODS)
async def test_the_methods_take_what_the_interface_says(kind: type, method: str) -> None:
    def shape(owner: type) -> list[tuple[str, object, object]]:
        found = inspect.signature(getattr(owner, method)).parameters.values()
        return [(each.name, each.kind, each.default) for each in found]

    assert shape(kind) == shape(Sandbox)
    assert inspect.iscoroutinefunction(getattr(kind, method)) is (method != "describe")


async def test_what_is_written_is_read_back_byte_by_byte(subject: Sandbox) -> None:
    files = {"a.bin": bytes(range(256)) * 40, "d/e/f.txt": b"deep", "empty": b"", "übung/名.py": b"x", " space": b"y"}
    await subject.write_files(files)
    for name, data in files.items():
        assert await subject.read_file(f"repo/{name}") == data
        assert await subject.read_file(f"{REPO}/{name}") == data


async def test_writing_replaces_and_leaves_the_rest(subject: Sandbox) -> None:
    await subject.write_files({"a": b"long content", "b": b"b"})
    await subject.write_files({"a": b"short"})
    assert (await subject.read_file("repo/a"), await subject.read_file("repo/b")) == (b"short", b"b")


async def test_another_root_below_the_work_folder_may_be_chosen(subject: Sandbox) -> None:
    await subject.write_files({"x": b"1"}, root=f"{WORK}/other")
    assert await subject.read_file("other/x") == b"1"
    await subject.remove(["x"], root=f"{WORK}/other")
    assert await subject.read_file("other/x") is None


async def test_what_is_not_there_is_none(subject: Sandbox) -> None:
    await subject.write_files({"d/f": b""})
    assert await subject.read_file("repo/absent") is None
    assert await subject.read_file("repo/d") is None


async def test_reading_takes_no_more_than_asked_for(subject: Sandbox) -> None:
    await subject.write_files({"f": b"0123456789"})
    assert await subject.read_file("repo/f", max_bytes=4) == b"0123"
    assert await subject.read_file("repo/f", max_bytes=10) == b"0123456789"


async def test_removing_takes_whole_folders_and_forgives_absent_ones(subject: Sandbox) -> None:
    await subject.write_files({"d/a": b"", "d/e/b": b"", "da": b"kept"})
    await subject.remove(["d", "absent"])
    assert await subject.read_file("repo/d/e/b") is None
    assert await subject.read_file("repo/da") == b"kept"


async def test_paths_that_lead_out_or_are_none_are_refused(subject: Sandbox, tmp_path: Path) -> None:
    for path in ("../x", "/etc/x", "a/../../x", "", "a\nb", "a\0b", "x" * 300):
        for attempt in (
            subject.write_files({path: b""}),
            subject.remove([path]),
            subject.read_file(path),
            subject.export([path], tmp_path),
        ):
            with pytest.raises(SandboxError):
                await attempt
    assert list(tmp_path.iterdir()) == []


async def test_no_folder_outside_can_be_worked_in(subject: Sandbox) -> None:
    for folder in ("/etc", "/work/../etc", "/"):
        with pytest.raises(SandboxError):
            await subject.exec(["cat"], cwd=folder)
        with pytest.raises(SandboxError):
            await subject.write_files({"x": b""}, root=folder)


async def test_exported_files_stand_at_their_place_below_the_work_folder(subject: Sandbox, tmp_path: Path) -> None:
    await subject.write_files({"d/a": b"1", "d/b": b"2", "c": b"3"})
    report = await subject.export(["repo/d", f"{REPO}/absent"], tmp_path / "new")
    assert sorted(report.written) == ["repo/d/a", "repo/d/b"]
    assert [name for name, reason in report.dropped if reason] == ["repo/absent"]
    found = {str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert found == {"repo/d/a", "repo/d/b"}
    assert (tmp_path / "new/repo/d/b").read_bytes() == b"2"


async def test_an_export_is_capped_and_names_what_it_left_out(subject: Sandbox, tmp_path: Path) -> None:
    await subject.write_files({f"d/{i}": b"x" * 100 for i in range(10)})
    few = await subject.export(["repo/d"], tmp_path / "few", max_files=5)
    small = await subject.export(["repo/d"], tmp_path / "small", max_bytes=350)
    # The folder itself may count as one.
    assert len(few.written) in (4, 5) and len(few.written) + len(few.dropped) >= 10
    assert (len(small.written), len(small.dropped)) == (3, 7)


async def test_a_program_that_ends_well_is_ok(subject: Sandbox) -> None:
    result = await subject.exec(["sh", "-c", "echo done"], timeout=60)
    assert (result.outcome, result.ok, result.exit_code) == (Outcome.OK, True, 0)
    assert (result.stdout, result.stderr, result.cut, result.oom_kills) == (b"done\n", b"", 0, 0)
    assert result.seconds >= 0


async def test_a_program_that_ends_badly_is_nonzero_with_its_code(subject: Sandbox) -> None:
    result = await subject.exec(["sh", "-c", "echo sorry >&2; exit 3"], timeout=60)
    assert (result.outcome, result.ok, result.exit_code) == (Outcome.NONZERO, False, 3)
    assert (result.stdout, result.stderr, result.text()) == (b"", b"sorry\n", "sorry\n")
    assert not result.outcome.is_infrastructure


async def test_a_program_gets_its_files_its_folder_its_variables_and_its_input(subject: Sandbox) -> None:
    await subject.write_files({"d/f": b"content"})
    assert (await subject.exec(["cat", "f"], cwd=f"{REPO}/d", timeout=60)).stdout == b"content"
    assert (await subject.exec(["cat", "d/f"], timeout=60)).stdout == b"content"
    assert (await subject.exec(["cat"], stdin=b"\0\xff in", timeout=60)).stdout == b"\0\xff in"
    assert (await subject.exec(SHOW_X, env={"X": "1 = 1"}, timeout=60)).stdout == b"1 = 1\n"


async def test_output_is_passed_on_as_the_result_has_it(subject: Sandbox) -> None:
    heard: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def hear(stream: str, data: bytes) -> None:
        heard[stream] += data

    result = await subject.exec(["cat"], stdin=b"x" * 100_000, timeout=60, on_output=hear)
    assert (heard["stdout"], heard["stderr"]) == (result.stdout, result.stderr)
    assert len(result.stdout) == 100_000


async def test_what_cannot_be_a_variable_is_refused(subject: Sandbox) -> None:
    for name in ("", "A=B", "1A", "a-b"):
        with pytest.raises(SandboxError, match="environment variable"):
            await subject.exec(["cat"], env={name: "1"})


async def test_requirements_that_reach_around_the_index_are_denied(subject: Sandbox) -> None:
    around = (
        "git+https://host.invalid/x",
        "x @ https://host.invalid/x.whl",
        "--index-url http://h/",
        "./local",
        "-e .",
    )
    for line in around:
        for found in (await subject.resolve([line]), await subject.resolve(["six"], constraints=[line])):
            assert (found.result.outcome, found.lock) == (Outcome.DENIED_BY_POLICY, None)
            assert found.result.message
            assert found.result.exit_code is None


async def test_calls_at_the_same_time_do_not_meet(subject: Sandbox) -> None:
    results = await asyncio.gather(*(subject.exec(["cat"], stdin=b"%d" % i, timeout=120) for i in range(5)))
    assert [each.stdout for each in results] == [b"%d" % i for i in range(5)]


async def test_it_says_what_it_is_and_why_a_control_is_not_effective(subject: Sandbox) -> None:
    found = subject.describe()
    assert found.backend and found.version
    assert found.weak or found.controls
    names = [each.name for each in found.controls]
    assert len(names) == len(set(names))
    assert all(each.detail or each.remedy for each in found.controls if not each.effective)


async def test_it_answers_while_it_is_open(subject: Sandbox) -> None:
    assert await subject.health()


async def every_use(box: Sandbox, folder: Path) -> None:
    """Each method must say that the sandbox is gone."""
    assert not await box.health()
    for use in (
        box.exec(["cat"]),
        box.write_files({"f": b""}),
        box.read_file("repo/f"),
        box.remove(["f"]),
        box.export(["repo"], folder),
        box.resolve(["six"]),
        box.install(Lock(())),
    ):
        with pytest.raises(SandboxGone):
            await use


@pytest.mark.parametrize("backend", SUBJECTS)
async def test_before_it_is_opened_and_after_it_was_closed_it_is_gone(backend: str, tmp_path: Path) -> None:
    box = fresh(backend)
    await every_use(box, tmp_path)
    async with box as opened:
        await opened.write_files({"f": b"1"})
        assert await opened.read_file("repo/f") == b"1"
    await every_use(box, tmp_path)


@pytest.mark.parametrize("backend", SUBJECTS)
async def test_an_error_in_the_block_comes_out_unchanged(backend: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with fresh(backend):
            raise ZeroDivisionError


@pytest.mark.parametrize("backend", SUBJECTS)
async def test_two_of_them_share_nothing(backend: str) -> None:
    async with fresh(backend) as one, fresh(backend) as other:
        await one.write_files({"f": b"mine"})
        assert await other.read_file("repo/f") is None
