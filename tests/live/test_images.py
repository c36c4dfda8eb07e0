"""The base root file system and the image made of it hold what a sandbox needs, and nothing of the host's user."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from agentsys_sandbox.base import ImageMissing, Unavailable
from agentsys_sandbox.docker.engine import Engine
from agentsys_sandbox.image import engine_image as images
from agentsys_sandbox.image import rootfs
from live.sandboxes import need


@pytest.fixture(scope="module")
def tree() -> Path:
    try:
        return rootfs.ensure_rootfs()
    except ImageMissing as error:
        pytest.skip(error.message)


class Store:
    """An engine that only remembers."""

    def __init__(self, *have: str) -> None:
        self.have = set(have)
        self.imported: list[str] = []
        self.built: list[str] = []
        self.contexts: list[bytes] = []
        self.fail = ""

    def has_image(self, reference: str) -> bool:
        return reference in self.have

    def import_image(self, tar: Iterable[bytes], repository: str, tag: str, changes: Iterable[str]) -> None:
        self.imported.append(f"{repository}:{tag}")
        with tarfile.open(fileobj=io.BytesIO(b"".join(tar))) as archive:
            self.members = {member.name: member for member in archive}
        self.changes = list(changes)

    def build_image(self, context: object, dockerfile: str, tag: str) -> None:
        if self.fail:
            raise Unavailable(self.fail)
        assert isinstance(context, io.IOBase) or hasattr(context, "read")
        self.contexts.append(context.read())  # type: ignore[attr-defined]
        self.built.append(tag)


def test_the_tree_is_built_once_and_named_after_what_it_holds(tree: Path) -> None:
    assert tree.name.startswith(f"py{sys.version_info[0]}.{sys.version_info[1]}.")
    before = tree.stat().st_ino
    assert rootfs.ensure_rootfs().stat().st_ino == before
    assert not [each for each in tree.parent.iterdir() if each.name.startswith(".building-")]


def test_everything_in_the_tree_can_be_read_by_everybody(tree: Path) -> None:
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            path = Path(folder, name)
            if not path.is_symlink():
                wanted = 0o555 if path.is_dir() else 0o444
                assert path.stat().st_mode & wanted == wanted, path


def test_links_in_the_tree_stay_in_it(tree: Path) -> None:
    for path in tree.rglob("*"):
        if path.is_symlink():
            assert not path.readlink().is_absolute(), path
            assert path.resolve().is_relative_to(tree.resolve()), path


def test_no_packages_of_the_host_and_no_home_of_its_user_are_in_it(tree: Path) -> None:
    stdlib = next((tree / "usr/local").glob("lib*/python3*"))
    assert list((stdlib / "site-packages").iterdir()) == []
    prefix = sys.base_prefix
    if prefix not in ("/usr", "/usr/local"):
        for file in stdlib.glob("_sysconfigdata_*.py"):
            assert prefix not in file.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="changing the root folder needs root")
def test_programs_and_tools_of_the_tree_start(tree: Path) -> None:
    chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert chroot is not None
    code = "import ssl, sqlite3, ctypes, lzma, bz2, zlib, hashlib, venv, multiprocessing.synchronize; print('ok')"
    for argv, words in (
        ([rootfs.PYTHON, "-I", "-c", code], "ok"),
        (["/opt/agentsys/node", "--version"], "v"),
        (["/usr/bin/bash", "-c", "tar --version | head -n 1"], "tar"),
        (["/bin/sh", "-c", "echo a | grep a | sed s/a/b/ | awk '{print $1}'"], "b"),
    ):
        done = subprocess.run([chroot, str(tree), *argv], capture_output=True, text=True, check=False, env={})
        assert done.stdout.startswith(words), (argv, done.stderr)


def test_the_image_belongs_to_root_and_the_work_folder_to_the_code(tree: Path) -> None:
    store = Store()
    reference = images.ensure_image(store)
    assert store.imported == [reference]
    of_the_code = {name: (member.uid, member.gid) for name, member in store.members.items() if member.uid != 0}
    assert of_the_code == dict.fromkeys(("work", "work/venv"), (1000, 1000))
    assert any(change.startswith("USER 1000") for change in store.changes)
    assert {member.mode & 0o6000 for member in store.members.values()} == {0}  # nothing setuid


def test_an_image_that_is_there_is_not_made_again() -> None:
    reference = f"{images.REPOSITORY}:{rootfs.name()}"
    store = Store(reference)
    assert images.ensure_image(store) == reference
    assert store.imported == []


def test_an_image_from_a_registry_is_preferred() -> None:
    preferred = f"{images.REPOSITORY}:registry-{rootfs.name()}"
    assert images.ensure_image(Store(preferred, f"{images.REPOSITORY}:{rootfs.name()}")) == preferred


def test_another_image_must_be_there() -> None:
    assert images.ensure_image(Store("mine:1"), "mine:1") == "mine:1"
    with pytest.raises(ImageMissing, match="mine:2") as caught:
        images.ensure_image(Store(), "mine:2")
    assert "docker pull" in caught.value.hint


@pytest.mark.slow
def test_the_recipe_for_a_registry_is_sent_with_its_tools() -> None:
    store = Store()
    reference = images.build(store, "registry")
    assert store.built == [reference]
    with tarfile.open(fileobj=io.BytesIO(store.contexts[0])) as archive:
        names = set(archive.getnames())
        recipe = archive.extractfile(images.RECIPE)
        assert recipe is not None
        text = recipe.read().decode()
    assert {"tools/node", "tools/pyright/index.js"} <= names
    assert f"ARG PYTHON={sys.version_info[0]}.{sys.version_info[1]}\n" in text


@pytest.mark.slow
def test_without_a_registry_the_host_files_serve_unless_the_registry_was_demanded(tree: Path) -> None:
    store = Store()
    store.fail = "no such host"
    assert images.build(store, "auto") == f"{images.REPOSITORY}:{rootfs.name()}"
    with pytest.raises(ImageMissing, match="no such host") as caught:
        images.build(store, "registry")
    assert "--source host" in caught.value.hint


@pytest.mark.docker
def test_a_real_engine_takes_the_image(tree: Path) -> None:
    need("docker")
    engine = Engine.connect()
    try:
        reference = images.ensure_image(engine)
        assert engine.has_image(reference)
        assert engine.image_environment(reference)["LANG"] == "C.UTF-8"
    finally:
        engine.close()
