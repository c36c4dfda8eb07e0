"""What a sandbox says of its interpreter is checked before uv hears of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from packaging.tags import sys_tags

from agentsys_sandbox.packages.target import ASK, TargetError, parse_target


def told(**changes: object) -> bytes:
    plain: dict[str, object] = {
        "version": "3.11.7",
        "implementation": "cpython",
        "machine": "x86_64",
        "libc": ["glibc", "2.36"],
        "free_threaded": False,
        "executable": "/usr/local/bin/python3",
    }
    return json.dumps(plain | changes).encode()


@pytest.mark.parametrize(
    ("changes", "platform"),
    [
        ({}, "x86_64-manylinux_2_36"),
        ({"libc": ["glibc", "2.27"]}, "x86_64-manylinux_2_17"),
        ({"libc": ["glibc", "2.99"], "machine": "aarch64"}, "aarch64-manylinux_2_40"),
        ({"libc": ["", ""]}, "x86_64-unknown-linux-musl"),
    ],
)
def test_the_platform_is_the_newest_that_uv_has_a_name_for(changes: dict[str, object], platform: str) -> None:
    assert parse_target(told(**changes)).platform == platform


@pytest.mark.parametrize(
    "printed",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        told(version="3.11.7 --index-url http://host.invalid"),
        told(version="2.7.18"),
        told(implementation="pypy"),
        told(free_threaded=True),
        told(machine="x86_64\n--python-platform"),
        told(machine="riscv64"),
        told(libc=["glibc", "2.12"]),
        told(libc="glibc"),
        told(libc=None),
        told(executable="/usr/bin/py\nthon"),
        told(executable="python3"),
    ],
)
def test_odd_output_is_an_error_and_no_target(printed: bytes) -> None:
    with pytest.raises(TargetError, match="the sandbox's"):
        parse_target(printed)


def test_the_tags_are_those_of_this_machines_own_interpreter() -> None:
    printed = subprocess.run([sys.executable, *ASK[1:]], capture_output=True, check=True).stdout
    target = parse_target(printed)
    mine = [tag for tag in sys_tags() if "linux_2" in tag.platform or tag.platform == "any"]
    both = set(mine) & set(target.tags)
    assert len(both) > 200
    assert [tag for tag in target.tags if tag in both] == [tag for tag in mine if tag in both]
    assert str(target.tags[0]).startswith(f"cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-manylinux_2_")
