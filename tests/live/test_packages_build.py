"""What exists as source only is built inside a sandbox without network, and what comes out is checked."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from agentsys_sandbox.image.rootfs import ensure_rootfs
from agentsys_sandbox.packages.inside import BUILD, argv, files, read_built
from agentsys_sandbox.packages.store import PackageStore
from agentsys_sandbox.packages.target import ASK, Target, parse_target
from agentsys_sandbox.packages.wish import BuildJob, Built, Wish, project_source
from agentsys_sandbox.spec import ExecResult, IndexRules, Outcome
from unit.sandbox.packages.shelf import Shelf

pytestmark = [
    pytest.mark.bwrap,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]
BACKEND = """
import pathlib, zipfile
def build_wheel(folder, config=None, metadata=None):
    import {needs}
    pathlib.Path("/tmp/built").write_text("inside")
    name = "{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as out:
        info = "{name}-{version}.dist-info/"
        out.writestr("{name}.py", "answer = 42\\n")
        head = "Metadata-Version: 2.1\\nName: {name}\\n"
        out.writestr(info + "METADATA", head + "Version: {says}\\nRequires-Dist: dep\\n")
        out.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        out.writestr(info + "RECORD", "")
    return name
def get_requires_for_build_wheel(config=None):
    return {more!r}
"""


class InBubblewrap:
    """Runs builds as a backend does, in bubblewrap on the base root file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: list[BuildJob] = []

    async def run(self, command: tuple[str, ...], environment: Path | None = None) -> tuple[int, bytes, bytes]:
        """Exit code and output of a program."""
        work = self.folder / "work"
        for name in ("repo", "build", "venv"):
            (work / name).mkdir(parents=True, exist_ok=True)
        root = ["--ro-bind", str(ensure_rootfs()), "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
        venv = ["--ro-bind", str(environment), "/work/venv"] if environment else []
        bwrap = ["bwrap", *root, "--bind", str(work), "/work", *venv, "--unshare-all", "--clearenv"]
        bwrap += ["--setenv", "PATH", "/work/venv/bin:/usr/bin:/usr/local/bin", "--setenv", "HOME", "/tmp"]
        process = await asyncio.create_subprocess_exec(*bwrap, *command, stdout=-1, stderr=-1)
        out, err = await process.communicate()
        return process.returncode or 0, out, err

    async def build(self, job: BuildJob) -> Built:
        """The protocol `Builder`."""
        self.jobs.append(job)
        place = self.folder / BUILD.lstrip("/")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name, data in files(job).items():
            (place / name).write_bytes(data)
        code, out, err = await self.run(argv(job), job.environment)
        result = ExecResult(Outcome.NONZERO if code else Outcome.OK, code, out, err, 0.0)
        return read_built(result, (place / "out").read_bytes() if (place / "out").is_file() else None)

    async def target(self) -> Target:
        """The base's interpreter."""
        return parse_target((await self.run(ASK))[1])


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "simple")


@pytest.fixture
def store(tmp_path: Path, shelf: Shelf) -> PackageStore:
    return PackageStore(tmp_path / "cache", shelf.host())


@pytest.fixture
def builder(tmp_path: Path) -> InBubblewrap:
    return InBubblewrap(tmp_path / "box")


def put_source(
    shelf: Shelf,
    name: str = "src",
    version: str = "1.0",
    *,
    says: str = "",
    needs: str = "os",
    more: tuple[str, ...] = (),
) -> str:
    backend = BACKEND.format(name=name, version=version, says=says or version, needs=needs, more=list(more))
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    return shelf.sdist(name, version, {"pyproject.toml": project, "backend.py": backend})


