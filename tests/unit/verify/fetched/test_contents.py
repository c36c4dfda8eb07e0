"""What is taken as data and what is not, how it is counted, and what comes out of hostile archives."""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agentsys.verify.data.archives
import agentsys.verify.data.contents
from agentsys.core.artifacts import DataSource
from agentsys.core.errors import BlockedError, PrerequisiteError
from agentsys.verify.data.archives import is_archive, unpack
from agentsys.verify.data.contents import counts, why_not_data, words
from agentsys.verify.datafiles import miscounted

CSV = b'x,label\n1,"a\nb"\n2,c\n'
IDX = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in (5, 2, 2)) + bytes(20)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


TAKEN: list[tuple[str, bytes, tuple[int, ...]]] = [
    ("x.csv", CSV, (3, 2)),
    ("x.csv.gz", gzip.compress(CSV), (3, 2)),
    ("x.csv.bz2", bz2.compress(CSV), (3, 2)),
    ("x.tsv", b"a\tb\n1\t2\n", (2, 1)),
    ("a9a", b"+1 1:0.5 3:1\n-1 2:1\n", (2,)),
    ("x.jsonl", b'{"a": 1}\n\n{"a": 2}\n', (2,)),
    ("x.arff", b"@relation r\n@attribute x real\n@DATA\n% no\n1\n2\n", (2,)),
    ("latin.txt", "Stra\xdfe\nWeg\n".encode("latin-1"), (2,)),
    ("train-images-idx3-ubyte", IDX, (5,)),
    ("train-images-idx3-ubyte.gz", gzip.compress(IDX), (5,)),
    ("x.npz", npz(x=np.zeros((7, 2)), y=np.zeros(7)), (7,)),
    ("x.png", PNG, (1,)),
    ("batch_1.bin", b"\x06" + bytes(3072), ()),
]


@pytest.mark.parametrize(("name", "data", "number"), TAKEN, ids=[row[0] for row in TAKEN])
def test_data_is_taken_and_counted(tmp_path: Path, name: str, data: bytes, number: tuple[int, ...]) -> None:
    path = put(tmp_path, name, data)
    assert why_not_data(path, name) == "" and counts(path, name) == number


REFUSED = [
    ("x.pkl", b"(lp0\n.", "can hold a program"),
    ("x.csv", pickle.dumps([1, 2]), "pickle"),
    ("x.bin", pickle.dumps([1, 2]), "pickle"),
    ("weights.pt", b"PK\x03\x04", "can hold a program"),
    ("x.h5", b"\x89HDF", "cannot be looked into"),
    ("x.npz", npz(x=np.array([{}], dtype=object)), "Python objects"),
    ("x.npz.gz", gzip.compress(npz(x=np.zeros(2))), "within a compressed"),
    ("loader.py", b"x = 1\n", "a program"),
    ("data", b"#!/bin/sh\n", "a program"),
    ("x.csv", b"\x7fELF" + bytes(20), "a program"),
    ("x.csv", b"PK\x03\x04" + bytes(20), "archive within"),
    ("x.png", b"GIF89a", "not the picture"),
    ("x.wav", b"nothing", "not the sound"),
    ("x.dat.gz", b"\x1f\x8b broken", "damaged"),
    ("x.unknown", bytes(range(256)), "neither text nor"),
]


@pytest.mark.parametrize(("name", "data", "why"), REFUSED, ids=[f"{n}-{w}" for n, _, w in REFUSED])
def test_what_may_run_or_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    assert why in why_not_data(put(tmp_path, name, data), name)


def test_a_compressed_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agentsys.verify.data.contents, "MAX_UNPACKED", 1 << 21)
    path = put(tmp_path, "x.txt.gz", gzip.compress(b"a" * (3 << 20)))
    assert "unpacks to more than" in why_not_data(path, "x.txt.gz") and counts(path, "x.txt.gz") == ()


def test_a_table_is_told_by_its_first_line_without_markup(tmp_path: Path) -> None:
    path = put(tmp_path, "x.csv", b"a`,b\x1b[31m\n1,2\n")
    said = words(path, "x.csv")
    assert "2 rows" in said and "`a ,b [31m`" in said


