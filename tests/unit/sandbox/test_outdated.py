"""Which base images are of an earlier recipe: this Python's alone, and never the current one."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from agentsys_sandbox.image import rootfs
from agentsys_sandbox.image.engine_image import REPOSITORY, is_outdated

CURRENT = rootfs.name()
OLDER = CURRENT.rpartition("-")[0] + "-000000000000"


@pytest.mark.parametrize(
    ("names", "outdated"),
    [
        ([f"{REPOSITORY}:{CURRENT}"], False),
        ([f"{REPOSITORY}:registry-{CURRENT}"], False),
        ([f"{REPOSITORY}:{OLDER}"], True),
        ([f"{REPOSITORY}:registry-{OLDER}"], True),
        ([f"{REPOSITORY}:{OLDER}", f"{REPOSITORY}:{CURRENT}"], False),
        ([f"{REPOSITORY}:py2.7.18-000000000000"], False),  # current for whoever runs that Python
        (["mine:1"], False),
        ([f"{REPOSITORY}:{OLDER}", "mine:1"], False),
        ([], True),  # replaced by a newer one of the same name
    ],
)
def test_only_earlier_recipes_of_this_python_are_outdated(names: list[str], outdated: bool) -> None:
    assert is_outdated(names) is outdated


def test_base_folders_in_use_and_the_current_one_stay(tmp_path: Path) -> None:
    for name, age in ((CURRENT, 9e6), (OLDER, 9e6), (OLDER[:-1] + "1", 60), ("py2.7.18-000000000000", 9e6)):
        (tmp_path / "rootfs" / name).mkdir(parents=True)
        os.utime(tmp_path / "rootfs" / name, (time.time() - age,) * 2)
    assert [tree.name for tree in rootfs.outdated(tmp_path)] == [OLDER]


def test_the_name_of_the_base_does_not_depend_on_the_virtual_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = rootfs.hostfiles.tools()
    copy = tmp_path / "node"
    shutil.copy(tools.node, copy)
    other = rootfs.hostfiles.Tools(copy, tools.pyright)
    monkeypatch.setattr(rootfs.hostfiles, "tools", lambda: other)
    assert rootfs.name() == CURRENT
    copy.write_bytes(b"another one")
    assert rootfs.name() != CURRENT