async def test_a_source_distribution_is_built_inside_and_its_dependencies_join_the_set(
    store: PackageStore, shelf: Shelf, builder: InBubblewrap
) -> None:
    source = put_source(shelf)
    shelf.wheel("dep", "1.0")
    shelf.wheel("app", "1.0", "src")
    target = await builder.target()
    found = await store.resolve(Wish(("app",)), target, IndexRules(), builder)
    assert found.lock is not None, found.result
    assert found.lock.pins == ("app==1.0", "dep==1.0", "src==1.0")
    assert found.lock.rows[2].hashes[-1] == source
    made = await store.link(found.lock, target)
    assert made.folder is not None, made.result
    ran = await builder.run(("python", "-c", "import src; print(src.answer)"), made.folder)
    assert ran[:2] == (0, b"42\n"), ran
    assert not Path("/tmp/built").exists()


async def test_the_second_resolution_takes_the_wheel_that_was_built(
    store: PackageStore, shelf: Shelf, builder: InBubblewrap
) -> None:
    put_source(shelf)
    shelf.wheel("dep", "1.0")
    target = await builder.target()
    first = await store.resolve(Wish(("src",)), target, IndexRules(), builder)
    second = await store.resolve(Wish(("src", "dep")), target, IndexRules(), builder)
    assert len(builder.jobs) == 1
    assert first.lock is not None
    assert second.lock is not None
    assert first.lock.text == second.lock.text


async def test_what_the_backend_asks_for_is_resolved_before_it_builds(
    store: PackageStore, shelf: Shelf, builder: InBubblewrap
) -> None:
    put_source(shelf, needs="helper", more=("helper>=1",))
    shelf.wheel("helper", "1.5")
    shelf.wheel("dep", "1.0")
    found = await store.resolve(Wish(("src",)), await builder.target(), IndexRules(), builder)
    assert found.lock is not None, found.result
    assert [job.given for job in builder.jobs] == [(), ("helper>=1",)]


@pytest.mark.parametrize(
    ("says", "needs", "more", "words"),
    [
        ("9.9", "os", (), "its metadata says `src==9.9`"),
        ("", "nowhere", (), "No module named 'nowhere'"),
        ("", "os", ("absent",), "absent was not found"),
        ("", "os", ("x @ https://host.invalid/x",), "asks for a place outside the package index"),
    ],
)
async def test_a_build_that_cannot_be_is_named_with_what_is_missing(
    store: PackageStore, shelf: Shelf, builder: InBubblewrap, says: str, needs: str, more: tuple[str, ...], words: str
) -> None:
    put_source(shelf, says=says, needs=needs, more=more)
    shelf.wheel("dep", "1.0")
    found = await store.resolve(Wish(("src",)), await builder.target(), IndexRules(), builder)
    assert found.result.outcome is Outcome.NONZERO
    assert words in " ".join(found.result.text().split())
    assert "Failed to build `src`" in found.result.text()


@pytest.mark.index
async def test_a_project_with_a_src_layout_and_a_script_is_installed_editable(
    tmp_path: Path, builder: InBubblewrap
) -> None:
    text = (
        '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "0.1"\ndependencies = ["six"]\n[project.scripts]\nsay = "mine:say"\n'
    )
    module = "import six\ndef say():\n    print('said', six.PY3)\n"
    repo = {"pyproject.toml": text.encode(), "src/mine/__init__.py": module.encode()}
    for name, data in repo.items():
        path = builder.folder / "work/repo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    store, target = PackageStore(tmp_path / "cache"), await builder.target()
    found = await store.resolve(Wish((), project=project_source(repo)), target, IndexRules(), builder)
    assert found.lock is not None, found.result
    assert [row.name for row in found.lock.rows] == ["six"]
    made = await store.link(found.lock, target, project=found.project)
    assert made.folder is not None, made.result
    assert (await builder.run(("say",), made.folder))[:2] == (0, b"said True\n")
    (builder.folder / "work/repo/src/mine/__init__.py").write_text(module.replace("said", "changed"))
    assert (await builder.run(("say",), made.folder))[:2] == (0, b"changed True\n")