def archive(path: Path, members: dict[str, bytes], kind: str) -> Path:
    file = path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            for name, data in members.items():
                out.writestr(name, data)
    else:
        with tarfile.open(file, "w:gz") as out:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                out.addfile(info, io.BytesIO(data))
    return file


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_plain_files_come_out_and_the_rest_is_left_out_with_the_reason(tmp_path: Path, kind: str) -> None:
    members = {
        "set/train.csv": CSV,
        "../evil.csv": CSV,
        "/abs.csv": CSV,
        "set/load.py": b"x=1",
        "w.pkl": b"x",
        "a:b.csv": CSV,
    }
    file = archive(tmp_path, members, kind)
    assert is_archive(file.name)
    (tmp_path / "out").mkdir()
    done = unpack(file, file.name, tmp_path / "out", 1 << 20)
    assert done.files == ["set/train.csv"] and done.number_left_out == 5
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == ["train.csv"]
    assert not (tmp_path / "evil.csv").exists() and done.left_out["w.pkl"].startswith("a file that can hold")


def test_links_devices_and_members_of_one_name_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    with tarfile.open(file, "w") as out:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("fifo", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            out.addfile(info)
        for data in (b"1\n", b"2\n"):
            info = tarfile.TarInfo("x.txt")
            info.size = 2
            out.addfile(info, io.BytesIO(data))
        inside = tarfile.TarInfo("x.txt/y.txt")
        out.addfile(inside, io.BytesIO(b""))
    (tmp_path / "out").mkdir()
    done = unpack(file, "a.tar", tmp_path / "out", 100)
    assert done.files == ["x.txt"] and (tmp_path / "out/x.txt").read_bytes() == b"1\n"
    assert set(done.left_out) == {"link", "hard", "fifo", "x.txt", "x.txt/y.txt"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_that_unpacks_to_more_than_is_allowed_is_refused(tmp_path: Path, kind: str) -> None:
    file = archive(tmp_path, {"a.txt": b"a" * 200_000, "b.txt": b"b" * 200_000}, kind)
    (tmp_path / "out").mkdir()
    assert file.stat().st_size < 3000
    with pytest.raises(BlockedError, match="data_budget"):
        unpack(file, file.name, tmp_path / "out", 300_000)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= 300_000


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agentsys.verify.data.archives, "MAX_FILES", 3)
    file = archive(tmp_path, {f"{n}.txt": b"1" for n in range(5)}, "zip")
    (tmp_path / "out").mkdir()
    with pytest.raises(BlockedError, match="more than 3 files"):
        unpack(file, "a.zip", tmp_path / "out", 1 << 20)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_a_damaged_archive_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(PrerequisiteError, match="cannot be unpacked"):
        unpack(put(tmp_path, name, b"PK\x03\x04 nothing"), name, tmp_path / "out", 100)


def source(**split: Any) -> DataSource:
    row = {"name": "train", "files": ["*.csv"], **split}
    return DataSource.model_validate({"name": "d", "kind": "folder", "splits": [row]})


@pytest.mark.parametrize(("count", "good"), [(4, True), (6, True), (5, False), (0, False)])
def test_the_rows_of_a_split_are_counted_with_or_without_a_line_of_names(
    tmp_path: Path, count: int, good: bool
) -> None:
    files = {f"{name}.csv": tmp_path / name for name in "ab"}
    for path in files.values():
        path.write_bytes(CSV)
    found = miscounted(source(count=count), files)
    assert (found == []) is good
    assert good or ("6 or 4 rows" in found[0].message and found[0].kind == "data")


def test_a_split_without_a_file_is_absent_and_what_cannot_be_counted_is_not_judged(tmp_path: Path) -> None:
    assert "is absent" in miscounted(source(count=2), {"x.txt": tmp_path / "x"})[0].message
    path = put(tmp_path, "x.bin", b"\x06" + bytes(3072))
    assert miscounted(source(count=2, files=["x.bin"]), {"x.bin": path}) == []
