"""requirements.lock is read strictly, and written so that others read it."""

from __future__ import annotations

import pytest
from packaging.tags import Tag

from agentsys_sandbox.packages.lock import LockError, NotLocked, Wheel, parse_lock, read_wheels, write_pylock

A, B = "a" * 64, "b" * 64


def test_rows_with_extras_markers_comments_and_several_hashes_are_read() -> None:
    lock = parse_lock(
        "# made by hand\n"
        f'Foo_Bar[x,y]==1.0 ; python_version < "4" \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}  # two files\n'
        f"torch==2.13.0+cpu --hash=sha256:{A}\n"
    )
    first, second = lock.rows
    assert (first.name, first.version, first.extras, first.hashes) == ("foo-bar", "1.0", ("x", "y"), (A, B))
    assert first.marker == 'python_version < "4"'
    assert second.version == "2.13.0+cpu"
    assert parse_lock(lock.text) == lock


def test_the_hash_of_a_package_is_empty_where_several_files_may_be_taken() -> None:
    lock = parse_lock(f"a==1 --hash=sha256:{A} --hash=sha256:{B}\nb==1 --hash=sha256:{B}\n")
    assert [each.sha256 for each in lock.packages] == ["", B]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("six==1.0\n", "no hash"),
        (f"six>=1.0 --hash=sha256:{A}\n", "not one pin"),
        (f"six==1.* --hash=sha256:{A}\n", "not one pin"),
        (f"six==1,==1 --hash=sha256:{A}\n", "not one pin"),
        (f"six @ https://host.invalid/six.whl --hash=sha256:{A}\n", "not one pin"),
        (f"--index-url https://host.invalid --hash=sha256:{A}\n", "not one pin"),
        ("six==1.0 --hash=md5:d41d8cd98f00b204e9800998ecf8427e\n", "no SHA-256"),
        (f"six==1.0 --hash=sha256:{A}\nSix==2.0 --hash=sha256:{A}\n", "locked twice"),
        ("six==1.0 \\\n", "goes on after the end"),
    ],
)
def test_what_is_no_exact_pin_with_a_hash_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(LockError, match=rf"line \d+: .*{why}"):
        parse_lock(text)


LOCK = parse_lock(f"x==1 --hash=sha256:{A}\n")


def test_a_file_with_another_hash_is_never_chosen() -> None:
    other = parse_lock(f"x==1 --hash=sha256:{B}\n")
    with pytest.raises(NotLocked, match="x==1"):
        read_wheels(_pylock("x-1-py3-none-any.whl"), [Tag("py3", "none", "any")], other)


def _pylock(*filenames: str) -> bytes:
    wheels = ", ".join(f'{{ url = "https://i.invalid/{f}", hashes = {{ sha256 = "{A}" }} }}' for f in filenames)
    return f'[[packages]]\nname = "x"\nversion = "1"\nwheels = [{wheels}]\n'.encode()


def test_of_several_wheels_that_fit_the_targets_best_is_chosen() -> None:
    tags = [Tag("cp311", "cp311", "manylinux_2_28_x86_64"), Tag("py3", "none", "any")]
    found = read_wheels(_pylock("x-1-py3-none-any.whl", "x-1-cp311-cp311-manylinux_2_28_x86_64.whl"), tags, LOCK)
    assert [each.filename for each in found] == ["x-1-cp311-cp311-manylinux_2_28_x86_64.whl"]


def test_a_distribution_without_a_fitting_wheel_is_an_error() -> None:
    with pytest.raises(LockError, match="x==1"):
        read_wheels(_pylock("x-1-cp27-cp27m-win32.whl"), [Tag("py3", "none", "any")], LOCK)


def test_what_is_written_for_uv_reads_back_whatever_the_address_holds() -> None:
    wheel = Wheel("x", "1", "x-1-py3-none-any.whl", 'https://i.invalid/a"b\\c/x-1-py3-none-any.whl', A)
    assert read_wheels(write_pylock([wheel]).encode(), [Tag("py3", "none", "any")], LOCK) == (wheel,)
