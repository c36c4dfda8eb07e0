"""Arrays and pictures are examined for what they are: numbers pass, pickles and what is hidden among them do not."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from pathlib import Path

import pytest

from agentsys_policies.engine import Policy
from agentsys_policies.scan.files import classify, read

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(30)


def npy(descr: object = "<f8", shape: tuple[int, ...] = (2, 3), body: bytes | None = None) -> bytes:
    """An array by the published format: magic, version, length of the header, header, numbers."""
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + (bytes(48) if body is None else body)


def npz(members: dict[str, bytes], comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = comment
    return stream.getvalue()


def safetensors(end: int = 8, body: int = 8) -> bytes:
    head = json.dumps({"__metadata__": {}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, end]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(body)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("results/a.npy", npy()),
        ("results/a.npy", npy(shape=())[:-40]),
        ("results/a.npy", npy("<U3", (4,))),
        ("results/a.npy", npy([("x", "<f4"), ("y", "<i4", (2,))], (4,))),
        ("results/a.npz", npz({"errors.npy": npy(), "passes.npy": npy("<i8")})),
        ("results/a.safetensors", safetensors()),
        ("results/a.parquet", b"PAR1" + bytes(20) + struct.pack("<I", 10) + b"PAR1"),
        ("results/curve.png", PNG),
        ("results/curve.pdf", b"%PDF-1.5\n\xff"),
        ("results/table.csv", b"a,b\n1,2\n"),
    ],
)
def test_numbers_and_pictures_are_examined(name: str, raw: bytes) -> None:
    assert classify(name, raw).reason == ""


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("a.npy", npy("|O", (1,), b"\x80\x04N."), "pickle"),
        ("a.npz", npz({"x.npy": npy("|O", (1,), b"\x80\x04N.")}), "pickle"),
        ("a.npz", npz({"x.npy": npy([("x", "|O")], (1,), b"\x80\x04N.")}), "pickle"),
        ("a.npz", npz({"x.npy": npy(), "evil.py": b"import os"}), "no array"),
        ("a.npz", b"echo\n" + npz({"x.npy": npy()}), "stands before"),
        ("a.npz", npz({"x.npy": npy()}, b"comment"), "more in it"),
        ("a.npz", b"PK\x03\x04 damaged", "damaged"),
        ("a.npy", npy() + b"import os", "more or less"),
        ("a.npy", npy(shape=(1 << 40,)), "more or less"),
        ("a.npy", b"not an array", "not an array"),
        ("a.safetensors", safetensors(end=12), "damaged"),
        ("a.safetensors", safetensors(body=16), "more or less"),
        ("a.parquet", b"PAR1", "not Parquet"),
        ("model.pkl", b"\x80\x04N.", "may hold a program"),
    ],
)
def test_what_may_run_is_named_with_what_to_do(name: str, raw: bytes, reason: str) -> None:
    said = classify(name, raw).reason
    assert reason in said and "npz" in said


@pytest.mark.parametrize(
    ("name", "kind"), [("run.py", "python"), ("run.sh", "shell"), ("notes", "data"), ("Makefile", "make")]
)
def test_a_program_that_begins_like_a_picture_is_read_as_a_program(name: str, kind: str) -> None:
    source = classify(name, b"GIF89a = 1\nimport os\n")
    assert (source.kind, source.reason) == (kind, "") and "import os" in source.text


def known(*raw: bytes) -> frozenset[str]:
    return frozenset(hashlib.sha256(item).hexdigest() for item in raw)


@pytest.mark.parametrize(
    ("name", "raw", "passes"),
    [
        ("results/scores.h5", b"\x89HDF\r\n\x1a\n\xff", True),
        ("results/log.csv.gz", b"\x1f\x8b\x08\xff", True),
        ("data/scores.h5", b"\x89HDF\r\n\x1a\n\xff", False),
        ("results/model.pkl", b"\x80\x04N.", False),
        ("results/weights.bin", b"\x80\x04N.\xff", False),
        ("results/tool.bin", b"\x7fELF\xff", False),
        ("results/x.npz", npz({"x.npy": npy("|O", (1,), b"\x80\x04N.")}), False),
        ("results/run.py", b"\xff", False),
    ],
)
def test_what_the_verified_run_wrote_passes_by_its_hash_unless_it_could_be_run(
    tmp_path: Path, name: str, raw: bytes, passes: bool
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(raw)
    assert read(tmp_path, file, 1 << 20).reason
    assert (read(tmp_path, file, 1 << 20, known(raw)).reason == "") is passes
    assert read(tmp_path, file, 1 << 20, known(b"something else")).reason


HEAD, ROW = "claim,seed,value\n", 'C1,0,"1,5"\n'


@pytest.mark.parametrize(
    ("name", "text", "passes"),
    [
        ("claims/rows/C1.csv", HEAD + ROW * 100, True),
        ("results/C1.csv", HEAD + ROW * 100, False),
        ("claims/rows/C1.py", HEAD + ROW * 100, False),
        ("claims/rows/C1.csv", HEAD + ROW * 100 + "import os\n", False),
        ("claims/rows/C1.csv", "import os; os.system('id')\n" + ROW * 100, False),
        ("claims/rows/C1.csv", HEAD + ROW * 100 + "C1,0,\x1b[2J\n", False),
        ("claims/rows/C1.csv", HEAD + ROW * 100 + f"C1,0,{'x' * 5000}\n", False),
        ("claims/rows/C1.csv", HEAD + ROW * 100 + 'C1,0,"1\n', False),
        ("claims/rows/C1.csv", HEAD + ROW * 100 + "C1,0,\udcff\n", False),
    ],
)
def test_long_tables_of_the_claims_record_pass_and_nothing_else_that_is_long_does(
    tmp_path: Path, name: str, text: str, passes: bool
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
    assert (read(tmp_path, file, 1000).reason == "") is passes


def test_a_tree_with_arrays_is_allowed_and_one_with_a_pickle_is_refused_by_its_name(tmp_path: Path) -> None:
    policy = Policy.load()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "errors.npz").write_bytes(npz({"x.npy": npy()}))
    (tmp_path / "results" / "curve.png").write_bytes(PNG)
    assert policy.audit_code(tmp_path).allows
    (tmp_path / "results" / "model.pkl").write_bytes(b"\x80\x04N.")
    decision = policy.audit_code(tmp_path)
    assert not decision.allows
    assert any("results/model.pkl" in row for scanner in decision.scanners for row in scanner.skipped)
